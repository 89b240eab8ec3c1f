package lineman_test

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// halfHello is the beginning of a handshake of TLS: the header of a record that does not come to its end.
const halfHello = "\x16\x03\x01\x02\x00\x01\x00"

// TestTLSSlots has handshakes above the bound wait for a slot, which those that say no more lose then.
func TestTLSSlots(t *testing.T) {
	linemantest.NoLeaks(t)
	w := secured(t, "text")
	w.Limits.Handshakes = 2
	w.OnMessage = echo
	s, clock := startByClock(t, w)
	stalled := stall(t, s, w, 2)
	behind := stall(t, s, w, 1) // waits
	good := s.Connect(w)
	said := make(chan error, 1)
	go func() {
		_, err := io.WriteString(good.Conn, "hello\n")
		said <- err
	}()
	waitUntil(t, s, w, func(l *lineman.Loop) bool { return l.Stats().Accepted == 4 })
	select {
	case err := <-said:
		t.Fatalf("it had its turn at once: %v", err)
	default:
	}
	clock.jump(s, w, 2500*time.Millisecond)
	for _, c := range stalled {
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("who says no more has its turn for ever")
		}
	}
	if err := next(t, said, "its turn"); err != nil {
		t.Fatal(err)
	}
	if got := good.Receive(); got != "hello" {
		t.Errorf("got %q", got)
	}
	if _, err := behind[0].Write([]byte{0}); err != nil {
		t.Errorf("who has its turn, and nobody waits: %v", err)
	}
}

// TestTLSSlotsWaitEnds ends a connection that gets no slot within the limit of the handshake, and one whose peer goes.
func TestTLSSlotsWaitEnds(t *testing.T) {
	linemantest.NoLeaks(t)
	w := secured(t, "text")
	w.Limits = lineman.Limits{Handshakes: 1, Handshake: second}
	s, clock := startByClock(t, w)
	stall(t, s, w, 5)
	clock.jump(s, w, 1500*time.Millisecond)
	waitUntil(t, s, w, func(l *lineman.Loop) bool { return l.Stats().Conns == 0 })
	for range 2 {
		for _, c := range stall(t, s, w, 3) {
			c.Close()
		}
		clock.jump(s, w, 1500*time.Millisecond)
		waitUntil(t, s, w, func(l *lineman.Loop) bool { return l.Stats().Conns == 0 })
	}
}

// TestTLSSlotsGoroutines has silent connections cost no goroutine, and others so many at the most.
func TestTLSSlotsGoroutines(t *testing.T) {
	if portable() {
		t.Skip("package net needs a goroutine for each connection")
	}
	const most = 10
	w := secured(t, "websocket")
	w.Limits.Handshakes = most
	s, _ := startByClock(t, w) // no limit ends any of them
	s.Do(w, func(*lineman.Loop) {})
	before := runtime.NumGoroutine()
	for range 100 {
		dial(t, s.Addr(w))
	}
	waitUntil(t, s, w, func(l *lineman.Loop) bool { return l.Stats().Accepted == 100 })
	linemantest.Until(t, "silent connections have goroutines", func() bool { return runtime.NumGoroutine() <= before })
	stall(t, s, w, 100)
	linemantest.Until(t, fmt.Sprintf("more than %d goroutines are for handshakes", most), func() bool {
		return runtime.NumGoroutine() <= before+most
	})
}

// stall makes connections whose handshakes begin, and do not go on.
func stall(t *testing.T, s *linemantest.Server, w *lineman.Worker, n int) (conns []net.Conn) {
	t.Helper()
	var before lineman.Stats
	s.Do(w, func(l *lineman.Loop) { before = l.Stats() })
	for range n {
		c := dial(t, s.Addr(w))
		if _, err := io.WriteString(c, halfHello); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	waitUntil(t, s, w, func(l *lineman.Loop) bool { return l.Stats().Accepted == before.Accepted+uint64(n) })
	s.Do(w, func(*lineman.Loop) {})
	s.Do(w, func(*lineman.Loop) {}) // the first may have run in a tick that began before the last bytes came
	return conns
}
