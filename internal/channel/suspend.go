//go:build unix

package channel

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Suspended is a Peer at rest: what another Peer needs to go on in its place.
type Suspended struct {
	FD     int    `json:"fd"`               // of the socket
	Last   uint64 `json:"last"`             // the number of its last call
	Unread []byte `json:"unread,omitempty"` // of a message that has not come whole
	Files  []int  `json:"files,omitempty"`  // descriptors that came with it
}

// rest is a time in which a Peer neither reads nor writes.
type rest struct {
	began chan struct{} // closed by the goroutine that reads
	over  chan struct{} // closed by Resume
}

// Suspend has the Peer rest until Resume: it reads nothing more, every request that it has read is answered, and what
// is written from now on waits. The answers to calls of its own that come meanwhile, or that come to another Peer, are
// lost on nobody but their callers. What it returns stays the Peer's. It is an error if ctx ends before the Peer rests,
// which it does not then, and ErrClosed if the other end has gone.
func (p *Peer) Suspend(ctx context.Context) (Suspended, error) {
	r := &rest{began: make(chan struct{}), over: make(chan struct{})}
	p.mu.Lock()
	p.rest = r
	p.mu.Unlock()
	_ = p.conn.SetReadDeadline(time.Unix(1, 0)) // wakes who reads; if it is closed, nobody does
	if err := p.quiesce(ctx, r); err != nil {
		p.wake()
		return Suspended{}, err
	}
	s, err := p.suspended()
	if err != nil {
		p.Resume()
		return Suspended{}, err
	}
	return s, nil
}

// quiesce waits until nothing is read, nothing is unanswered, and nobody else writes: in this order, as requests are
// read and answers are written.
func (p *Peer) quiesce(ctx context.Context, r *rest) error {
	for _, still := range []func() <-chan struct{}{
		func() <-chan struct{} { return r.began },
		p.allAnswered,
	} {
		select {
		case <-still():
		case <-p.done:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	select {
	case p.writing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *Peer) suspended() (Suspended, error) {
	rc, err := p.conn.SyscallConn()
	if err != nil {
		return Suspended{}, fmt.Errorf("channel: %w", err)
	}
	s := Suspended{Unread: slices.Clone(p.in.rest), Files: slices.Clone(p.files)}
	if err := rc.Control(func(fd uintptr) { s.FD = int(fd) }); err != nil {
		return Suspended{}, ErrClosed
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Last = p.last
	return s, nil
}

// Resume ends the rest that Suspend has begun.
func (p *Peer) Resume() {
	<-p.writing
	p.wake()
}

// wake has the Peer read again.
func (p *Peer) wake() {
	p.mu.Lock()
	r := p.rest
	p.rest = nil
	p.mu.Unlock()
	_ = p.conn.SetReadDeadline(time.Time{}) // closed is as good
	close(r.over)
}

// pause is the rest of the goroutine that reads, if it is to rest.
func (p *Peer) pause() {
	p.mu.Lock()
	r := p.rest
	p.mu.Unlock()
	if r == nil {
		return
	}
	close(r.began)
	<-r.over
}

// allAnswered is closed when no request is unanswered.
func (p *Peer) allAnswered() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := make(chan struct{})
	if p.unanswered == 0 {
		close(c)
	} else {
		p.answered = c
	}
	return c
}

// settle notes that a request was answered.
func (p *Peer) settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unanswered--; p.unanswered == 0 && p.answered != nil {
		close(p.answered)
		p.answered = nil
	}
}
