// Package websocket is WebSocket (RFC 6455) as a pure codec: the handshake, the frames after it, and the goodbye. Of
// the extensions it speaks permessage-deflate (RFC 7692).
//
// The server's side begins with Protocol.Check, for a request whose HTTP head was parsed elsewhere, AppendAccept and
// NewServerCodec. The client's side begins with Handshake and NewClientCodec.
package websocket

import (
	"time"

	"github.com/lineman-go/lineman/protocol"
)

// Protocol is WebSocket with its options. The zero value is ready: pages of the same host and programs may connect.
type Protocol struct {
	// Origins are further origins whose pages may connect, beside those of the host that the page asks for (loopback
	// names are equal to each other; where the client speaks TLS, they have to be pages of https):
	// "https://example.com", "https://*.example.com" for any name below it, "null" for pages opened from a file, "*"
	// for all. A request without an Origin is a program's and always allowed.
	Origins []string

	// MoreOrigins are further ones for one request: that of a server whose pages differ by their paths, for example. A
	// Request of a Worker has the method Path of *http1.Request. nil: none.
	MoreOrigins func(r Request) []string

	// SamePort has pages of the host be of the port, too, that they ask for: others have to be among Origins. It is for
	// credentials that a browser sends by itself: cookies are the same for all ports of a host.
	SamePort bool

	// Subprotocols that this side speaks, the one it likes best first: the first that the client offers too is
	// agreed on; if there is none, none. A client that is dialed offers them all.
	Subprotocols []string

	// PingInterval is how long a connection may send nothing before it is pinged. 0 or less: never.
	PingInterval time.Duration

	// PongTimeout is how long after a ping it may go on sending nothing before it is closed. 0 means 10 s; less: for
	// ever.
	PongTimeout time.Duration

	// Compression of messages, if the peer can do it too. nil: never.
	Compression *Compression
}

// Name is "websocket".
func (*Protocol) Name() string { return "websocket" }

// NewCodec makes the *Codec of one connection, as it is after a handshake that agreed on no compression: NewServerCodec
// knows the handshake. maxMessage counts the payload of a whole message.
func (*Protocol) NewCodec(maxMessage int) protocol.Codec {
	return NewServerCodec(maxMessage, Accepted{})
}
