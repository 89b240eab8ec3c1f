package push

import (
	"errors"
	"math"
	"time"
)

// In a cluster a roll is presence: each node has its names enter a reserved target, as long as any node asks for that.
// Who asks is presence too, of the names of rolls in the target rollCalls, which all nodes have subscribed to. So what
// a node has said and what it has asked for goes with it when it dies, and a link that breaks says it again.

// rollCalls is where the rolls that some node has on are present.
const rollCalls Target = connPrefix + "rolls"

// caller is what a node says of a roll to others. Where the Hub is alone, it says it to itself.
//
//	silent ── a node asks ──▶ says: all names that there are, and who comes and goes
//	   ▲── nobody asks for callsFor ──┘
type caller struct {
	asked   bool // some node asks
	says    bool
	rests   int       // times that it has begun, or was to end
	until   time.Time // what it is to end at, if nobody asks
	changed []string  // names that have come or gone, and are not said yet
}

// callsFor is how long a node goes on when nobody asks any more. Who asked may be back in a moment, and everything
// would have to be said again.
const callsFor = 10 * time.Second

// hasRolls reports whether rolls of a cluster can be asked for.
func (h *Hub[C]) hasRolls() bool { return h.rollLink != nil }

// rollTopics are what a node subscribes to from the beginning, to hear which rolls are asked for.
func (h *Hub[C]) rollTopics() []Target {
	if !h.hasRolls() {
		return nil
	}
	return []Target{rollCalls}
}

// isRoll reports whether a target is one of those that rolls have.
func isRoll(t Target) bool {
	return t == rollCalls || t == RollUIDs.target() || t == RollChannels.target()
}

// enroll notes that a set has its first connection, or has lost its last one.
func (h *Hub[C]) enroll(s *set[C], here bool) {
	r, ok := rollOf(s.kind)
	switch {
	case !ok || !h.rolls[r].says:
	case h.isAlone():
		h.rolled(r, s.name, here)
	default:
		c := &h.rolls[r].caller
		if c.changed = append(c.changed, s.name); len(c.changed) == 1 {
			h.options.Do(func() { h.sayChanged(r) })
		}
	}
}

// sayChanged says who has come and gone in a tick: when the node has subscribed to what they get, so that who hears of
// them can publish for them.
func (h *Hub[C]) sayChanged(r Roll) {
	c := &h.rolls[r].caller
	changed := c.changed
	c.changed = nil
	if !c.says || h.closed {
		return
	}
	h.flush()
	for _, name := range changed {
		h.say(r, name, h.sets[r.kind()][name] != nil)
	}
}

func (h *Hub[C]) say(r Roll, name string, here bool) {
	if here {
		h.rollLink.Enter(r.target(), name, nil)
	} else {
		h.rollLink.Leave(r.target(), name)
	}
}

// beginSaying has this node say who is there.
func (h *Hub[C]) beginSaying(r Roll) {
	c := &h.rolls[r].caller
	c.rests++
	if c.says {
		return
	}
	c.says = true
	h.sayAll(r, true)
}

// endSaying ends that after some time, unless somebody asks.
func (h *Hub[C]) endSaying(r Roll) {
	c := &h.rolls[r].caller
	c.rests++
	h.restAfter(r, callsFor)
}

func (h *Hub[C]) restAfter(r Roll, delay time.Duration) {
	c := &h.rolls[r].caller
	rests := c.rests
	c.until = time.Now().Add(delay)
	h.options.After(delay, func() {
		if c.rests == rests && c.says && !c.asked {
			c.says = false
			h.sayAll(r, false)
		}
	})
}

// sayAll has all names enter, or leave.
func (h *Hub[C]) sayAll(r Roll, here bool) {
	h.flush()
	for _, name := range sorted(h.sets[r.kind()]) {
		h.say(r, name, here)
	}
	for _, name := range h.rolls[r].changed { // they may be among those that have gone
		if h.sets[r.kind()][name] == nil {
			h.say(r, name, false)
		}
	}
}

// rollEvent is told by the Broker who has come to the targets of rolls, and gone.
func (h *Hub[C]) rollEvent(in Target, e PresenceEvent) {
	for r := range rolls {
		switch in {
		case r.target():
			h.rolled(r, e.UID, e.Here)
		case rollCalls:
			if e.UID == r.String() {
				h.asksFor(r, e.Here)
			}
		}
	}
}

// asksFor notes whether any node asks for a roll.
func (h *Hub[C]) asksFor(r Roll, asked bool) {
	c := &h.rolls[r].caller
	c.asked = asked
	switch {
	case asked:
		h.beginSaying(r)
	case c.says:
		h.endSaying(r)
	}
}

// unlinkRolls notes that the link has broken: nobody has gone only because he cannot be heard.
func (h *Hub[C]) unlinkRolls() {
	for r := range rolls {
		if told := h.rolls[r].told; told != nil {
			told.behind = true
			told.answer(ErrUnlinked)
		}
	}
}

// relinkRolls finds out, when the link is up, what is asked for, and what has changed.
func (h *Hub[C]) relinkRolls() {
	if !h.hasRolls() {
		return
	}
	links := h.links
	h.rollLink.Present(rollCalls, int(rolls), func(p Presence, err error) {
		if err != nil || links != h.links { // it is asked again when the link is up again
			return
		}
		for r := range rolls {
			_, asked := p.Users[r.String()]
			h.asksFor(r, asked)
		}
	})
	for r := range rolls {
		if h.rolls[r].told != nil {
			h.readRoll(r, 0)
		}
	}
}

// callRoll begins a roll in the cluster.
func (h *Hub[C]) callRoll(r Roll) {
	h.link.Subscribe([]Target{r.target()}, func(error) {}) // a link that is down subscribes when it is up
	h.rollLink.Enter(rollCalls, r.String(), nil)
	if h.linked {
		h.readRoll(r, 0)
	}
}

// uncallRoll ends it, as far as this node is concerned.
func (h *Hub[C]) uncallRoll(r Roll) {
	h.link.Unsubscribe([]Target{r.target()})
	h.rollLink.Leave(rollCalls, r.String())
}

// How often, and how soon, it is tried to read a roll that could not be read whole.
const (
	rollTries      = 5
	rollTriedAgain = time.Second
)

// readRoll reads a roll when all nodes have said what they have. A node that does not answer may have much to say, and
// is asked once more; or it is dead, so that is not done for ever.
func (h *Hub[C]) readRoll(r Roll, tries int) {
	told, links := h.rolls[r].told, h.links
	isOver := func() bool { return h.rolls[r].told != told || links != h.links }
	_ = h.Ask(Question{Verb: callRoll, Name: r.String()}, func(_ Answer, err error) { // the question is right
		if errors.Is(err, ErrUnanswered) && tries < rollTries && !isOver() {
			h.readRoll(r, tries+1)
			return
		}
		h.rollLink.Present(r.target(), math.MaxInt32, func(p Presence, err error) {
			switch {
			case isOver() && err == nil: // the link has broken, and it is read again
			case isOver():
				told.answer(err)
			default:
				if told.failed = err; err == nil {
					h.compare(r, p)
				}
				told.answer(err)
				if errors.Is(err, ErrUnanswered) {
					h.readRollLater(r, isOver)
				}
			}
		})
	})
}

func (h *Hub[C]) readRollLater(r Roll, isOver func() bool) {
	h.options.After(rollTriedAgain, func() {
		if !isOver() {
			h.readRoll(r, 0)
		}
	})
}

// answerRollCall answers a node that asks for a roll, when the Broker has all names.
func (h *Hub[C]) answerRollCall(name string, reply func(Answer)) {
	for r := range rolls {
		if r.String() != name || !h.hasRolls() {
			continue
		}
		if h.beginSaying(r); !h.rolls[r].asked { // that will come, or who asks has died
			h.endSaying(r)
		}
		h.rollLink.CountPresent([]Target{r.target()}, func([]int, error) { reply(Answer{}) })
		return
	}
	reply(Answer{})
}
