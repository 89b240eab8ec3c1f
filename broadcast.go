package lineman

import (
	"iter"

	"github.com/lineman-go/lineman/protocol/websocket"
)

// Broadcast sends msg to the connections of to and returns how many accepted it. It encodes once for each kind of
// connection among them, that is for each worker, and on a WebSocket for each window of compression that clients have asked
// for, and shares the bytes. Those that the protocol encodes by themselves (dialed WebSockets, Compression.ContextTakeover)
// get it by Send. On the loop only.
func (l *Loop) Broadcast(to iter.Seq[*Conn], msg []byte) int {
	return l.broadcast(to, msg, false)
}

// BroadcastBinary is Broadcast with binary messages where the protocol has them.
func (l *Loop) BroadcastBinary(to iter.Seq[*Conn], msg []byte) int {
	return l.broadcast(to, msg, true)
}

func (l *Loop) broadcast(to iter.Seq[*Conn], msg []byte, binary bool) int {
	accepted := 0
	var of *service // the worker that frames were encoded for
	var frames [websocket.Kinds][]byte
	for c := range to {
		kind := c.session.Kind()
		if c.service.packet || c.datagrams() || kind == websocket.Unshared {
			if c.sendAs(binary, msg) == nil {
				accepted++
			}
			continue
		}
		if c.service != of {
			of, frames = c.service, [websocket.Kinds][]byte{}
		}
		if frames[kind] == nil {
			frames[kind] = l.encode(c.session, msg, binary)
		}
		if len(frames[kind]) > 0 && c.sendShared(frames[kind]) {
			accepted++
		}
	}
	return accepted
}

func (c *Conn) sendAs(binary bool, msg []byte) error {
	if binary {
		return c.SendBinary(msg)
	}
	return c.Send(msg)
}

// encode makes the frame in the loop's block of shared memory, so that frames of one tick lie side by side. It is empty if
// the protocol refuses the message.
func (l *Loop) encode(s session, msg []byte, binary bool) []byte {
	room := len(msg) + 32
	if s.Kind() > 0 {
		room = min(room, blockSize/4) // it will be smaller: nobody should hold on to the rest
	}
	if cap(l.block)-len(l.block) < room {
		l.block = make([]byte, 0, max(blockSize, room))
	}
	encode := session.Append
	if binary {
		encode = appendBinary
	}
	b, err := encode(s, l.block, msg)
	if err != nil {
		return []byte{}
	}
	start := len(l.block)
	l.block = b
	return b[start:]
}

// blockSize bounds what one stalled connection can hold on to beside its own share of a block.
const blockSize = 16 << 10

// sendShared is send for bytes that are encoded already.
func (c *Conn) sendShared(frame []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() != open {
		return false
	}
	if c.isFull() {
		_ = c.refuse()
		return false
	}
	if c.out == nil {
		c.out = outputs.Get().(*output)
	}
	c.out.share(frame)
	c.messagesOut++
	c.queued()
	return true
}
