// Package buffer is memory for what is larger than usual: messages that wait for their rest, and output that the kernel
// does not take. To allocate it for each message, and to grow it, would cost more than all else that is done with one.
package buffer

import (
	"math/bits"
	"slices"
	"sync"
)

// A Pool keeps free buffers by size class for whoever needs one next. What was not needed for a while it gives back to
// the garbage collector: see Shrink. The zero value is ready, and keeps nothing. It may be used by several goroutines.
type Pool struct {
	// Filled is called when the pool begins to keep something, outside its lock, on the goroutine of Put: Shrink is due
	// after a while then. nil is for none. Immutable.
	Filled func()

	mu   sync.Mutex // guards the following
	free [classes][][]byte
	idle [classes]int // how many were free all the time since the last Shrink
	kept int          // bytes that are free
}

const (
	// Smallest is the least that a pool has a buffer for.
	Smallest = 64 << 10

	classes = 9       // up to 16 MiB
	frame   = 8 << 10 // beside a round size, so that a message of one fits with what its protocol puts around it
	maxKept = 32 << 20

	grown = 2  // new memory is at most this many times what is there
	ready = 32 // and memory that is free this many times: so few bytes of a peer never cost much
)

// class is that of the smallest buffers that hold n bytes; classes if there is none.
func class(n int) int {
	if n <= Smallest+frame {
		return 0
	}
	return min(bits.Len(uint(n-frame-1)/Smallest), classes)
}

// size is that of the buffers of a class.
func size(class int) int { return Smallest<<class + frame }

// Get is an empty buffer with room for n bytes.
func (p *Pool) Get(n int) []byte {
	if b := p.Take(n); b != nil {
		return b
	}
	if i := class(n); n >= Smallest && i < classes {
		n = size(i)
	}
	return make([]byte, 0, n)
}

// Take is Get for memory that is free; nil if there is none of that size.
func (p *Pool) Take(n int) []byte {
	i := class(n)
	if n < Smallest || i == classes {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.free[i]) - 1
	if last < 0 {
		return nil
	}
	b := p.free[i][last]
	p.free[i][last] = nil
	p.free[i] = p.free[i][:last]
	p.idle[i] = min(p.idle[i], last)
	p.kept -= size(i)
	return b
}

// Put gives a buffer back, which nobody may use any more. One that did not come from a pool is welcome, and not kept.
func (p *Pool) Put(b []byte) {
	i := class(cap(b))
	if i == classes || cap(b) != size(i) {
		return
	}
	if p.keep(b, i) && p.Filled != nil {
		p.Filled()
	}
}

// keep keeps a buffer of a class if there is room for it, and reports whether it is the only one.
func (p *Pool) keep(b []byte, class int) (only bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept+size(class) > maxKept {
		return false
	}
	only = p.kept == 0
	p.free[class] = append(p.free[class], b[:0])
	p.kept += size(class)
	return only
}

// Grow is b, moved where that has to be, with room for n more bytes, which have come.
func (p *Pool) Grow(b []byte, n int) []byte {
	whole := len(b) + n
	switch {
	case cap(b) >= whole:
		return b
	case whole < Smallest:
		return slices.Grow(b, n)
	}
	bigger := append(p.Get(whole), b...)
	p.Put(b)
	return bigger
}

// Reserve is b, moved where that has to be, with room for more bytes: for want of them in all if memory of that size is
// free, or is not much more than b has already. So memory follows what has come, and not what a peer announces: free
// memory is at most 32 times what b holds, new memory at most twice and 8 KiB, where that is more than Smallest.
func (p *Pool) Reserve(b []byte, want int) []byte {
	if want = max(want, len(b)+1); cap(b) >= want {
		return b
	}
	var bigger []byte
	if i := class(want); i < classes && size(i) <= max(ready*len(b), Smallest)+frame {
		bigger = p.Take(want)
	}
	if bigger == nil {
		most := atMost(grown*len(b) + frame)
		if cap(b) > len(b) && cap(b) >= min(want, most) {
			return b
		}
		bigger = p.Get(min(want, most))
	}
	bigger = append(bigger, b...)
	p.Put(b)
	return bigger
}

// Fit is b, moved to less memory if it holds less than a free buffer may for it: see Reserve.
func (p *Pool) Fit(b []byte) []byte {
	if cap(b) <= max(ready*len(b), Smallest)+frame {
		return b
	}
	smaller := append(p.Get(len(b)), b...)
	p.Put(b)
	return smaller
}

// atMost is the size of the largest buffers that have at most n bytes, or of the smallest ones. Above all classes it is
// n.
func atMost(n int) int {
	if n >= size(classes) {
		return n
	}
	return size(max(bits.Len(uint(max(n-frame, 0))/Smallest)-1, 0))
}

// Shrink gives those buffers back that were free all the time since the last Shrink, and reports whether some are still
// kept.
func (p *Pool) Shrink() (kept bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.free {
		left := len(p.free[i]) - p.idle[i]
		clear(p.free[i][left:])
		p.free[i] = p.free[i][:left]
		p.kept -= p.idle[i] * size(i)
		if p.idle[i] = left; left == 0 {
			p.free[i] = nil
		}
	}
	return p.kept > 0
}

// Kept is how many bytes are free.
func (p *Pool) Kept() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept
}
