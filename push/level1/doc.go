// Package level1 is the frames of level 1, the protocol lineman.v1 of docs/protocol.md: what clients ask, what the
// server says, and the ids of server-sent events. It is pure, and shared by the server, by clients and by tests.
//
// A text of a WebSocket is one frame, or an array of them. Requests takes one from a client apart, Frames one from the
// server. What the server sends are values with Append, which allocates nothing if there is room:
//
//	Welcome  Bye  Failure  Heartbeat                   the connection
//	Authorized  Expiring                               its credential
//	Subscribed  Unsubscribed                           its subscriptions
//	Message  Passed  Missed                            what is published
//	History  Presence  Joined  Left                    what is kept, and who is there
//	Published  Said  Replied                           what the client itself says
package level1

// Subprotocol is what a client offers in the handshake (RFC 6455, 1.9), and the server agrees on.
const Subprotocol = "lineman.v1"

// Op says what a frame is.
type Op string

// The ops. Some are said by both sides.
const (
	OpHello    Op = "hello"
	OpWelcome  Op = "welcome"
	OpSub      Op = "sub"
	OpUnsub    Op = "unsub"
	OpMsg      Op = "msg"
	OpPos      Op = "pos"
	OpGap      Op = "gap"
	OpHist     Op = "hist"
	OpAuth     Op = "auth"
	OpExpiring Op = "expiring"
	OpHB       Op = "hb"
	OpPresence Op = "presence"
	OpJoin     Op = "join"
	OpLeave    Op = "leave"
	OpPub      Op = "pub"
	OpSay      Op = "say"
	OpRPC      Op = "rpc"
	OpBye      Op = "bye"
	OpErr      Op = "err"
)
