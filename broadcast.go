package lineman

import (
	"iter"

	"github.com/lineman-go/lineman/protocol/websocket"
)

// Broadcast sends msg to the connections of to and returns how many accepted it. It encodes once for each worker
// among them and shares the bytes. On the loop only.
func (l *Loop) Broadcast(to iter.Seq[*Conn], msg []byte) int {
	return l.broadcast(to, msg, false)
}

// BroadcastBinary is Broadcast with binary messages where the protocol has them.
func (l *Loop) BroadcastBinary(to iter.Seq[*Conn], msg []byte) int {
	return l.broadcast(to, msg, true)
}

func (l *Loop) broadcast(to iter.Seq[*Conn], msg []byte, binary bool) int {
	accepted := 0
	var of *service // the worker that frame was encoded for
	var frame []byte
	for c := range to {
		if c.service.packet || !c.session.shared() {
			if c.Send(msg) == nil {
				accepted++
			}
			continue
		}
		if c.service != of {
			of, frame = c.service, l.encode(c.session, msg, binary)
		}
		if len(frame) > 0 && c.sendShared(frame) {
			accepted++
		}
	}
	return accepted
}

// encode makes the frame in the loop's block of shared memory, so that frames of one tick lie side by side.
func (l *Loop) encode(s session, msg []byte, binary bool) []byte {
	if cap(l.block)-len(l.block) < len(msg)+32 {
		l.block = make([]byte, 0, max(blockSize, len(msg)+32))
	}
	start := len(l.block)
	var b []byte
	var err error
	if _, ws := s.(*wsSession); ws && binary {
		b = websocket.AppendFrame(l.block, websocket.Binary, msg)
	} else {
		b, err = s.Append(l.block, msg)
	}
	if err != nil {
		return nil
	}
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
