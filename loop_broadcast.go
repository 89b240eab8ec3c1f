package lineman

import (
	"iter"
	"slices"

	"github.com/lineman-go/lineman/internal/output"
	"github.com/lineman-go/lineman/internal/poll"
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
	prepared  *Prepared // nil: no other loop has it
	accepted  int
	shared    int // of these, those that got bytes which others got, too
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
	b.loop.stats.MessagesOut += uint64(b.shared)
	clear(b.encodings)
	*b = broadcast{loop: b.loop, each: b.each, encodings: b.encodings[:0]}
	b.loop.spare = b
	return accepted
}

func (b *broadcast) sendTo(c *Conn) {
	kind := c.session.Kind()
	if c.link.dialing() != nil || c.onLoan() || kind == websocket.Unshared {
		if sendAs(c, b.binary, b.msg) == nil {
			b.accepted++
		}
		return
	}
	frame := &b.encodingFor(c.service).frames[kind]
	switch {
	case *frame != nil:
	case b.prepared != nil:
		*frame = b.prepared.frame(c, kind)
	default:
		*frame = b.loop.encode(c.session, b.msg, b.binary)
	}
	if len(*frame) > 0 && c.out.sendShared(c, *frame) {
		b.accepted++
		b.shared++
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
		b.encodings = slices.Grow(b.encodings, 1)[:b.last+1] // what is behind the end was cleared
		b.encodings[b.last].of = s
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
	if c.in.bytes.servedLocked() {
		c.markLocked(0) // more may follow: it is written at the end of the tick, with that
	}
	return true
}

// chunk is connections that the loop attends to together. Where the poller can, what they have to write is handed to
// the kernel by one system call:
//
//	dirty list ── collect ──▶ conns ── hand ──▶ writes ── poll.Batch ──▶ settle, all ──▶ follow, each
//	                            └── what is not one piece for a bare stream: attend, each
//
// Nothing of the application's runs between hand and settle. Other goroutines may append to the output meanwhile, and
// leave its writing to the loop: see handed. Owned by the loop.
type chunk struct {
	loop   *Loop
	conns  []*Conn
	writes []poll.Write
	dues   []due // of the conns whose output is in writes, which come first
}

const (
	chunkSize = 64 // connections: so many stay in the cache from one step to the next
	fewWrites = 4  // with fewer, a system call for each takes no longer
)

// collect fills the chunk with connections of the dirty list, and returns the rest. A connection of the list is linked
// by nobody else until the flag is gone.
func (k *chunk) collect(c *Conn) (rest *Conn) {
	k.conns = k.conns[:0]
	for c != nil && len(k.conns) < chunkSize {
		k.conns = append(k.conns, c)
		c = c.nextDirty
	}
	return c
}

// attend gives the connections of the chunk their attention.
func (k *chunk) attend() {
	if len(k.conns) >= fewWrites && k.loop.batch.there(k.loop) {
		k.attendTogether()
	} else {
		for _, c := range k.conns {
			c.mu.Lock()
			k.loop.pulledLocked(c)
			c.mu.Unlock()
			c.attend()
			k.loop.measure()
		}
	}
	clear(k.conns)
}

func (k *chunk) attendTogether() {
	together := k.write()
	for i, c := range k.conns {
		switch {
		case i >= together:
			c.attend()
		case c.phase.get() != closed:
			c.follow(k.dues[i])
		}
		k.loop.measure()
	}
}

// write hands the outputs over, and puts the connections that they are of first. It returns how many those are.
func (k *chunk) write() (together int) {
	k.writes, k.dues = k.writes[:0], k.dues[:0]
	for i, c := range k.conns {
		c.mu.Lock()
		k.loop.pulledLocked(c)
		head := c.out.handLocked(c)
		c.mu.Unlock()
		if head != nil {
			k.conns[i], k.conns[len(k.writes)] = k.conns[len(k.writes)], c
			k.writes = append(k.writes, poll.Write{Handle: c.handle, Bytes: head})
		}
	}
	if len(k.writes) >= fewWrites {
		k.loop.batch.Write(k.writes)
	}
	k.settle()
	clear(k.writes)
	return len(k.writes)
}

// settle accounts for what was written.
func (k *chunk) settle() {
	taken := 0
	for i := range k.writes {
		w, c := &k.writes[i], k.conns[i]
		taken += w.N
		c.mu.Lock()
		k.dues = append(k.dues, c.out.settleLocked(c, w.N, w.Err))
		c.mu.Unlock()
	}
	k.loop.stats.BytesOut += uint64(taken)
}

// batch is the poller's way to write to many connections by one system call, from the first time on that it is wanted.
// Owned by the loop.
type batch struct {
	poll.Batch      // nil where there is none
	asked      bool // whether there is one
}

// there reports whether the poller has it.
func (b *batch) there(l *Loop) bool {
	if !b.asked {
		b.asked = true
		var err error
		if b.Batch, err = l.poll.Batch(); err != nil {
			l.log.Debug("lineman: each connection of a broadcast has a system call of its own", "error", err)
		}
	}
	return b.Batch != nil
}

func (b *batch) close() {
	if b.Batch != nil {
		b.Batch.Close()
	}
}

// handLocked returns the whole output if it is one piece that goes to the kernel as it is, and nil otherwise.
// settleLocked follows.
func (w *writer) handLocked(c *Conn) []byte {
	if c.flags&(stalled|broken|aborted|opening|gathered) != 0 || c.phase.get() == closed || c.end&remains != 0 ||
		c.link != nil || c.extra != nil && c.extra.piped != nil || w.queue == nil || w.queue.Len() == 0 ||
		!c.transport().carriesStream() {
		return nil
	}
	head := w.queue.Head(nil)
	if len(head) < w.queue.Len() {
		return nil
	}
	c.flags |= handed
	return head
}

// settleLocked is told that the kernel took n bytes of what handLocked has returned, and why not more: nil where it was
// not asked. It writes what came to the output meanwhile.
func (w *writer) settleLocked(c *Conn, n int, err error) due {
	c.flags &^= handed
	if n > 0 {
		w.bytes += uint64(n)
		w.queue.Advance(n)
		w.releaseLocked(c)
	}
	if err != nil {
		w.stoppedLocked(c, err)
	}
	if w.queue != nil {
		return c.writeOutLocked()
	}
	c.session.writtenLocked(c)
	return c.dueLocked(w.queue == nil)
}
