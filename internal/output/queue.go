// Package output is the send queue of a connection: the bytes that the kernel has not taken yet. It is pure: the owner
// hands the bytes to the kernel, and says how many it took.
//
// There are four ways in. Bytes of the connection's own are appended to memory of the queue (Tail, SetTail). What many
// connections get stays in the memory of who broadcasts it (Share). A large message stays in the memory of who sends it
// while it is written for the first time (Lend), and what is left of it then is copied (Keep). A datagram keeps its
// bounds (AddDatagram). A queue is for a stream or for datagrams, never for both.
package output

import (
	"iter"
	"sync"

	"github.com/lineman-go/lineman/internal/buffer"
)

// A Queue is what waits to be written, in order. It is not safe for use by several goroutines at once: its owner has a
// lock. An idle connection has none: Get takes one from a pool, and Release puts it back.
type Queue struct {
	segments []segment
	written  int // bytes of segments[0] that the kernel has taken
	size     int // bytes still to be written
	parts    [][]byte
	large    *buffer.Pool // whose memory some of the segments may have; nil for none

	// Messages is how many were put in, for the owner to count; Release sets it to zero.
	Messages int
}

// segment is a run of bytes.
type segment struct {
	bytes  []byte
	sealed bool // nothing is appended to it: others hold it too, or it is a datagram
	lent   bool // it is the sender's, until Keep
}

const (
	ownSegment  = 64 << 10 // own bytes go to a new segment above this, so that appending never copies much
	keepSegment = 64 << 10 // the largest memory of its own that a free queue keeps
	keepList    = 64       // the longest list of segments that a free queue keeps
	maxParts    = 8        // segments that are written by one call
)

var pool = sync.Pool{New: func() any { return &Queue{segments: make([]segment, 0, 2)} }}

// Get is an empty queue.
func Get() *Queue { return pool.Get().(*Queue) }

// Release forgets what waits and gives the queue back for another connection, with a little memory for that one's own
// bytes. The queue is not to be used afterwards.
func (q *Queue) Release() {
	q.reset()
	q.Messages = 0
	pool.Put(q)
}

// reset empties the queue.
func (q *Queue) reset() {
	if len(q.segments) == 0 {
		q.large = nil
		return
	}
	first := q.segments[0]
	if len(q.segments) == 1 && !first.sealed && cap(first.bytes) <= keepSegment { // the usual one
		q.segments[0].bytes = first.bytes[:0]
		q.segments, q.written, q.size, q.large = q.segments[:0], 0, 0, nil
		return
	}
	if len(q.segments) == 1 && first.sealed && len(q.parts) == 0 && q.large == nil { // that of a broadcast
		q.segments[0] = segment{}
		q.segments, q.written, q.size = q.segments[:0], 0, 0
		return
	}
	clear(q.parts)
	q.giveBack(q.segments)
	clear(q.segments)
	if cap(q.segments) > keepList {
		q.segments = make([]segment, 0, 2)
	}
	if !first.sealed && cap(first.bytes) <= keepSegment {
		q.segments[:1][0] = segment{bytes: first.bytes[:0]}
	}
	q.segments, q.written, q.size, q.large = q.segments[:0], 0, 0, nil
}

// giveBack gives the memory of segments back that is the pool's.
func (q *Queue) giveBack(written []segment) {
	if q.large == nil {
		return
	}
	for _, s := range written {
		if !s.sealed && cap(s.bytes) > keepSegment {
			q.large.Put(s.bytes)
		}
	}
}

// Len is how many bytes wait. An empty datagram counts as one byte.
func (q *Queue) Len() int { return q.size }

// Tail is the memory that bytes of the connection's own are appended to, with append; nil if there is none yet. It may
// hold bytes that wait. SetTail takes the result back, before anything else is done with the queue; without SetTail
// nothing has changed.
func (q *Queue) Tail() []byte {
	if n := len(q.segments); n > 0 {
		if s := &q.segments[n-1]; s.grows() {
			return s.bytes
		}
	} else if cap(q.segments) > 0 {
		return q.segments[:1][0].bytes[:0] // reset has kept it
	}
	return nil
}

// Room is Tail for n bytes that are appended next. Where they are many, the memory is the pool's, which gets it back
// once it is written.
func (q *Queue) Room(p *buffer.Pool, n int) []byte {
	tail := q.Tail()
	if n < buffer.Smallest || cap(tail)-len(tail) >= n {
		return tail
	}
	q.large = p
	if len(tail) == 0 {
		return p.Get(n)
	}
	moved := p.Grow(tail, n)
	q.last().bytes = moved
	return moved
}

// SetTail stores what Tail returned, with bytes appended. The queue owns b from then on.
func (q *Queue) SetTail(b []byte) {
	if n := len(q.segments); n > 0 {
		if s := &q.segments[n-1]; s.grows() {
			q.size += len(b) - len(s.bytes)
			s.bytes = b
			return
		}
	}
	q.addOwn(b)
}

// addOwn begins a segment of the connection's own with b.
func (q *Queue) addOwn(b []byte) {
	if len(b) > 0 {
		q.size += len(b)
		q.segments = append(q.segments, segment{bytes: b})
	}
}

// Share adds a frame, not empty, that other queues hold too. It is not copied: nobody may change it any more. Frames
// that follow each other in one block of memory become one segment.
func (q *Queue) Share(frame []byte) {
	q.size += len(frame)
	if s := q.last(); s != nil && s.sealed {
		if n := len(s.bytes); n < cap(s.bytes) && &s.bytes[:n+1][n] == &frame[0] {
			s.bytes = s.bytes[:n+len(frame)]
			return
		}
	}
	q.segments = append(q.segments, segment{bytes: frame, sealed: true})
}

// Lend adds a message, not empty, that is the sender's until Keep is called, which has to be before the sender goes on.
func (q *Queue) Lend(msg []byte) {
	q.size += len(msg)
	q.segments = append(q.segments, segment{bytes: msg, sealed: true, lent: true})
}

// Keep copies what is left of messages that were lent, to memory of the pool where it is much.
func (q *Queue) Keep(p *buffer.Pool) {
	for i := range q.segments {
		s := &q.segments[i]
		if !s.lent {
			continue
		}
		rest := s.bytes
		if i == 0 {
			rest, q.written = rest[q.written:], 0
		}
		*s = segment{bytes: append(p.Get(len(rest)), rest...)}
		q.large = p
	}
}

// last is the last segment; nil if nothing waits.
func (q *Queue) last() *segment {
	if n := len(q.segments); n > 0 {
		return &q.segments[n-1]
	}
	return nil
}

// grows reports whether bytes of the connection's own are appended to the segment.
func (s *segment) grows() bool { return !s.sealed && len(s.bytes) < ownSegment }

// Head is what to write next: the first segment, or as many small ones as scratch holds, copied into it. Something must
// wait. It is valid until the queue is changed, and scratch is used again.
func (q *Queue) Head(scratch []byte) []byte {
	first := q.segments[0].bytes[q.written:]
	if len(q.segments) == 1 || len(first)+len(q.segments[1].bytes) > len(scratch) {
		return first
	}
	n := copy(scratch, first)
	for _, s := range q.segments[1:] {
		if n+len(s.bytes) > len(scratch) {
			break
		}
		n += copy(scratch[n:], s.bytes)
	}
	return scratch[:n]
}

// AppendTo appends to dst what waits, but for the first skip bytes.
func (q *Queue) AppendTo(dst []byte, skip int) []byte {
	skip += q.written
	for _, s := range q.segments {
		dst = append(dst, s.bytes[min(skip, len(s.bytes)):]...)
		skip -= min(skip, len(s.bytes))
	}
	return dst
}

// Parts are the first segments, to be written by one call in place of head, if that is only the first of several; nil
// if not. They are valid until the queue is changed.
func (q *Queue) Parts(head []byte) [][]byte {
	if len(q.segments) == 1 || len(head) != len(q.segments[0].bytes)-q.written {
		return nil
	}
	q.parts = append(q.parts[:0], head)
	for _, s := range q.segments[1:min(len(q.segments), maxParts)] {
		q.parts = append(q.parts, s.bytes)
	}
	return q.parts
}

// Advance forgets the first n bytes, at most Len, which the kernel has taken.
func (q *Queue) Advance(n int) {
	if q.size -= n; q.size == 0 {
		q.reset()
		return
	}
	n += q.written
	done := 0
	for n >= len(q.segments[done].bytes) {
		n -= len(q.segments[done].bytes)
		done++
	}
	q.drop(done)
	q.written = n
}

// drop forgets the first n segments.
func (q *Queue) drop(n int) {
	if n == 0 {
		return
	}
	clear(q.parts)
	q.giveBack(q.segments[:n])
	kept := copy(q.segments, q.segments[n:])
	clear(q.segments[kept:])
	q.segments = q.segments[:kept]
}

// AddDatagram adds a datagram, which may be empty. The queue owns b from then on.
func (q *Queue) AddDatagram(b []byte) {
	q.size += max(len(b), 1)
	q.segments = append(q.segments, segment{bytes: b, sealed: true})
}

// Datagrams are the datagrams that wait, with their places from 0 on. They are valid until the queue is changed.
func (q *Queue) Datagrams() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for i, s := range q.segments {
			if !yield(i, s.bytes) {
				return
			}
		}
	}
}

// DropDatagrams forgets the first n datagrams.
func (q *Queue) DropDatagrams(n int) {
	for _, s := range q.segments[:n] {
		q.size -= max(len(s.bytes), 1)
	}
	q.drop(n)
}
