package lineman

import (
	"errors"
	"strings"

	"github.com/lineman-go/lineman/protocol/websocket"
)

// wsSession is a WebSocket after its handshake.
type wsSession struct {
	websocket.Codec
	subprotocol string
	peerParted  bool // the peer's Close frame has come, or never will be looked at. Owned by the loop.
	agreed      bool // both sides have said goodbye. Owned by the loop.
}

func (s *wsSession) deliver(c *Conn, msg []byte) {
	defer s.Release()
	switch s.Opcode() {
	case websocket.Ping:
		s.pong(c, msg)
	case websocket.Pong:
		c.ponged(msg)
	case websocket.Close:
		s.parted(c, msg)
	default:
		c.state.binary = s.Opcode() == websocket.Binary
		c.message(msg)
		c.state.binary = false
	}
}

// pong answers a ping, or owes the answer to a peer that has not read the one before.
func (s *wsSession) pong(c *Conn, payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() != open || c.owesPongLocked(payload) {
		return
	}
	c.sayPongLocked(payload)
	c.markLocked(0)
}

// parted handles the peer's Close frame: the answer to ours, or the beginning of its goodbye, which is echoed
// (RFC 6455, 5.5.1).
func (s *wsSession) parted(c *Conn, payload []byte) {
	goodbye, err := websocket.ParseClose(payload)
	if err != nil {
		c.violated(err)
		return
	}
	s.peerParted, s.agreed = true, true
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() == open {
		c.setCauseLocked(goodbye)
		c.partLocked(goodbye.Code, "")
		return
	}
	if c.flags&broken != 0 {
		c.extrasLocked().cause = goodbye // it had been said before
	}
	c.markLocked(0)
}

func (s *wsSession) takes(*Conn) bool { return true }
func (s *wsSession) more(*Conn)       {}
func (s *wsSession) half() bool       { return !s.Idle() }

func (s *wsSession) broken(dst []byte, cause error) []byte {
	code, reason := websocket.Policy, ""
	var e *websocket.Error
	switch {
	case errors.As(cause, &e):
		code, reason = e.Code, strings.TrimPrefix(e.Err.Error(), "protocol: ") // packages mean nothing to the peer
	case errors.Is(cause, ErrTooLarge):
		code = websocket.TooBig
	case errors.Is(cause, ErrTimeout):
		reason = "timeout"
	}
	return s.AppendClose(dst, code, reason)
}

func (s *wsSession) goodbye(dst []byte, code websocket.Code, reason string) []byte {
	return s.AppendClose(dst, code, reason)
}

// awaitsServer reports whether both sides have said goodbye, and ending the stream is up to the other one: the server
// (RFC 6455, 7.1.1).
func (c *Conn) awaitsServer() bool {
	ws, ok := c.session.(*wsSession)
	return ok && ws.agreed && c.dial != nil && !c.state.ended
}

// appendBinary is Append of a session for a binary message, where there is such a thing.
func appendBinary(s session, dst, msg []byte) ([]byte, error) {
	switch s := s.(type) {
	case *wsSession:
		return s.AppendMessage(dst, websocket.Binary, msg)
	case *greeting:
		return s.AppendMessage(dst, websocket.Binary, msg)
	}
	return s.Append(dst, msg)
}
