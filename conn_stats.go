package lineman

import (
	"sync/atomic"
	"time"
)

// Stats are the counters of a loop since its start.
type Stats struct {
	Conns       int    // open now
	Accepted    uint64 // connections accepted
	Rejected    uint64 // of these, connections that OnAccept refused
	MessagesIn  uint64 // messages and requests delivered to callbacks
	BytesIn     uint64 // read
	BytesOut    uint64 // written
	Refused     uint64 // messages that Send refused with ErrFull
	Invalid     uint64 // messages given to OnInvalid
	Panics      uint64 // panics recovered
	Slow        uint64 // callbacks that took longer than 100 ms
	Shortages   uint64 // times that accepting paused for want of descriptors or memory
	Datagrams   uint64 // datagrams received
	Timers      int    // timers set now
	Listeners   int    // listening sockets open now
	MessagesOut uint64 // messages accepted by Send, or broadcast; counted when their connection is next written to
}

// Stats are the loop's counters.
func (l *Loop) Stats() Stats {
	s := l.stats
	s.Conns, s.Timers, s.Listeners, s.Refused = l.live, len(l.timers), len(l.sockets), l.refused.Load()
	s.BytesOut += l.bytesOut.Load()
	s.MessagesOut += l.messagesOut.Load()
	return s
}

// ConnStats are the counters of a connection.
type ConnStats struct {
	BytesIn, BytesOut       uint64 // read from and written to the kernel
	MessagesIn, MessagesOut uint32 // delivered to callbacks, accepted by Send
	Refused                 uint32 // messages that Send refused with ErrFull
	Pending                 int    // bytes accepted and not yet taken by the kernel

	// RoundTrip is how long the last answered Ping took, from the call to its pong; 0 before. A ping with the payload
	// of one that is under way cannot be told from it.
	RoundTrip time.Duration
}

// Stats are the connection's counters. What came in is exact on the loop only.
func (c *Conn) Stats() ConnStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return ConnStats{
		BytesIn: c.in.bytes.count(), BytesOut: c.out.bytes,
		MessagesIn: atomic.LoadUint32(&c.in.messages), MessagesOut: c.accepted,
		Refused: c.extra.refusedLocked(), Pending: c.out.acceptedLocked(c), RoundTrip: c.extra.roundTripLocked(),
	}
}

// Pending is how many bytes were accepted by Send and not yet taken by the kernel.
func (c *Conn) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.acceptedLocked(c)
}

// acceptedLocked is what waits for the kernel, or for the next attempt to connect, with lock held.
func (w *writer) acceptedLocked(c *Conn) int {
	n := w.pendingLocked(c)
	if d := c.link.dialing(); d != nil && d.kept != nil {
		n += d.kept.Len()
	}
	return n
}

// pendingLocked is what waits for the kernel, with lock held.
func (w *writer) pendingLocked(c *Conn) (n int) {
	if w.queue != nil {
		n = w.queue.Len()
	}
	n += c.transport().unsent()
	if d := c.link.dialing(); d != nil {
		n += len(d.request)
	}
	if x := c.extra; x != nil && x.piped != nil {
		n += x.piped.Len()
	}
	return n
}
