package events

import "slices"

// item is an event that a group has not done with.
type item struct {
	text    []byte      // without its last brace; shared by all groups
	binding *binding    // nil: it is for this listener alone
	done    *completion // nil: nobody waits for it
	from    *inflow     // the node that relays it; nil: it is of this one
	number  uint64      // that it has there
	at      int64       // when it came, in milliseconds of Unix time
	again   bool        // it was sent to a listener that has gone, or the page says it again
}

// conn is the Target of the connection; empty if it is about none.
func (it *item) conn() string {
	if it.binding == nil {
		return ""
	}
	return it.binding.conn
}

// queue is a first-in-first-out queue of items.
type queue struct {
	items []item
	first int // index of the first one: those before it are zero
	bytes int
}

func (q *queue) len() int { return len(q.items) - q.first }

func (q *queue) at(i int) *item { return &q.items[q.first+i] }

// remove takes items out from the i-th on.
func (q *queue) remove(i int, which func(*item) bool) {
	tail := q.items[q.first+i:]
	kept := slices.DeleteFunc(tail, func(it item) bool {
		gone := which(&it)
		if gone {
			q.bytes -= len(it.text)
		}
		return gone
	})
	q.items = q.items[:q.first+i+len(kept)]
}

func (q *queue) push(it item) {
	if q.first > 0 && len(q.items) == cap(q.items) && q.first >= q.len() {
		n := copy(q.items, q.items[q.first:])
		clear(q.items[n:])
		q.items, q.first = q.items[:n], 0
	}
	q.items = append(q.items, it)
	q.bytes += len(it.text)
}

// maxIdle is how many places an empty queue keeps.
const maxIdle = 1024

func (q *queue) pop() item {
	it := q.items[q.first]
	q.items[q.first] = item{}
	q.first++
	q.bytes -= len(it.text)
	if q.first == len(q.items) {
		q.items, q.first = q.items[:0], 0
		if cap(q.items) > maxIdle {
			q.items = nil
		}
	}
	return it
}

// completion is what waits until all groups have done with an event.
type completion struct {
	left    int
	err     error // the first one
	done    func(error)
	receipt string // that of the Event
}

// settle notes that one of them has.
func (c *completion) settle(err error) {
	if c == nil {
		return
	}
	if c.err == nil {
		c.err = err
	}
	if c.left--; c.left == 0 {
		c.done(c.err)
	}
}

// binding has the events of a connection go to one listener of a group.
type binding struct {
	conn     string    // the Target; empty: it is that of events about no connection
	listener *Listener // nil: there was none
	items    int       // events that were not done with
	gone     bool      // the connection has closed
}
