package lineman

import (
	"errors"
	"strings"

	"github.com/lineman-go/lineman/protocol/websocket"
)

// wsSession is a WebSocket after its handshake.
type wsSession struct {
	plain
	websocket.Codec
}

func (s *wsSession) deliver(c *Conn, msg []byte) {
	switch s.Opcode() {
	case websocket.Text:
		c.in.message(c, msg)
	case websocket.Binary:
		c.loop.binary = c
		c.in.message(c, msg)
		c.loop.binary = nil
	case websocket.Ping:
		s.pinged(c, msg)
	case websocket.Pong:
		s.ponged(c, msg)
	case websocket.Close:
		s.parted(c, msg)
	}
	s.Release()
}

// parted handles the peer's Close frame: the answer to ours, or the beginning of its goodbye, which is echoed
// (RFC 6455, 5.5.1).
func (s *wsSession) parted(c *Conn, payload []byte) {
	goodbye, err := websocket.ParseClose(payload)
	if err != nil {
		c.end.refuse(c, err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() == open {
		c.end.partLocked(c, goodbye, goodbye.Code, "")
		return
	}
	if c.flags&broken != 0 {
		c.extrasLocked().cause = goodbye // it had been said before
	}
	c.markLocked(0)
}

func (s *wsSession) Kind() uint8 { return s.Codec.Kind() }
func (s *wsSession) half() bool  { return !s.Idle() }

func (s *wsSession) size(data []byte) int { return s.Size(data) }

// change leaves a WebSocket what its handshake agreed on.
func (s *wsSession) change(_ *Conn, to *service) (stays bool, _ error) {
	if to.kind != speaksWebSocket {
		return false, nil
	}
	s.Limit(to.limits.MaxMessage)
	return true, nil
}

// brokenLocked says why.
func (s *wsSession) brokenLocked(dst []byte, cause error) []byte {
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

func (s *wsSession) goodbyeLocked(dst []byte, code websocket.Code, reason string) []byte {
	return s.AppendClose(dst, code, reason)
}

func (s *wsSession) closingHandshake() closingHandshake {
	if s.Parted() {
		return bothClosed
	}
	return awaitsClose
}

// aroundLocked is the header of a frame whose payload is the message itself.
func (s *wsSession) aroundLocked(dst, msg []byte, binary bool) (header []byte, before int, err error) {
	op := websocket.Text
	if binary {
		op = websocket.Binary
	}
	header, plain, err := s.AppendHeader(dst, op, msg)
	if err != nil || !plain {
		return dst, -1, err
	}
	return header, len(header) - len(dst), nil
}

func (s *wsSession) appendBinary(dst, msg []byte) ([]byte, error) {
	return s.AppendMessage(dst, websocket.Binary, msg)
}

// appendBinary is Append of a session for a binary message, where there is such a thing.
func appendBinary(s session, dst, msg []byte) ([]byte, error) {
	if b, ok := s.(interface {
		appendBinary(dst, msg []byte) ([]byte, error)
	}); ok {
		return b.appendBinary(dst, msg)
	}
	return s.Append(dst, msg)
}
