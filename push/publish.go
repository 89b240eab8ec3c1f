package push

import (
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
)

// Message is something to publish.
type Message[C Conn] struct {
	To     []Target
	Data   []byte     // what connections get, byte by byte; the Hub may keep it
	Except *Member[C] // gets nothing: who sent it, for example; nil means nobody
}

// Outcome is what became of a Message.
type Outcome struct {
	Reached int   // connections that accepted it, each counted once on its node
	Err     error // some node may not have got it
}

// Publish sends a message to the connections that its targets name, on every node. A connection that several of them name gets
// it once. done, unless it is nil, is called on the loop with the outcome, perhaps before Publish returns. An error means that
// nothing was sent: the message itself is wrong.
//
// What one goroutine publishes, one after the other, every connection gets in that order; and all connections of a uid, a group or
// a channel get what is published for it in one order.
func (h *Hub[C]) Publish(m Message[C], done func(Outcome)) error {
	if err := h.check(m); err != nil {
		return err
	}
	h.flush() // the broker knows who is there before it is told what for
	h.last++
	p := Publication{Node: h.node, Number: h.last, Several: len(m.To) > 1, Data: m.Data}
	if m.Except != nil {
		p.Except = m.Except.conn.ID()
	}
	o := &Outcome{}
	h.pending[p.Number] = o
	left := len(m.To)
	for _, t := range m.To {
		h.link.Publish(string(t), p, func(others int, err error) {
			o.Reached += others
			o.Err = errors.Join(o.Err, err)
			if left--; left > 0 {
				return
			}
			delete(h.pending, p.Number)
			if done != nil {
				done(*o)
			}
		})
	}
	return nil
}

func (h *Hub[C]) check(m Message[C]) error {
	if len(m.To) == 0 {
		return errors.New("push: a message has no target")
	}
	for i, t := range m.To {
		if err := t.Check(); err != nil {
			return err
		}
		if slices.Contains(m.To[:i], t) {
			return fmt.Errorf("push: target %q is named twice", t)
		}
		if most := h.most(t); len(m.Data) > most {
			return fmt.Errorf("%w: a message for %q has %d bytes, at most %d are allowed", ErrLimit, t, len(m.Data), most)
		}
	}
	return nil
}

// most is how long a message for a target may be.
func (h *Hub[C]) most(t Target) int {
	if kind, name := t.Split(); kind == ToChannel {
		if n := h.namespace(name).MaxMessage; n > 0 {
			return n
		}
	}
	return h.options.MaxMessage
}

// deliver hands a publication to the connections of this node that a topic names.
func (h *Hub[C]) deliver(topic string, p Publication) int {
	s := h.find(Target(topic))
	if s == nil {
		return 0
	}
	mark := uint64(0)
	if p.Several {
		mark = p.mark()
	}
	except := uint64(0)
	if p.Node == h.node {
		except = p.Except
	}
	n := h.options.Fanout(func(yield func(C) bool) {
		for _, m := range s.members {
			if p.Several {
				if m.last == mark {
					continue
				}
				m.last = mark
			}
			if except != 0 && m.conn.ID() == except {
				continue
			}
			if !yield(m.conn) {
				return
			}
		}
	}, p.Data)
	if o := h.pending[p.Number]; o != nil && p.Node == h.node {
		o.Reached += n
	}
	return n
}

// mark tells a publication from others, of any node.
func (p Publication) mark() uint64 {
	f := fnv.New64a()
	_, _ = f.Write([]byte(p.Node)) // it never fails
	return f.Sum64() ^ p.Number*0x9e3779b97f4a7c15
}

// want notes that what is published for a topic concerns this node.
func (h *Hub[C]) want(topic string) {
	if i := slices.Index(h.dropped, topic); i >= 0 {
		h.dropped = slices.Delete(h.dropped, i, i+1)
		return
	}
	h.change()
	h.wanted = append(h.wanted, topic)
}

// drop notes that it no longer does.
func (h *Hub[C]) drop(topic string) {
	if i := slices.Index(h.wanted, topic); i >= 0 {
		h.wanted = slices.Delete(h.wanted, i, i+1)
		return
	}
	h.change()
	h.dropped = append(h.dropped, topic)
}

// batch is how many changes are told to the broker at once.
const batch = 256

// change has the broker be told soon.
func (h *Hub[C]) change() {
	switch len(h.wanted) + len(h.dropped) {
	case 0:
		h.options.Do(h.flush)
	case batch:
		h.flush()
	}
}

// flush tells the broker what this node wants from now on.
func (h *Hub[C]) flush() {
	if len(h.wanted) > 0 {
		wanted := h.wanted
		h.wanted = nil
		h.link.Subscribe(wanted, func(error) {}) // a link that is down subscribes when it is up
	}
	if len(h.dropped) > 0 {
		dropped := h.dropped
		h.dropped = nil
		h.link.Unsubscribe(dropped)
	}
}
