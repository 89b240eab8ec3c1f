package server

import (
	"iter"
	"time"

	"github.com/lineman-go/lineman"
)

// heartbeats are the pages of level 1 that want a sign of life which a script can see, as browsers hide pings. Each
// second a part of them gets it, so that they do not all at once. Owned by the loop.
type heartbeats struct {
	parts [][]*heart // one for each second of the interval; none: nobody gets any
	next  int        // the part whose turn is next
	frame []byte
}

// heart is a page that gets heartbeats.
type heart struct {
	conn        *lineman.Conn
	part, index int
}

// newHeartbeats makes them for an interval, of which less than a second is none.
func newHeartbeats(interval time.Duration, frame []byte) heartbeats {
	return heartbeats{parts: make([][]*heart, interval/time.Second), frame: frame}
}

// interval is the time between two heartbeats of a page.
func (h *heartbeats) interval() time.Duration { return time.Duration(len(h.parts)) * time.Second }

// add has a page get heartbeats, the first one after an interval.
func (h *heartbeats) add(c *lineman.Conn) *heart {
	return h.addDue(c, len(h.parts))
}

// addDue is that with the first one due in so many seconds, or after an interval if that is less.
func (h *heartbeats) addDue(c *lineman.Conn, seconds int) *heart {
	if len(h.parts) == 0 {
		return nil
	}
	part := (h.next + min(max(seconds, 1), len(h.parts)) - 1) % len(h.parts)
	b := &heart{c, part, len(h.parts[part])}
	h.parts[part] = append(h.parts[part], b)
	return b
}

// dueIn is in how many seconds a page gets its next one.
func (h *heartbeats) dueIn(b *heart) int { return (b.part-h.next+len(h.parts))%len(h.parts) + 1 }

// remove ends that; nil does nothing.
func (h *heartbeats) remove(b *heart) {
	if b == nil {
		return
	}
	all := h.parts[b.part]
	last := len(all) - 1
	all[b.index] = all[last]
	all[b.index].index = b.index
	all[last] = nil
	h.parts[b.part] = all[:last]
}

// beat sends those whose turn it is. It is called every second.
func (h *heartbeats) beat(send func(to iter.Seq[*lineman.Conn], m outgoing) int) {
	if len(h.parts) == 0 {
		return
	}
	part := h.parts[h.next]
	h.next = (h.next + 1) % len(h.parts)
	send(func(yield func(*lineman.Conn) bool) {
		for _, b := range part {
			if !yield(b.conn) {
				return
			}
		}
	}, outgoing{text: h.frame})
}
