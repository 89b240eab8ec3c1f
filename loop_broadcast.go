package lineman

import (
	"iter"
	"slices"

	"github.com/lineman-go/lineman/internal/output"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// Broadcast sends msg to the connections of to and returns how many accepted it. It encodes once for each kind of
// connection among them, that is for each worker, and on a WebSocket for each window of compression that clients have
// asked for, and shares the bytes, in whatever order they come. Those that have a protocol of their own (dialed
// connections, Compression.ContextTakeover) get it by Send. On the loop only.
func (l *Loop) Broadcast(to iter.Seq[*Conn], msg []byte) int {
	return l.broadcast(to, msg, false)
}

// BroadcastBinary is Broadcast with binary messages where the protocol has them.
func (l *Loop) BroadcastBinary(to iter.Seq[*Conn], msg []byte) int {
	return l.broadcast(to, msg, true)
}

func (l *Loop) broadcast(to iter.Seq[*Conn], msg []byte, binary bool) int {
	b := l.beginBroadcast(msg, binary)
	to(b.each)
	return b.end()
}

// broadcast is a message on its way to many.
type broadcast struct {
	loop      *Loop
	each      func(*Conn) bool // sendTo for a sequence; made once, so that a broadcast allocates nothing
	msg       []byte
	binary    bool
	accepted  int
	encodings []encoding
	last      int // of encodings
}

// encoding is a message as the connections of one worker get it.
type encoding struct {
	of     *service
	frames [websocket.Kinds][]byte // nil: not encoded yet
}

// beginBroadcast takes the loop's free broadcast, or makes one: a sequence may broadcast something itself.
func (l *Loop) beginBroadcast(msg []byte, binary bool) *broadcast {
	b := l.spare
	if l.spare = nil; b == nil {
		b = &broadcast{loop: l}
		b.each = func(c *Conn) bool {
			b.sendTo(c)
			return true
		}
	}
	b.msg, b.binary = msg, binary
	return b
}

// end leaves the broadcast to the next message, and returns how many have accepted this one.
func (b *broadcast) end() int {
	accepted := b.accepted
	clear(b.encodings)
	*b = broadcast{loop: b.loop, each: b.each, encodings: b.encodings[:0]}
	b.loop.spare = b
	return accepted
}

func (b *broadcast) sendTo(c *Conn) {
	kind := c.session.Kind()
	if c.dial != nil || c.onLoan() || kind == websocket.Unshared {
		if sendAs(c, b.binary, b.msg) == nil {
			b.accepted++
		}
		return
	}
	frame := &b.encodingFor(c.service).frames[kind]
	if *frame == nil {
		*frame = b.loop.encode(c.session, b.msg, b.binary)
	}
	if len(*frame) > 0 && c.out.sendShared(c, *frame) {
		b.accepted++
	}
}

// encodingFor finds the encoding for the connections of s, or adds an empty one.
func (b *broadcast) encodingFor(s *service) *encoding {
	if b.last < len(b.encodings) && b.encodings[b.last].of == s {
		return &b.encodings[b.last]
	}
	b.last = slices.IndexFunc(b.encodings, func(e encoding) bool { return e.of == s })
	if b.last < 0 {
		b.last = len(b.encodings)
		b.encodings = append(b.encodings, encoding{of: s})
	}
	return &b.encodings[b.last]
}

func sendAs(c *Conn, binary bool, msg []byte) error {
	if binary {
		return c.SendBinary(msg)
	}
	return c.Send(msg)
}

// encode makes the frame in the loop's block of shared memory, so that frames of one tick lie side by side. It is empty
// if the protocol refuses the message.
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
func (w *writer) sendShared(c *Conn, frame []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() != open {
		return false
	}
	if w.isFullLocked(c) {
		_ = w.refuseLocked(c)
		return false
	}
	if w.queue == nil {
		w.queue = output.Get()
	}
	w.queue.Share(frame)
	c.accepted++
	w.queuedLocked(c)
	if c.flags&served != 0 {
		c.markLocked(0) // more may follow: it is written at the end of the tick, with that
	}
	return true
}
