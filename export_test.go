package lineman

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"github.com/lineman-go/lineman/internal/grace"
	"github.com/lineman-go/lineman/internal/poll"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// RunByClock is Run by another clock.
func RunByClock(ctx context.Context, clock func() time.Time, workers ...*Worker) error {
	return run(ctx, clock, workers)
}

// Open makes a loop that listens for w and runs only by Step.
func Open(w *Worker) (*Loop, error) {
	r := &runner{}
	if err := r.open(w, time.Now); err != nil {
		r.abandon()
		return nil, err
	}
	return r.runs[0].loop, nil
}

// Step runs one tick without waiting.
func (l *Loop) Step() error { return l.step(false) }

// Turn runs one tick as a loop that serves does: it waits, if its poller does.
func (l *Loop) Turn() error { return l.step(true) }

// Shut ends a loop that Open made.
func (l *Loop) Shut() { l.shut() }

// Encoded is how many bytes of frames the broadcasts of the loop have made.
func (l *Loop) Encoded() int { return len(l.block) }

// TLSMemory is what crypto/tls holds for c to read records and its own messages into, in bytes. On the loop.
func (c *Conn) TLSMemory(t *testing.T) int {
	s := c.link.tls()
	if s.raw == nil || s.hand == nil {
		t.Fatal("this version of crypto/tls has other buffers: see bufferOf")
	}
	return s.raw.Cap() + s.hand.Cap()
}

// Handshakes is how many handshakes of TLS with a slot are under way. On the loop.
func (l *Loop) Handshakes() (n int) {
	for _, s := range l.services {
		n += len(s.slots.running)
	}
	return n
}

// SpareShakers is how many goroutines wait for a handshake of TLS. On the loop.
func (l *Loop) SpareShakers() int { return len(l.shakers.spare) }

// Remembered are the addresses, one after the other, as a connection remembers them.
func Remembered(addrs ...netip.AddrPort) (back []netip.AddrPort) {
	c := &Conn{}
	for _, a := range addrs {
		c.remote.setLocked(c, a)
		back = append(back, c.remote.addrLocked(c))
	}
	return back
}

// IsBare reports whether c has nothing of what few connections need.
func (c *Conn) IsBare() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.extra == nil
}

// Size is what a connection takes, and its session as a WebSocket.
func Size() (conn, session uintptr) { return unsafe.Sizeof(Conn{}), unsafe.Sizeof(wsSession{}) }

// Leave has a loop let its connections go, as a predecessor does. On the loop.
func (l *Loop) Leave(code websocket.Code, d time.Duration, patient bool) {
	l.beginLeaving(code, grace.Period(d), patient)
}

// OpenOver makes a loop over a poller and a clock of the test's own, that listens for w and runs only by Step.
func OpenOver(w *Worker, p poll.Poller, clock func() time.Time) (*Loop, error) {
	l := newLoop(0, p, clock)
	_, err := l.Listen(w)
	return l, err
}

// Spare is how much memory for large messages is free, in bytes.
func (l *Loop) Spare() int { return l.memory.Kept() }

// ForbidBatch has the system of a loop that Open made refuse to write to many connections by one call.
func (l *Loop) ForbidBatch() { l.poll = noBatch{l.poll} }

type noBatch struct{ poll.Poller }

func (noBatch) Batch() (poll.Batch, error) { return nil, errors.ErrUnsupported }

// BeforeBatch has a loop that Open made run a function when the outputs of many connections have been handed over, just
// before they are written.
func (l *Loop) BeforeBatch(f func()) { l.poll = heldBatch{l.poll, f} }

type heldBatch struct {
	poll.Poller
	before func()
}

func (h heldBatch) Batch() (poll.Batch, error) { return heldWrites(h), nil }

type heldWrites heldBatch

func (h heldWrites) Write(writes []poll.Write) {
	h.before()
	for i := range writes {
		w := &writes[i]
		w.N, w.Err = h.Poller.Write(w.Handle, w.Bytes)
	}
}

func (heldWrites) Close() error { return nil }

// StandStill has loops stand still together, and returns when they do: until thaw, who called it owns what they own.
func StandStill(loops ...*Loop) (thaw func()) {
	s := newStandstill(loops, nil)
	if !s.begin() {
		panic("a loop has ended")
	}
	<-s.still
	return func() { close(s.thaw) }
}

// HasWork reports whether something was given to Do, or a connection wants attention.
func (l *Loop) HasWork() bool { return l.wanted() }

// Answered reports whether the Handler of c is done with its request, and the loop has still to go on. On the loop.
func (c *Conn) Answered() bool {
	x := c.session.(*handlerSession).current
	c.mu.Lock()
	defer c.mu.Unlock()
	return x.Over() && c.flags&resume != 0
}
