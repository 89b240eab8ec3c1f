// Package grace divides the grace period of a process, the time that it has to end in: among the application, goodbyes
// and a reserve.
package grace

import "time"

// A Period is the time until a process is killed. A negative one has no end, and neither have its parts.
// Fields of Master set it: StopTimeout, ReloadTimeout and GracefulTimeout.
//
// When the program stops:
//
//	0                     ¾ of Stop           Stop, 9/10        the period
//	├── drain ────────────────┤                   ├── reserve ──┤ kill
//	└── goodbyes, when the drain is over ─────────┘
//
// When another process takes over; Last is a quarter, and at most 5 s:
//
//	0                     ¾    Begun          ¾ of Last         the period
//	├── drain ────────────┤      ├── goodbyes ────┼── reserve ──┤ kill
//	└── what was begun is finished                └── Goodbyes after Begun
//
// When its master has gone:
//
//	0                     OrphanStop           Orphan           OrphanGone
//	└── goodbyes ─────────────┼── reserve ────────┤ exit        ┤ the next master has its addresses
type Period time.Duration

// None has no end.
const None Period = -1

// What a process whose master has gone may take.
const (
	Orphan     = Period(700 * time.Millisecond) // to exit
	OrphanStop = Orphan / 2                     // for its loop to end
	OrphanGone = Orphan + Orphan/2              // until its addresses are free, also on a busy machine
)

// lastWords is the most that there is for goodbyes, and for who is busy before it gets one.
const lastWords = 5 * time.Second

// Stop is the part in which a loop that stops has to end.
func (p Period) Stop() Period { return p.part(9, 10) }

// Drain is how long the application may end connections one by one, of the longest drain that a worker has.
func (p Period) Drain(longest time.Duration) time.Duration {
	if p < 0 {
		return longest
	}
	return min(longest, time.Duration(p.part(3, 4)))
}

// Last is the part at the end in which a loop that leaves says goodbye to who is still there.
func (p Period) Last() Period {
	if p < 0 {
		return None
	}
	return min(p/4, Period(lastWords))
}

// Begun is the part before Last, in which what was begun is finished. The Period has an end.
func (p Period) Begun() time.Duration { return time.Duration(p - p.Last()) }

// Goodbyes is the part of Last in which the loop has to end.
func (p Period) Goodbyes() Period { return p.Last().part(3, 4) }

// Patience is how long a loop that stops leaves connections alone that are busy. The Period has an end.
func (p Period) Patience() time.Duration { return min(time.Duration(p)/2, lastWords) }

// part is a fraction of the period.
func (p Period) part(n, of Period) Period {
	if p < 0 {
		return None
	}
	return p * n / of
}

// What there is beside a drain.
const (
	besideStop   = 5 * time.Second
	besideReload = 2 * time.Second
)

// ForStop is a period for a stop that leaves room for a drain.
func ForStop(drain time.Duration) time.Duration { return besideStop + max(drain, 0)*4/3*10/9 }

// ForReload is a period for a reload that leaves room for a drain.
func ForReload(drain time.Duration) time.Duration { return besideReload + max(drain, 0)*4/3 }
