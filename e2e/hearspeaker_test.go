package e2e

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"
)

// speaker is a page that says one number after the other, at a pace. When its connection ends it comes back, and says
// again what was not answered, in order.
//
//	away ── a server takes it ──▶ speaking ── the network breaks, or the server goes ──▶ away
type speaker struct {
	uid    string
	dial   func() (net.Conn, error)
	book   *sayings
	every  time.Duration // it says something
	breaks time.Duration // after which its network breaks, on average
	random *rand.Rand

	mu      sync.Mutex // guards the following
	waiting []payload  // was said, and not answered
	quiet   bool       // it says nothing new
	counts  spoke
}

// spoke counts what happened to a speaker.
type spoke struct {
	connections, broken int
}

func newSpeaker(uid string, seed uint64, book *sayings, every, breaks time.Duration,
	dial func() (net.Conn, error)) *speaker {
	return &speaker{
		uid: uid, dial: dial, book: book, every: every, breaks: breaks, random: rand.New(rand.NewPCG(seed, 2)),
	}
}

// live speaks until the context ends.
func (s *speaker) live(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.visit(ctx)
		wait := time.Duration(s.random.Int64N(int64(100 * time.Millisecond)))
		var away sentAwayError
		if errors.As(err, &away) {
			wait = away.retry
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// visit has one connection, until it ends.
func (s *speaker) visit(ctx context.Context) error {
	conn, err := s.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	page, err := speak(conn, s.uid)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.counts.connections++
	said := slices.Clone(s.waiting)
	s.mu.Unlock()
	ended := make(chan error, 1)
	go func() { ended <- s.readAnswers(page) }()
	defer func() { page.breakOff(); <-ended }()
	for _, p := range said {
		s.book.repeated()
		if err := page.say(p, true); err != nil {
			return err
		}
	}
	return s.goOn(ctx, page, ended)
}

// goOn says what is new until the connection ends.
func (s *speaker) goOn(ctx context.Context, page *speaking, ended chan error) error {
	pace := time.NewTicker(s.every)
	defer pace.Stop()
	breaks := time.NewTimer(time.Duration(s.random.ExpFloat64() * float64(s.breaks)))
	defer breaks.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			ended <- err // for who waits for the end
			return err
		case <-breaks.C:
			if p, ok := s.next(); ok {
				s.broke()
				_ = page.say(p, false) // it will not hear the answer
				return errCut
			}
		case <-pace.C:
			if p, ok := s.next(); ok {
				if err := page.say(p, false); err != nil {
					return err
				}
			}
		}
	}
}

// broke counts a network that breaks.
func (s *speaker) broke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.broken++
}

// say says something; the id is its number.
func (s *speaking) say(p payload, again bool) error {
	said := map[string]any{"op": "say", "id": p.N, "data": p}
	if again {
		said["again"] = true
	}
	return s.write(said)
}

// next is what it says next, unless it is quiet.
func (s *speaker) next() (p payload, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quiet {
		return p, false
	}
	p = s.book.next(s.uid)
	s.waiting = append(s.waiting, p)
	return p, true
}

// readAnswers takes what the server says until the connection ends.
func (s *speaker) readAnswers(page *speaking) error {
	var goodbye error
	for {
		m, err := page.read()
		switch {
		case err != nil && goodbye != nil:
			return goodbye
		case err != nil:
			return err
		case m.Op == "bye":
			goodbye = sentAwayError{time.Duration(m.Retry) * time.Millisecond, m.Why}
		case m.Op == "say" || m.Op == "err":
			s.answered(m)
		}
	}
}

// answered notes an answer. What was refused is not said again: it would come behind what was said after it.
func (s *speaker) answered(m spoken) {
	s.mu.Lock()
	i := slices.IndexFunc(s.waiting, func(p payload) bool { return p.N == m.ID })
	if i < 0 {
		s.mu.Unlock()
		s.book.complain("%s is answered %+v, which it does not wait for", s.uid, m)
		return
	}
	p := s.waiting[i]
	s.waiting = slices.Delete(s.waiting, i, i+1)
	s.mu.Unlock()
	s.book.answered(p, m.Code)
	if m.Op == "err" && m.Code != 503 {
		s.book.complain("%s is answered %+v", s.uid, m)
	}
}

// hush has it say nothing new.
func (s *speaker) hush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quiet = true
}

// isAnswered reports whether it waits for nothing.
func (s *speaker) isAnswered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting) == 0
}
