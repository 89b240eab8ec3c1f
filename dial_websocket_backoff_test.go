package lineman_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestDialWebSocketBackoff has a connection come back when its server wants it, below TLS too, whatever follows a
// refusal.
func TestDialWebSocketBackoff(t *testing.T) {
	linemantest.NoLeaks(t)
	for _, scheme := range []string{"ws", "wss"} {
		t.Run(scheme, func(t *testing.T) {
			refusal := "HTTP/1.1 503 Busy\r\n\r\n" + switching // the rest is looked at by nobody
			w, _ := scriptedServer(refusal, refusal, "", "hello", switching+"\x81\x05hello")
			d := newDialed()
			if scheme == "wss" {
				w.TLS = linemantest.TLS(t)
				d.TLS = w.TLS
			}
			s := linemantest.Start(t, w)
			d.Backoff = lineman.Backoff{First: time.Millisecond}
			c := dialFrom(t, s, w, scheme+"://"+s.Addr(w).String(), d.Dialer)
			for _, want := range []string{"503", "503", "EOF", "does not speak HTTP"} {
				if err := next(t, d.closes, "OnClose"); !strings.Contains(fmt.Sprint(err), want) {
					t.Errorf("OnClose: %v, want %q", err, want)
				}
			}
			if got := next(t, d.connects, "OnConnect"); got != c {
				t.Error("it is another connection")
			}
			if got := next(t, d.messages, "the message"); got != "hello" {
				t.Errorf("got %q", got)
			}
			c.Abort()
			if err := next(t, d.closes, "OnClose"); err != nil {
				t.Errorf("OnClose: %v", err)
			}
		})
	}
}

// TestDialWebSocketBackoffOnce has a connection whose server says nonsense while it closes end once, before it comes
// back.
func TestDialWebSocketBackoffOnce(t *testing.T) {
	linemantest.NoLeaks(t)
	w, after := scriptedServer(switching)
	s, clock := startByClock(t, w)
	d := newDialed()
	d.Backoff = lineman.Backoff{First: 10 * second}
	d.Limits.Idle = 5 * second
	c := dialFrom(t, s, w, "ws://"+s.Addr(w).String(), d.Dialer)
	next(t, d.connects, "OnConnect")
	clock.jump(s, w, 6*second)
	if got := next(t, after, "the goodbye"); got[:1] != "\x88" {
		t.Errorf("got %q", got)
	}
	s.Do(w, func(l *lineman.Loop) {
		for server := range l.Conns(w) {
			_, _ = server.Write([]byte("\x88\x01x" + switching))
		}
	})
	if err := next(t, d.closes, "OnClose"); err != lineman.ErrIdle {
		t.Errorf("OnClose: %v", err)
	}
	clock.jump(s, w, 20*second)
	if got := next(t, d.connects, "OnConnect"); got != c {
		t.Error("it is another connection")
	}
	c.Abort()
	if err := next(t, d.closes, "OnClose"); err != nil {
		t.Errorf("OnClose: %v", err)
	}
}
