package lineman

import (
	"context"
	"testing"
	"time"

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
	s := c.secure
	if s.raw == nil || s.hand == nil {
		t.Fatal("this version of crypto/tls has other buffers: see bufferOf")
	}
	return s.raw.Cap() + s.hand.Cap()
}

// Leave has a loop let its connections go, as a predecessor does. On the loop.
func (l *Loop) Leave(code websocket.Code, d time.Duration, patient bool) {
	l.beginLeaving(code, grace.Period(d), patient)
}

// OpenOver makes a loop over a poller of the test's own, that listens for w and runs only by Step.
func OpenOver(w *Worker, p poll.Poller) (*Loop, error) {
	l := newLoop(0, p, time.Now)
	_, err := l.Listen(w)
	return l, err
}
