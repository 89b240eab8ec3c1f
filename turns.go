package lineman

import (
	"slices"
	"time"
)

// turns are the handshakes of TLS that a loop has under way for the connections of a worker. Each has a goroutine, and
// costs more than anything else that a peer can ask for by a few bytes: so there are at most so many at a time, and the
// other connections wait, unread. Owned by the loop.
//
//	the first bytes come        a turn is free          the handshake's goroutine has ended
//	─────────────────────▶ waits ───────────────▶ shakes ──────────────────────────────▶ the turn is free
type turns struct {
	most   int
	shakes []*Conn // whose handshake is under way
	waits  []*Conn // in the order of their first bytes; some may have closed
}

// brief is how long a turn may last while others wait for one: a peer that says no more must not keep them out.
const brief = uint32(2 * time.Second / tick)

// take gives c a turn, or has it wait for one.
func (t *turns) take(c *Conn) {
	if len(t.shakes) < t.most {
		t.begin(c)
		return
	}
	c.secure.queued = true
	t.waits = append(t.waits, c)
	c.rearm()
	if len(t.waits) == 1 {
		for _, busy := range t.shakes {
			busy.watch(brief)
		}
	}
}

func (t *turns) begin(c *Conn) {
	c.secure.queued = false
	c.secure.began = c.loop.ticks(c.loop.now)
	t.shakes = append(t.shakes, c)
	if len(t.waits) > 0 {
		c.watch(brief)
	}
	c.secure.shake(c, t)
	c.rearm()
}

// leave ends the turn of c, whose goroutine has ended, and gives it to the next.
func (t *turns) leave(c *Conn) {
	if i := slices.Index(t.shakes, c); i >= 0 {
		t.shakes = slices.Delete(t.shakes, i, i+1)
	}
	for len(t.waits) > 0 && len(t.shakes) < t.most {
		next := t.waits[0]
		t.waits = slices.Delete(t.waits, 0, 1)
		if next.phase.get() == open {
			t.begin(next)
		}
	}
}
