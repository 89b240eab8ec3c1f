package lineman_test

import (
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/internal/poll"
)

// writesPoller counts writes of any goroutine.
type writesPoller struct {
	memoryPoller
	writes atomic.Int32
}

func (p *writesPoller) Write(_ poll.Handle, b []byte) (int, error) {
	p.writes.Add(1)
	return len(b), nil
}

// TestHandlerGathers has the answers to requests that have come together go by one write, and none of them wait for a
// handler that takes its time.
func TestHandlerGathers(t *testing.T) {
	var conn *lineman.Conn
	release := make(chan struct{})
	w := handled(func(http.ResponseWriter, *http.Request) { <-release })
	w.OnConnect = func(c *lineman.Conn) { conn = c }
	p := &writesPoller{memoryPoller: memoryPoller{clients: 1, each: 1, request: []byte(get + get + get + get)}}
	l, err := lineman.OpenOver(w, p, steadyClock())
	if err != nil {
		t.Fatal(err)
	}
	turn := func() { _ = l.Turn() }
	until := func(what string, done func() bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !done(); runtime.Gosched() {
			if time.Now().After(end) {
				t.Fatalf("never %s", what)
			}
		}
	}
	want := func(when string, n int32) {
		t.Helper()
		if got := p.writes.Load(); got != n {
			t.Errorf("%s: %d writes, want %d", when, got, n)
		}
	}
	for conn == nil {
		turn()
	}
	turn()
	p.quiet = true
	for range 2 {
		release <- struct{}{}
		until("is a request answered", conn.Answered)
		turn()
		want("while the next handler begins", 0)
	}
	until("is anything written", func() bool { turn(); return p.writes.Load() > 0 })
	want("when the third handler takes its time", 1)
	release <- struct{}{}
	until("is the third request answered", conn.Answered)
	turn()
	want("while the last handler begins", 1)
	release <- struct{}{}
	until("is the last request answered", conn.Answered)
	want("when nothing follows", 2)
	l.Shut()
}
