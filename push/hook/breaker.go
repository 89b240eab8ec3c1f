package hook

import "time"

// breaker is a circuit breaker: when several requests in a row have failed, there are none for a while. Then one tries.
// It has no lock: who shares it has one. The zero breaker is closed.
//
//	          tolerated failures in a row         pause is over
//	closed ─────────────────────────────▶ open ────────────────▶ half open: one request tries
//	  ▲                                    ▲                        │            │
//	  └────────────────────────────────────┼───── it succeeds ──────┘            │
//	                                       └── it fails: twice the pause ────────┘
type breaker struct {
	failures int           // in a row
	pause    time.Duration // 0: closed
	until    time.Time     // when the pause is over
	trying   bool          // half open
}

const (
	tolerated    = 5 // failures in a row that open the breaker
	firstPause   = time.Second
	longestPause = 30 * time.Second
)

// allow reports whether a request may be made. Each that may is told to done.
func (b *breaker) allow(now time.Time) bool {
	switch {
	case b.pause == 0:
		return true
	case b.trying || now.Before(b.until):
		return false
	}
	b.trying = true
	return true
}

// isOpen reports whether a request would be refused.
func (b *breaker) isOpen(now time.Time) bool { return b.pause > 0 && (b.trying || now.Before(b.until)) }

// done notes how a request has ended, and reports whether the breaker has opened, or closed, by it.
func (b *breaker) done(now time.Time, failed bool) (changed bool) {
	switch {
	case !failed:
		changed = b.pause > 0
		*b = breaker{}
	case b.trying:
		b.trying, b.pause = false, min(2*b.pause, longestPause)
		b.until = now.Add(b.pause)
	case b.pause == 0:
		if b.failures++; b.failures >= tolerated {
			b.pause, b.until, changed = firstPause, now.Add(firstPause), true
		}
	}
	return changed
}
