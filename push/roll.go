package push

import (
	"errors"
	"maps"
	"slices"
	"time"
)

// A Roll is a list of who is there in the whole cluster. Hub.Roll begins it.
type Roll uint8

// The rolls.
const (
	RollUIDs     Roll = iota // the uids that have a connection
	RollChannels             // the channels that have a subscriber
	rolls
)

// defaultRollDelay is Options.RollDelay where nothing is said.
const defaultRollDelay = 5 * time.Second

// ErrRollOff is that of ListRoll.
var ErrRollOff = errors.New("push: this roll is off: begin it by Roll")

func (r Roll) String() string { return [...]string{"uids", "channels"}[r] }

// target is what the names of a roll are present in. No user can name it, as no connection is called so.
func (r Roll) target() Target { return Target(connPrefix + r.String()) }

// rollOf is the roll that sets of a kind are in.
func rollOf(k Kind) (r Roll, ok bool) {
	switch k {
	case ToUID:
		return RollUIDs, true
	case ToChannel:
		return RollChannels, true
	}
	return 0, false
}

// kind is that of the sets that are in the roll.
func (r Roll) kind() Kind { return [...]Kind{ToUID, ToChannel}[r] }

// rollState is what a Hub has of a Roll: what it tells its own program, and what it says to other nodes.
type rollState struct {
	told *toldRoll // nil while the roll is off
	caller
}

// toldRoll is a roll as RollChanged has told it. A name that goes is told some time later, unless it comes back:
//
//	absent ── it comes: told ──▶ here ── it goes ──▶ gone ── RollDelay: told ──▶ absent
//	                              ▲──── it comes ─────┘
//
// So it does not matter why a name goes and comes: a page is loaded again, its node dies, a link breaks.
type toldRoll struct {
	names   map[string]struct{} // here and gone
	gone    map[string]int      // of these, who is gone, and the departure that it is in
	last    int                 // departure
	due     map[int]time.Time   // when those of a departure are told
	leaving []string            // those that no timer runs for yet

	read    bool  // the names that were there at the beginning are in it
	behind  bool  // the link has broken, and what has changed since is not read yet
	failed  error // why they cannot be read, up to the next try
	waiting []func(names []string, err error)
}

func newToldRoll() *toldRoll {
	return &toldRoll{
		names: make(map[string]struct{}), gone: make(map[string]int), last: 1, due: make(map[int]time.Time),
	}
}

// Roll begins a roll, or ends it: RollChanged is told of it from then on, or no longer. Who is there when it begins is
// not told one by one: ListRoll has them. While no node has a roll on, nothing is kept of it, nor sent. It does nothing
// without Options.RollChanged, and where it is so already.
func (h *Hub[C]) Roll(r Roll, on bool) {
	s := &h.rolls[r]
	if h.options.RollChanged == nil || on == (s.told != nil) {
		return
	}
	switch {
	case !on:
		h.endRoll(r)
	case h.isAlone():
		s.told, s.says = newToldRoll(), true
		s.told.read = true
		for name := range h.sets[r.kind()] {
			s.told.names[name] = struct{}{}
		}
	default:
		s.told = newToldRoll()
		h.callRoll(r)
	}
}

func (h *Hub[C]) endRoll(r Roll) {
	s := &h.rolls[r]
	ended := s.told
	s.told = nil
	if h.isAlone() {
		s.says = false
	} else {
		h.uncallRoll(r)
	}
	ended.answer(ErrRollOff)
}

// ListRoll tells all who are there now, in order: as RollChanged has told it, so what that tells after the call of done
// is newer. done is called on the loop, perhaps before ListRoll returns, with ErrRollOff, ErrUnlinked, ErrUnanswered,
// ErrClosed or, if the Broker may not tell, ErrNoPresence if that is not known. Where the roll has just begun, it waits
// for what other nodes say.
func (h *Hub[C]) ListRoll(r Roll, done func(names []string, err error)) {
	told := h.rolls[r].told
	switch {
	case h.closed:
		done(nil, ErrClosed)
	case told == nil:
		done(nil, ErrRollOff)
	case told.read:
		done(sorted(told.names), nil)
	case !h.linked:
		done(nil, ErrUnlinked)
	case told.failed != nil:
		done(nil, told.failed)
	default:
		told.waiting = append(told.waiting, done)
	}
}

// answer answers those who wait for the list.
func (t *toldRoll) answer(err error) {
	waiting := t.waiting
	t.waiting = nil
	for _, done := range waiting {
		if err != nil {
			done(nil, err)
		} else {
			done(sorted(t.names), nil)
		}
	}
}

// rolled notes that a name has come or gone. What comes while the beginning is being read is in what is read.
func (h *Hub[C]) rolled(r Roll, name string, here bool) {
	told := h.rolls[r].told
	switch {
	case told == nil || !told.read:
	case here:
		h.cameTo(r, name)
	default:
		h.goneFrom(r, name)
	}
}

// goneFrom notes that a name has gone.
func (h *Hub[C]) goneFrom(r Roll, name string) {
	told := h.rolls[r].told
	_, known := told.names[name]
	if _, gone := told.gone[name]; gone || !known {
		return
	}
	told.gone[name] = told.last
	told.leaving = append(told.leaving, name)
	if len(told.leaving) == 1 { // one timer for all that go in one tick
		h.options.Do(func() { h.leaveRollLater(r, told) })
	}
}

// cameTo notes that a name has come.
func (h *Hub[C]) cameTo(r Roll, name string) {
	told := h.rolls[r].told
	if _, known := told.names[name]; known {
		delete(told.gone, name)
		return
	}
	told.names[name] = struct{}{}
	h.options.RollChanged(r, name, true)
}

func (h *Hub[C]) leaveRollLater(r Roll, told *toldRoll) {
	leaving, departure := told.leaving, told.last
	told.leaving = nil
	told.last++
	h.leaveRoll(r, told, leaving, departure, h.options.RollDelay)
}

// leaveRoll tells of some names that they have gone when they have not come back.
func (h *Hub[C]) leaveRoll(r Roll, told *toldRoll, leaving []string, departure int, delay time.Duration) {
	told.due[departure] = time.Now().Add(delay)
	h.options.After(delay, func() {
		delete(told.due, departure)
		for _, name := range leaving {
			if h.closed || h.rolls[r].told != told || told.behind { // compare begins anew
				return
			}
			if told.gone[name] == departure {
				delete(told.gone, name)
				delete(told.names, name)
				h.options.RollChanged(r, name, false)
			}
		}
	})
}

// unseenFor is how long a name that is missing after a break of the link may take to be seen again: its node may not
// have noticed yet that its own link is broken, too.
const unseenFor = 10 * time.Second

// compare tells what has changed in what was not told while it could not be heard, or notes who is there at the
// beginning.
func (h *Hub[C]) compare(r Roll, there Presence) {
	told := h.rolls[r].told
	told.behind = false
	if !told.read {
		told.read = true
		for name := range there.Users {
			told.names[name] = struct{}{}
		}
		return
	}
	departure := told.last
	told.last++
	var leaving []string
	for name := range told.names {
		if _, here := there.Users[name]; !here {
			told.gone[name] = departure
			leaving = append(leaving, name)
		}
	}
	if slices.Sort(leaving); len(leaving) > 0 {
		h.leaveRoll(r, told, leaving, departure, max(h.options.RollDelay, unseenFor))
	}
	for _, name := range slices.Sorted(maps.Keys(there.Users)) {
		h.cameTo(r, name)
	}
}
