package lineman

import (
	"github.com/lineman-go/lineman/protocol/websocket"
)

// greeting is a WebSocket that this side opens, until its server has answered. What is sent meanwhile becomes frames
// that wait:
//
//	begin: the request is written ──▶ the answer has come: wsSession, what waits is written, OnConnect
//	                                  it is no 101, or is wrong: OnClose
type greeting struct {
	wsSession // without compression
	handshake websocket.Handshake
	accepted  websocket.Accepted // of an answer that Decode has found
}

// newGreeting makes the session of an attempt.
func newGreeting(d *dialing, limits Limits) *greeting {
	g := &greeting{handshake: d.handshake()}
	g.Codec = *websocket.NewClientCodec(limits.MaxMessage, websocket.Accepted{})
	return g
}

// handshake is what the server of a WebSocket is asked for.
func (d *dialing) handshake() websocket.Handshake {
	p := d.dialer.Protocol.(*websocket.Protocol)
	h := websocket.Handshake{Host: d.host, Path: d.uri, Subprotocols: p.Subprotocols, Compression: p.Compression}
	for _, f := range d.dialer.Header {
		h.Header = append(h.Header, [2]string{f.Name, f.Value})
	}
	return h
}

// begin sends the request. Nothing else is written before its answer.
func (g *greeting) begin(c *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link.dialing().request, _ = g.handshake.AppendRequest(nil) // Dial has looked at it
	c.markLocked(0)
}

func (g *greeting) Decode(data []byte) (n int, head []byte, err error) {
	if n, g.accepted, err = g.handshake.Decode(data); n == 0 {
		return 0, nil, err
	}
	return n, data[:n:n], nil
}

// deliver goes on with the codec that was agreed on: frames may follow the answer at once.
func (g *greeting) deliver(c *Conn, _ []byte) {
	c.mu.Lock()
	codec := websocket.NewClientCodec(c.service.limits.MaxMessage, g.accepted)
	c.session = &wsSession{Codec: *codec}
	c.mu.Unlock()
	c.link.dialing().opened(c)
	c.watch(c.service.after.ping)
	c.watch(c.service.after.idle)
	c.connect()
}

func (g *greeting) half() bool { return false }

// closingHandshake is none: without an answer there is no WebSocket to say goodbye on.
func (g *greeting) closingHandshake() closingHandshake { return noClosingHandshake }

// limits has no pings: they are for a WebSocket.
func (g *greeting) limits(c *Conn) [3]limit { return g.plain.limits(c) }
