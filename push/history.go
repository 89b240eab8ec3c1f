package push

import (
	"errors"
	"fmt"
	"time"
)

// A HistoryLink is a Link whose Broker keeps history: it gives each publication for a target that keeps history, by
// Node.Retain, the next offset of this target, where it makes their order. Every node is delivered the same
// Positions. A Hub asks once, when it joins, whether its Link is one; a Link that is none ignores Node.Retain.
type HistoryLink interface {
	Link

	// History reads what is kept of a target. It sees what the node has published for it before. done is called with
	// ErrClosed, ErrUnlinked or ErrUnanswered if that is not known.
	History(of Target, r Range, done func(History, error))

	// Forget removes what is kept of targets. Their offsets go on. done is called when it is done, with an error as
	// that of History.
	Forget(of []Target, done func(error))
}

// Class is how much of its history a client needs that comes back.
type Class uint8

// The classes.
const (
	Stream Class = iota // all that it has missed
	Latest              // the last one only: prices, states
)

// Retention is what is kept of what is published for a target. The zero value keeps nothing.
type Retention struct {
	Size  int           // messages, at most; 0 means none, and for Latest one
	TTL   time.Duration // for how long; 0 means without an end
	Bytes int           // of the messages, at most; 0 means any number
	Class Class
}

// Messages is how many messages are kept, at most; 0 means that nothing is.
func (r Retention) Messages() int {
	if r.Class == Latest {
		return 1
	}
	return max(r.Size, 0)
}

// keeps reports whether anything is kept.
func (r Retention) keeps() bool { return r.Messages() > 0 }

// Range is which part of a history is read.
type Range struct {
	Since Position // what came after it, from the oldest on; the zero value means the last ones
	Limit int      // messages, at most; 0 means none, only the top
	Bytes int      // of these, at most, but one message is told in any case; 0 means any number
}

// History is what was read: messages in the order of their Positions, without a hole between them.
type History struct {
	Messages []Stored
	Top      Position // of the newest publication for the target, whether it is kept or not

	// Gap is why not all that came after Range.Since can be told: then there are no Messages. Of a target of the class
	// Latest the last one is enough, and there is a gap only if that is not kept.
	Gap Gap
}

// Stored is a publication that is kept. Its Data must not be changed.
type Stored struct {
	Position Position
	At       time.Time // when it was published
	Data     []byte

	Forms *Forms // of what is published now, as Options.Fanout gets them; else nil
}

// Errors of history.
var (
	// ErrNoHistory matches the error of History and Forget for a target of which nothing is kept by the options.
	ErrNoHistory = errors.New("push: no history is kept")
	// errNoHistoryLink is that of New.
	errNoHistoryLink = errors.New("push: this broker keeps no history: leave it out of the options")
)

// defaultHistoryBytes is Options.HistoryBytes where nothing is said.
const defaultHistoryBytes = 64 << 20

// retention is what is kept of a target by the options.
func (h *Hub[C]) retention(t Target) Retention { return h.retentionOf(t.Split()) }

func (h *Hub[C]) retentionOf(k Kind, name string) Retention {
	switch k {
	case ToUID:
		return h.options.UIDHistory
	case ToGroup:
		return h.options.GroupHistory
	case ToChannel:
		return h.namespace(name).History
	}
	return Retention{}
}

// keepsHistory reports whether anything is kept of any target.
func (o *Options[C]) keepsHistory() bool {
	for _, n := range o.Namespaces {
		if n.History.keeps() {
			return true
		}
	}
	return o.UIDHistory.keeps() || o.GroupHistory.keeps()
}

// History reads what is kept of a target, on whatever node it was published. done is called on the loop, perhaps before
// History returns: with ErrUnlinked or ErrClosed nothing was read. An error of History itself is about the target:
// ErrNoHistory, or it cannot be.
func (h *Hub[C]) History(of Target, r Range, done func(History, error)) error {
	if err := h.checkHistory(of); err != nil {
		return err
	}
	h.history.History(of, r, done)
	return nil
}

// Forget removes what is kept of some targets. done and the error are as those of History.
func (h *Hub[C]) Forget(of []Target, done func(error)) error {
	if len(of) > MaxTargets {
		return tooManyTargets(len(of))
	}
	for _, t := range of {
		if err := h.checkHistory(t); err != nil {
			return err
		}
	}
	h.history.Forget(of, done)
	return nil
}

// checkHistory tells whether there can be history of a target.
func (h *Hub[C]) checkHistory(t Target) error {
	if err := t.Check(); err != nil {
		return err
	}
	if !h.retention(t).keeps() {
		return fmt.Errorf("%w of %q", ErrNoHistory, t)
	}
	return nil
}
