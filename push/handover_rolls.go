package push

import (
	"maps"
	"time"

	"github.com/lineman-go/lineman/internal/fields"
)

// The fields of a roll.
const (
	fieldRollIs     = 1 // which one, and 1
	fieldRollOn     = 2
	fieldRollRead   = 3
	fieldRollBehind = 4
	fieldRollName   = 5 // once for each name that was told and has not gone
	fieldRollGone   = 6 // once for each that has gone, and was not told yet
	fieldRollAsked  = 7
	fieldRollSays   = 8
	fieldRollSaid   = 9  // once for each name that was said
	fieldRollEnds   = 10 // when that ends, in milliseconds; 0: not yet

	fieldGoneName = 1
	fieldGoneLeft = 2 // when it is told, in milliseconds
)

// appendRoll appends what a Hub has of a roll.
func (h *Hub[C]) appendRoll(dst []byte, r Roll) []byte {
	s := &h.rolls[r]
	dst = fields.Uint(dst, fieldRollIs, uint64(r)+1)
	if told := s.told; told != nil {
		dst = fields.Bool(dst, fieldRollOn, true)
		dst = fields.Bool(dst, fieldRollRead, told.read)
		dst = fields.Bool(dst, fieldRollBehind, told.behind)
		dst = told.appendNames(dst, h.options.RollDelay)
	}
	dst = fields.Bool(dst, fieldRollAsked, s.asked)
	if !s.says {
		return dst
	}
	dst = fields.Bool(dst, fieldRollSays, true)
	if !s.asked && !s.until.IsZero() {
		dst = fields.Uint(dst, fieldRollEnds, milliseconds(time.Until(s.until)))
	}
	for name := range h.sets[r.kind()] {
		dst = fields.Item(dst, fieldRollSaid, name)
	}
	for _, name := range s.changed {
		if h.sets[r.kind()][name] == nil {
			dst = fields.Item(dst, fieldRollSaid, name)
		}
	}
	return dst
}

// appendNames appends who is here, and who has gone. Of a departure that no timer runs for yet all of the delay is
// left.
func (t *toldRoll) appendNames(dst []byte, delay time.Duration) []byte {
	for name := range t.names {
		departure, gone := t.gone[name]
		if !gone {
			dst = fields.Item(dst, fieldRollName, name)
			continue
		}
		left := delay
		if due, runs := t.due[departure]; runs {
			left = time.Until(due)
		}
		dst = fields.Nested(dst, fieldRollGone, func(dst []byte) []byte {
			return fields.Uint(fields.Bytes(dst, fieldGoneName, name), fieldGoneLeft, milliseconds(left))
		})
	}
	return dst
}

// rollArriving is what a Hub has of a roll of a predecessor.
type rollArriving struct {
	said []string                   // names that may have lost their last connection
	gone map[time.Duration][]string // names that have gone, by when that is told
	ends time.Duration              // when it says no more; 0: not yet
}

// restoreRoll has a roll go on as that of a predecessor, if there may be rolls.
func (h *Hub[C]) restoreRoll(l HandoverLink, state []byte) error {
	had, told := rollArriving{gone: make(map[time.Duration][]string)}, newToldRoll()
	var is, on, read, behind, asked, says uint8
	flags := map[uint64]*uint8{
		fieldRollIs: &is, fieldRollOn: &on, fieldRollRead: &read, fieldRollBehind: &behind, fieldRollAsked: &asked,
		fieldRollSays: &says,
	}
	if err := fields.Each(state, fieldRollEnds, func(number uint64, value []byte) (err error) {
		switch flag := flags[number]; {
		case flag != nil:
			err = fields.Put(flag, value)
		case number == fieldRollName:
			told.names[string(value)] = struct{}{}
		case number == fieldRollGone:
			err = had.takeGone(value)
		case number == fieldRollSaid:
			had.said = append(had.said, string(value))
		case number == fieldRollEnds:
			err = putTime(&had.ends, value)
		}
		return err
	}); err != nil {
		return err
	}
	if is == 0 || Roll(is-1) >= rolls {
		return fields.ErrMalformed
	}
	if r := Roll(is - 1); h.options.RollChanged != nil {
		told.read, told.behind = read != 0, behind != 0
		h.goOnTelling(l, r, on != 0, told, had.gone)
		h.goOnSaying(l, r, asked != 0 || on != 0, says != 0, &had)
		h.arriving.rolls[r].add(&had)
	}
	return nil
}

func (a *rollArriving) takeGone(state []byte) error {
	var name string
	var left time.Duration
	err := fields.Each(state, fieldGoneLeft, func(number uint64, value []byte) (err error) {
		switch number {
		case fieldGoneName:
			name = string(value)
		case fieldGoneLeft:
			err = putTime(&left, value)
		}
		return err
	})
	a.gone[left] = append(a.gone[left], name)
	return err
}

// add takes in what another Hub of the predecessor had.
func (a *rollArriving) add(b *rollArriving) {
	a.said, a.ends = append(a.said, b.said...), max(a.ends, b.ends)
	if a.gone == nil {
		a.gone = make(map[time.Duration][]string)
	}
	for left, names := range b.gone {
		a.gone[left] = append(a.gone[left], names...)
	}
}

// goOnTelling has a roll that was on be on.
func (h *Hub[C]) goOnTelling(l HandoverLink, r Roll, on bool, told *toldRoll, gone map[time.Duration][]string) {
	if !on {
		return
	}
	for _, names := range gone {
		for _, name := range names {
			told.names[name], told.gone[name] = struct{}{}, 0
		}
	}
	if before := h.rolls[r].told; before != nil {
		maps.Copy(before.names, told.names)
		maps.Copy(before.gone, told.gone)
		return
	}
	h.rolls[r].told = told
	if !h.isAlone() {
		h.link.Subscribe([]Target{r.target()}, func(error) {}) // a link that is down subscribes when it is up
		l.Seat(rollCalls, r.String(), nil)
	}
}

// goOnSaying has the node go on to say who is there.
func (h *Hub[C]) goOnSaying(l HandoverLink, r Roll, asked, says bool, had *rollArriving) {
	c := &h.rolls[r].caller
	if h.isAlone() {
		c.says = h.rolls[r].told != nil
		return
	}
	c.asked = c.asked || asked
	if c.says = c.says || says; !says {
		return
	}
	for _, name := range had.said {
		l.Seat(r.target(), name, nil)
	}
}

// rollRestored has timers run, and names go whose connections have not crossed.
func (h *Hub[C]) rollRestored(r Roll, had *rollArriving) {
	s := &h.rolls[r]
	if told := s.told; told != nil {
		for left, names := range had.gone {
			told.leaveAgain(names)
			h.leaveRoll(r, told, names, told.last-1, left)
		}
		if !told.read {
			h.readRoll(r, 0)
		}
	}
	if !s.says {
		return
	}
	if had.ends > 0 && !s.asked {
		s.rests++
		h.restAfter(r, had.ends)
	}
	for _, name := range had.said {
		if h.sets[r.kind()][name] == nil {
			h.enroll(&set[C]{kind: r.kind(), name: name}, false)
		}
	}
}

// leaveAgain has names that have gone, and not come back since, be in a departure of their own.
func (t *toldRoll) leaveAgain(names []string) {
	for _, name := range names {
		if departure, gone := t.gone[name]; gone && departure == 0 {
			t.gone[name] = t.last
		}
	}
	t.last++
}
