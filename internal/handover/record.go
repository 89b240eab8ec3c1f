package handover

import "net/netip"

// A Record is a connection as bytes. Its descriptor comes along.
type Record struct {
	ID     uint64
	Loop   int    // index of its loop in the predecessor
	Worker string // whose callbacks it has, by name
	Origin string // whose listener accepted it; empty: the same
	Kind   string // of session: "raw", "codec", "websocket", "http"

	Peer   netip.AddrPort // without a zone; invalid for a Unix socket
	Zone   string         // of Peer
	Client netip.Addr     // behind a proxy, without a zone; invalid without one
	Local  string         // the address of this end, if the descriptor does not tell, as that of a relay

	Paused, Full, Pinged bool
	Held                 uint16
	Since, Touched       uint32 // ages of limits, in ticks

	BytesIn, BytesOut uint64
	MessagesIn        uint32
	Accepted, Refused uint32 // messages to send

	Session []byte // what its session keeps
	Unread  []byte
	Unsent  []byte
	Value   []byte // what the application keeps
	TLS     []byte // what a relay tells of the handshake; empty without TLS
}

// A State is what a loop of the predecessor keeps beside connections.
type State struct {
	Worker string
	Loop   int
	Value  []byte
}
