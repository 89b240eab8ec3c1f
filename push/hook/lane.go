package hook

import (
	"math"
	"sync"
	"time"

	"github.com/lineman-go/lineman/push/events"
)

// lane posts what its listener is sent, a batch at a time, and has the next one gather meanwhile.
//
//	Send ──▶ gathering ──▶ posting ── 2xx ─────────────────────────────────────▶ taken
//	                        ▲   ├─── 429, 5xx, network, time limit: waits ─┐
//	                        └───┼──────────────────────────────────────────┘
//	                            ├─── any other answer ────▶ dead letter ───▶ given up
//	                            └─── for too long, or the server stops ────┘
//
// Its goroutine makes the requests. The loop settles with the listener what has become of them.
type lane struct {
	sender   *Sender
	listener *events.Listener // owned by the loop
	wake     chan struct{}    // gets a value, if it has room, when there is something to post; closed at the end
	ended    chan struct{}    // closed when the goroutine has ended

	mu        sync.Mutex // guards the following
	closed    bool       // the goroutine takes nothing more
	gathering batch
	refused   bool   // Send has: there was no room
	last      uint64 // number of the last event that was taken over
	results   []result
}

// result is what has become of all events up to one.
type result struct {
	last  uint64
	taken bool
}

func newLane(s *Sender) *lane {
	return &lane{sender: s, wake: make(chan struct{}, 1), ended: make(chan struct{})}
}

// Send is that of events.Sink.
func (l *lane) Send(event []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	most := l.sender.options.Batch
	if l.closed {
		most = math.MaxInt // for the dead letters
	}
	if l.refused = !l.gathering.hasRoom(most, len(event)); l.refused {
		return false
	}
	l.gathering.add(event)
	l.last++ // as the listener counts
	if !l.closed {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// run posts until the lane is closed.
func (l *lane) run() {
	defer close(l.ended)
	var b batch
	for range l.wake {
		last := l.takeOver(&b)
		if b.len() == 0 {
			continue
		}
		l.sender.count(func(s *SenderStats) { s.UnderWay += b.len() })
		taken := l.deliver(&b)
		l.sender.count(func(s *SenderStats) {
			s.UnderWay -= b.len()
			if taken {
				s.Taken += uint64(b.len())
			}
		})
		l.report(result{last, taken})
		b.reset()
	}
}

// takeOver swaps what has gathered with an empty batch.
func (l *lane) takeOver(b *batch) (last uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gathering, *b = *b, l.gathering
	if l.refused {
		l.refused = false
		l.sender.options.Do(l.listener.Resume)
	}
	return l.last
}

// report has the loop learn of a result.
func (l *lane) report(r result) {
	l.mu.Lock()
	l.results = append(l.results, r)
	l.mu.Unlock()
	l.sender.options.Do(l.settle)
	select {
	case l.sender.settled <- struct{}{}:
	default:
	}
}

// settle tells the listener, on the loop, what has become of its events.
func (l *lane) settle() {
	l.mu.Lock()
	results := l.results
	l.results = nil
	l.mu.Unlock()
	for _, r := range results {
		if r.taken {
			_ = l.listener.Ack(r.last) // it was sent
		} else {
			_ = l.listener.Fail(r.last)
		}
	}
}

// deliver posts a batch until the hook has taken it, or it was given up.
func (l *lane) deliver(b *batch) (taken bool) {
	s, began, tries := l.sender, time.Now(), 0
	for !s.passed.Load() {
		wait, why := s.admit(), "the hook is away"
		if wait == 0 {
			if tries++; tries > 1 {
				b.mark()
				s.count(func(stats *SenderStats) { stats.Retries++ })
			}
			a, err := s.post(b)
			why = s.reason(a, err)
			switch {
			case err == nil && a.IsGood():
				return true
			case s.passed.Load():
				return false
			case err == nil && !a.IsAway():
				if s.bury(b, why) != nil {
					s.lose(b.len())
				}
				return false
			}
			wait = max(jitter(backOff(tries)), a.RetryAfter)
		}
		stopped, left := s.isStopped(), s.options.Retry-time.Since(began)
		if s.passed.Load() {
			return false
		}
		if stopped || left <= 0 {
			switch {
			case s.bury(b, why) == nil:
				return false
			case stopped:
				s.lose(b.len())
				return false
			}
			left = wait // there may be room on the disk later
		}
		s.pause(min(wait, left))
	}
	return false
}

// close ends the goroutine, once nothing is under way.
func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	close(l.wake)
	l.mu.Unlock()
	<-l.ended
}

// buryRest writes what the listener still has to the dead letters.
func (l *lane) buryRest(why string) {
	var rest batch
	for {
		before := l.lastSent()
		l.listener.Resume()
		_ = l.listener.Fail(l.lastSent()) // then it is sent more
		if l.lastSent() > before {
			continue
		}
		if l.takeOver(&rest); rest.len() == 0 {
			return
		}
		if l.sender.bury(&rest, why) != nil {
			l.sender.lose(rest.len())
		}
		rest.reset()
	}
}

// lastSent is the number of the last event that was taken over from the listener.
func (l *lane) lastSent() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}
