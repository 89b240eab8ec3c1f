package poll

import "sync/atomic"

// slots holds a slot for each handle, in blocks that never move: only the loop adds blocks, while other goroutines look
// up the slots of sockets that they write to. Handles are as many as were ever in use at once: descriptors are shared
// out over all loops of the process, and a table by their numbers would be as large for each of them.
type slots struct {
	blocks atomic.Pointer[[]*block]

	// Owned by the loop.
	used int    // handles that were ever in use
	free Handle // the first one that is not any more; each of them tells the next one
}

const blockSize = 1024

type block [blockSize]slot

// A slot is eight bytes, as an idle connection has nothing else here.
type slot struct {
	fd    int32         // of a handle that is free: the next one that is, or none
	state atomic.Uint32 // a kind, and beside it events asked of epoll, which are for the loop only
}

// none is no handle.
const none Handle = -1

// A kind is what a socket is. It leaves the bits of events free.
type kind = uint32

const (
	closed kind = iota << 8
	tcp
	unixStream
	udp4
	udp6

	anyAddress kind = 1 << 12 // beside one of the last two: the kernel tells which address a datagram was sent to
	kinds      kind = 0x1f00

	lent uint32 = 1 << 14 // beside a kind: another process has it, too
)

func (s *slot) kind() kind    { return s.state.Load() & kinds }
func (s *slot) armed() uint32 { return s.state.Load() &^ (kinds | lent) }
func (s *slot) isLent() bool  { return s.state.Load()&lent != 0 }
func (s *slot) setLent()      { s.state.Store(s.state.Load() | lent) }
func (s *slot) setNotLent()   { s.state.Store(s.state.Load() &^ lent) }

// arm notes which events were asked for. Loop only.
func (s *slot) arm(events uint32) { s.state.Store(s.state.Load()&(kinds|lent) | events) }

// at is the slot of a handle that was in use.
func (s *slots) at(h Handle) *slot {
	return &(*s.blocks.Load())[uint32(h)/blockSize][uint32(h)%blockSize]
}

// take finds a handle for a descriptor. Loop only.
func (s *slots) take(fd int) Handle {
	h := s.free
	if h != none {
		s.free = Handle(s.at(h).fd)
	} else {
		h = Handle(s.used)
		s.used++
		s.cover(h)
	}
	s.at(h).fd = int32(fd)
	return h
}

// put gives a handle back, which is closed. Loop only.
func (s *slots) put(h Handle) {
	s.at(h).fd = int32(s.free)
	s.free = h
}

// cover makes slots up to that of h.
func (s *slots) cover(h Handle) {
	var blocks []*block
	if old := s.blocks.Load(); old != nil {
		blocks = *old
	}
	if int(h)/blockSize < len(blocks) {
		return
	}
	// A new slice, because another goroutine may be reading the old one.
	grown := append(blocks[:len(blocks):len(blocks)], new(block))
	s.blocks.Store(&grown)
}

// open calls f for every slot of an open socket.
func (s *slots) open(f func(h Handle, s *slot)) {
	for h := range Handle(s.used) {
		if slot := s.at(h); slot.kind() != closed {
			f(h, slot)
		}
	}
}
