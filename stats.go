package lineman

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
	MessagesOut uint64 // messages accepted by Send, of connections that have closed
}

// Stats are the loop's counters.
func (l *Loop) Stats() Stats {
	s := l.stats
	s.Conns, s.Timers, s.Listeners, s.Refused = l.live, len(l.timers), len(l.sockets), l.refused.Load()
	s.BytesOut = l.bytesOut.Load()
	return s
}
