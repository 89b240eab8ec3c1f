package lineman

import "sync"

// output is what a connection still has to write: segments in order. It exists only while there is something.
type output struct {
	segments []segment
	written  int // bytes of segments[0] that the kernel has taken
	size     int // bytes still to be written
}

// segment is a run of bytes, the connection's own or shared with other connections by a broadcast.
type segment struct {
	bytes  []byte
	shared bool
}

const (
	flushAt     = 64 << 10 // output above this is written at once, without waiting for the end of the tick
	ownSegment  = 64 << 10 // own bytes go to a new segment above this, so that appending never copies much
	keepSegment = 64 << 10 // the largest memory of its own that a free output keeps
)

var outputs = sync.Pool{New: func() any { return &output{segments: make([]segment, 0, 2)} }}

// own returns the memory that the connection's own bytes are appended to; put takes it back.
func (o *output) own() []byte {
	if n := len(o.segments); n > 0 {
		if s := &o.segments[n-1]; !s.shared && len(s.bytes) < ownSegment {
			return s.bytes
		}
	} else if cap(o.segments) > 0 {
		// A free output keeps the memory of its first segment.
		return o.segments[:1][0].bytes[:0]
	}
	return nil
}

// put stores what own returned, grown to b.
func (o *output) put(b []byte) {
	n := len(o.segments)
	if n > 0 {
		if s := &o.segments[n-1]; !s.shared && len(s.bytes) < ownSegment {
			o.size += len(b) - len(s.bytes)
			s.bytes = b
			return
		}
	}
	o.size += len(b)
	o.segments = append(o.segments, segment{bytes: b})
}

// share adds a frame that others hold too. Frames that follow each other in one block of memory become one segment.
func (o *output) share(frame []byte) {
	o.size += len(frame)
	if n := len(o.segments); n > 0 {
		s := &o.segments[n-1]
		if l := len(s.bytes); s.shared && l < cap(s.bytes) && &s.bytes[:l+1][l] == &frame[0] {
			s.bytes = s.bytes[:l+len(frame)]
			return
		}
	}
	o.segments = append(o.segments, segment{bytes: frame, shared: true})
}

// head is what to write next: the first segment, or as many small ones as scratch holds.
func (o *output) head(scratch []byte) []byte {
	first := o.segments[0].bytes[o.written:]
	if len(o.segments) == 1 || len(first)+len(o.segments[1].bytes) > len(scratch) {
		return first
	}
	n := copy(scratch, first)
	for _, s := range o.segments[1:] {
		if n+len(s.bytes) > len(scratch) {
			break
		}
		n += copy(scratch[n:], s.bytes)
	}
	return scratch[:n]
}

// advance forgets n bytes that the kernel has taken.
func (o *output) advance(n int) {
	o.size -= n
	if o.size == 0 {
		return
	}
	n += o.written
	done := 0
	for n >= len(o.segments[done].bytes) {
		n -= len(o.segments[done].bytes)
		done++
	}
	if done > 0 {
		kept := copy(o.segments, o.segments[done:])
		clear(o.segments[kept:])
		o.segments = o.segments[:kept]
	}
	o.written = n
}

// release gives an output back. It keeps a little memory for the next connection's own bytes.
func (o *output) release() {
	first := o.segments[0]
	clear(o.segments)
	if cap(o.segments) > 64 {
		o.segments = make([]segment, 0, 2)
	}
	if !first.shared && cap(first.bytes) <= keepSegment {
		o.segments[:1][0] = segment{bytes: first.bytes[:0]}
	}
	o.segments, o.written, o.size = o.segments[:0], 0, 0
	outputs.Put(o)
}
