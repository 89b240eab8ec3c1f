// Package wheel is a coarse timer wheel for the limits of connections. It is pure: the owner tells it the time, in
// ticks of its choice.
//
// It is lazy: an owner that moves a deadline on stores a number and tells the wheel nothing. When the old deadline
// comes round, the wheel asks, and the owner schedules the new one. So a message on a connection costs no list
// operation, and a connection costs one entry of eight bytes.
package wheel

// A Wheel holds entries (id, tick). Owned by one loop.
type Wheel struct {
	now   uint32
	slots []*block // by tick modulo their number, a power of two; the block that is filled, nil if it is empty
	count int
	idle  uint32 // so many ticks from now on are known to have empty slots: Next looks behind them
	free  *block // blocks for other slots
	spare int    // how many these are
}

// block has entries of a slot. Blocks go from slot to slot, so a wheel that turns makes no garbage.
type block struct {
	next    *block
	n       int
	entries [30]entry // 256 bytes in all
}

type entry struct {
	id int32
	at uint32
}

// mostSpare is how many blocks are kept that no slot needs.
const mostSpare = 64

// New makes a wheel at tick 0. The number of slots, a power of two, is how many ticks one turn takes.
func New(slots int) *Wheel {
	if slots <= 0 || slots&(slots-1) != 0 {
		panic("wheel: the number of slots must be a power of two")
	}
	return &Wheel{slots: make([]*block, slots)}
}

// Now is the tick that the wheel has come to.
func (w *Wheel) Now() uint32 { return w.now }

// Schedule has check called for id at the given tick, or at the next one if that has passed. Ticks wrap round: those
// of up to 2^31 ahead are the future. An id may have many entries.
func (w *Wheel) Schedule(id int32, at uint32) {
	w.count++
	slot := at
	if int32(at-w.now) <= 0 {
		slot = w.now + 1
	}
	w.idle = min(w.idle, (slot-w.now-1)&uint32(len(w.slots)-1))
	w.add(w.slot(slot), entry{id, at})
}

// slot is that of a tick.
func (w *Wheel) slot(tick uint32) **block { return &w.slots[tick&uint32(len(w.slots)-1)] }

func (w *Wheel) add(to **block, e entry) {
	b := *to
	if b == nil || b.n == len(b.entries) {
		b = w.take()
		b.next, *to = *to, b
	}
	b.entries[b.n] = e
	b.n++
}

// take gives an empty block.
func (w *Wheel) take() *block {
	b := w.free
	if b == nil {
		return &block{}
	}
	w.free = b.next
	w.spare--
	return b
}

// give takes one back.
func (w *Wheel) give(b *block) {
	if w.spare < mostSpare {
		b.next, b.n = w.free, 0
		w.free = b
		w.spare++
	}
}

// Advance moves the wheel to a tick and calls check for every entry that is due by then, in order of ticks, with the
// tick it was scheduled for. check may call Schedule: an entry due by the same tick is looked at by the same Advance.
// A tick that is not ahead does nothing.
func (w *Wheel) Advance(to uint32, check func(id int32, due uint32)) {
	for int32(to-w.now) > 0 {
		if w.count == 0 {
			w.now, w.idle = to, 0
			w.free, w.spare = nil, 0 // who has nothing to wait for is quiet
			return
		}
		w.now++
		w.idle = max(w.idle, 1) - 1
		w.turn(check)
	}
}

// turn handles the slot of the present tick. Entries of later turns stay.
func (w *Wheel) turn(check func(id int32, due uint32)) {
	slot := w.slot(w.now)
	b := *slot
	*slot = nil // check may schedule for a turn later, into this slot
	for b != nil {
		for _, e := range b.entries[:b.n] {
			if int32(e.at-w.now) > 0 {
				w.add(slot, e)
				continue
			}
			w.count--
			check(e.id, e.at)
		}
		done := b
		b = b.next
		w.give(done)
	}
}

// Next is the earliest tick at which the wheel has something to do, which may be a look at an entry of a later turn;
// false if it is empty.
func (w *Wheel) Next() (tick uint32, ok bool) {
	if w.count == 0 {
		return 0, false
	}
	for ; w.idle < uint32(len(w.slots)); w.idle++ {
		if tick := w.now + 1 + w.idle; *w.slot(tick) != nil {
			return tick, true
		}
	}
	return 0, false
}
