package lineman_test

import (
	"errors"
	"io"
	"syscall"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestUnacknowledged ends a connection whose peer does not take what was sent, long before the system would, also one
// that SetWorker brings.
func TestUnacknowledged(t *testing.T) {
	linemantest.NoLeaks(t)
	ends := make(chan error, 2)
	send := func(c *lineman.Conn) { _ = c.Send(make([]byte, 8<<20)) }
	bounded := func(name string) *lineman.Worker {
		w := &lineman.Worker{
			Name: name, Logger: quiet, Limits: lineman.Limits{Unacknowledged: second / 2, MaxPending: 16 << 20},
		}
		w.OnConnect = send
		w.OnClose = func(_ *lineman.Conn, err error) { ends <- err }
		return w
	}
	first, second := bounded("first"), bounded("second")
	first.Addr = "tcp://127.0.0.1:0"
	other := &lineman.Worker{Addr: "tcp://127.0.0.1:0", Logger: quiet}
	other.OnConnect = func(c *lineman.Conn) {
		if err := c.SetWorker(second); err != nil {
			t.Error(err)
		}
		send(c)
	}
	s := linemantest.Start(t, first, other)
	for _, w := range []*lineman.Worker{first, other} {
		dial(t, s.Addr(w)) // it does not read
		err := next(t, ends, "OnClose")
		// Over package net two goroutines ask, and the kernel tells one of them. It may be the slower one.
		other := portable() && (errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF))
		if !errors.Is(err, syscall.ETIMEDOUT) && !other {
			t.Errorf("%s: %v", w.Name, err)
		}
	}
}
