package lineman_test

import (
	"crypto/tls"
	"runtime"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestTLSShakers has handshakes that follow each other take one goroutine, those at the same time one each, and none
// be there when there were none for a while.
func TestTLSShakers(t *testing.T) {
	linemantest.NoLeaks(t)
	w := secured(t, "text")
	w.OnMessage = echo
	s, clock := startByClock(t, w)
	spare := func() (n int) {
		s.Do(w, func(l *lineman.Loop) { n = l.SpareShakers() })
		return n
	}
	for range 5 {
		greet(t, s.Connect(w))
	}
	if n := spare(); n != 1 {
		t.Errorf("%d goroutines wait after five handshakes in turn, want 1", n)
	}
	stalled := stall(t, s, w, 3)
	waitUntil(t, s, w, func(l *lineman.Loop) bool { return l.Handshakes() == 3 })
	for _, c := range stalled {
		c.Close()
	}
	waitUntil(t, s, w, func(l *lineman.Loop) bool { return l.SpareShakers() == 3 })
	before := runtime.NumGoroutine()
	clock.jump(s, w, 1500*time.Millisecond)
	greet(t, s.Connect(w)) // needs one of them
	clock.jump(s, w, 1500*time.Millisecond)
	if n := spare(); n != 1 {
		t.Errorf("%d goroutines wait, where one was needed in the last second", n)
	}
	clock.jump(s, w, 1500*time.Millisecond)
	if n := spare(); n != 0 {
		t.Errorf("%d goroutines wait, where none was needed in the last second", n)
	}
	linemantest.Until(t, "goroutines that are not needed stay", func() bool {
		return runtime.NumGoroutine() <= before-3
	})
}

// greet says a word to an echo and hears it.
func greet(t *testing.T, c *linemantest.Client) {
	t.Helper()
	c.Send("word")
	if got := c.Receive(); got != "word" {
		t.Fatalf("got %q", got)
	}
	c.Close()
}

// TestTLSFlight has what the server says of a handshake come while its loop is busy.
func TestTLSFlight(t *testing.T) {
	linemantest.NoLeaks(t)
	w := secured(t, "text")
	asked, answer := make(chan struct{}), make(chan struct{})
	w.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		close(asked)
		<-answer
		return nil, nil
	}
	s := linemantest.Start(t, w)
	client := tls.Client(dial(t, s.Addr(w)), &tls.Config{InsecureSkipVerify: true})
	shaken := make(chan error, 1)
	go func() { shaken <- client.Handshake() }()
	next(t, asked, "the hello")
	s.Do(w, func(*lineman.Loop) {
		close(answer)
		select {
		case err := <-shaken:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("it waits for the loop")
		}
	})
}
