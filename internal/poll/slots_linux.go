package poll

import "sync/atomic"

// slots holds a slot for each descriptor, in blocks that never move: only the loop adds blocks, while other goroutines
// look up the slots of sockets that they write to.
type slots struct{ blocks atomic.Pointer[[]*block] }

const blockSize = 1024

type block [blockSize]slot

type slot struct {
	kind  atomic.Uint32 // a kind
	armed uint32        // events asked of epoll; the loop's own
}

// A kind is what a socket is.
type kind = uint32

const (
	closed kind = iota
	tcp
	unixStream
	udp4
	udp6

	anyAddress kind = 1 << 8 // beside one of the last two: the kernel tells which address a datagram was sent to
)

// at is the slot of a descriptor that has been open.
func (s *slots) at(fd int) *slot { return &(*s.blocks.Load())[fd/blockSize][fd%blockSize] }

// cover makes slots up to fd's. Loop only.
func (s *slots) cover(fd int) {
	var blocks []*block
	if old := s.blocks.Load(); old != nil {
		blocks = *old
	}
	if fd/blockSize < len(blocks) {
		return
	}
	// A new slice, because another goroutine may be reading the old one.
	grown := make([]*block, fd/blockSize+1)
	for i := copy(grown, blocks); i < len(grown); i++ {
		grown[i] = new(block)
	}
	s.blocks.Store(&grown)
}

// open calls f for every descriptor that is open.
func (s *slots) open(f func(fd int, s *slot)) {
	blocks := s.blocks.Load()
	if blocks == nil {
		return
	}
	for i, b := range *blocks {
		for j := range b {
			if b[j].kind.Load() != closed {
				f(i*blockSize+j, &b[j])
			}
		}
	}
}
