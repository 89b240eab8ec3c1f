// Package websocket is the server's side of WebSocket (RFC 6455) as a pure codec: the check of a handshake whose HTTP
// head was parsed elsewhere, the frames after it, and the goodbye.
//
// Extensions are not negotiated yet, so the reserved bits of a frame must be zero.
package websocket

import (
	"time"

	"github.com/lineman-go/lineman/protocol"
)

// Protocol is WebSocket with its options. The zero value is ready: pages of the same host and programs may connect.
type Protocol struct {
	// Origins are further origins whose pages may connect, beside those of the host that the page asks for (ports are
	// not compared, and loopback names are equal to each other): "https://example.com", "https://*.example.com" for
	// any name below it, "null" for pages opened from a file, "*" for all. A request without an Origin is a program's
	// and always allowed.
	Origins []string

	// Subprotocols that the server speaks, the one it likes best first; at most 255. The first that the client offers
	// too is agreed on; if there is none, none.
	Subprotocols []string

	// PingInterval is how long a connection may send nothing before it is pinged. 0 or less: never.
	PingInterval time.Duration

	// PongTimeout is how long after a ping it may go on sending nothing before it is closed. 0 means 10 s; less: for
	// ever.
	PongTimeout time.Duration
}

// Name is "websocket".
func (*Protocol) Name() string { return "websocket" }

// NewCodec makes the *Codec of one connection, as it is after the handshake. maxMessage counts the payload of a whole
// message.
func (*Protocol) NewCodec(maxMessage int) protocol.Codec { return &Codec{max: maxMessage} }
