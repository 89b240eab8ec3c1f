package lineman

import (
	"slices"
	"time"
)

// spareTime is in which a goroutine for handshakes that nobody needs is given back.
const spareTime = time.Second

// handshake is one of TLS, for a goroutine to run.
type handshake struct {
	conn  *Conn
	tls   *tlsTransport
	slots *handshakeSlots // where it has a slot; nil: it needs none
}

// shakers are the goroutines that wait for a handshake, each known by its channel. A goroutine begins with a small
// stack, which crypto/tls has it grow several times: so one that has grown it goes on to the next handshake, of any
// connection. Those that were not needed for a while end, so that a loop that is quiet has none. Owned by the loop.
//
//	        the handshake is over              the next one
//	shaking ────────────────────────▶ spare ─────────────────▶ shaking
//	                                    │ not needed any more, or the loop has ended
//	                                    └───────────────────────────────────────────▶ the goroutine ends
type shakers struct {
	spare   []chan handshake // each has room for one
	least   int              // how many there have been at the least since the last look
	watched bool             // a timer runs for the next one
}

// run has a goroutine run a handshake: the one that did so last, or a new one.
func (s *shakers) run(l *Loop, h handshake) {
	n := len(s.spare) - 1
	if n < 0 {
		next := make(chan handshake, 1)
		next <- h
		l.helpers.Go(func() { l.shakeAll(next) })
		return
	}
	next := s.spare[n]
	s.spare[n] = nil
	s.spare = s.spare[:n]
	s.least = min(s.least, n)
	next <- h
}

// shakeAll runs handshakes, one after the other.
func (l *Loop) shakeAll(next chan handshake) {
	for {
		select {
		case h, ok := <-next:
			if !ok {
				return
			}
			err := h.tls.conn.Handshake()
			l.Do(func() { l.shakers.finish(l, next, h, err) })
		case <-l.over:
			return
		}
	}
}

// finish is called when a handshake is over. Its goroutine is spare before anything else has need of one.
func (s *shakers) finish(l *Loop, next chan handshake, h handshake, err error) {
	s.spare = append(s.spare, next)
	s.watch(l)
	if h.slots != nil {
		h.slots.release(h.conn)
	}
	h.tls.shaken(h.conn, err)
}

func (s *shakers) watch(l *Loop) {
	if !s.watched {
		s.watched = true
		l.After(spareTime, func() { s.look(l) })
	}
}

// look ends those that nobody needed since the last look: those that were used the longest ago.
func (s *shakers) look(l *Loop) {
	s.watched = false
	for _, next := range s.spare[:s.least] {
		close(next)
	}
	s.spare = slices.Delete(s.spare, 0, s.least)
	if s.least = len(s.spare); s.least > 0 {
		s.watch(l)
	}
}
