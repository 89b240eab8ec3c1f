package lineman

import "time"

// input is what waits for the rest of its message. Owned by the loop.
type input struct{ bytes []byte }

const (
	keepInput  = 64 << 10 // the largest free input that is kept; the memory of larger ones is the pool's
	keepInputs = 64       // and how many

	straight = 32 << 10   // a message of which so much has come is read straight to where it waits
	missing  = 4 << 10    // unless less than this is missing: then what follows comes by the same read
	maxRead  = 1032 << 10 // and so much at a time, so that others have their turn
	sizeUnit = 8 << 10    // what the sizes of the last messages are noted in

	quiet = 5 * time.Second // memory that is free for so long, or up to twice that, is given back
)

func (l *Loop) newInput() *input {
	if n := len(l.inputs); n > 0 {
		in := l.inputs[n-1]
		l.inputs = l.inputs[:n-1]
		return in
	}
	return &input{}
}

func (l *Loop) freeInput(c *Conn) {
	in := c.in.rest
	if in == nil {
		return
	}
	c.in.rest = nil
	if cap(in.bytes) > keepInput {
		l.memory.Put(in.bytes)
		in.bytes = nil
	}
	if len(l.inputs) < keepInputs {
		in.bytes = in.bytes[:0]
		l.inputs = append(l.inputs, in)
	}
}

// add copies what has come behind what waits.
func (in *input) add(l *Loop, data []byte) {
	in.bytes = append(l.memory.Grow(in.bytes, len(data)), data...)
}

// room is memory behind a large message that waits, where its next bytes are to be read to, for they need not be copied
// then; nil if the loop's memory will do. It is for the message alone, where its size is known.
func (r *reader) room(c *Conn) []byte {
	in := r.rest
	switch {
	case in == nil && c.large > 0:
		return r.ahead(c)
	case in == nil || len(in.bytes) < straight || c.state&(holding|arriving) != 0:
		return nil
	}
	size := c.session.size(in.bytes)
	most := size - len(in.bytes)
	switch {
	case size == 0:
		size, most = len(in.bytes)+missing, maxRead
	case most < missing:
		return nil
	}
	in.bytes = c.loop.memory.Reserve(in.bytes, size)
	free := in.bytes[len(in.bytes):cap(in.bytes)]
	return free[:min(len(free), most, maxRead)]
}

// ahead is free memory for the next message, if the last one was large: the next is likely to be as large, and is there
// by one read then. nil if there is none.
func (r *reader) ahead(c *Conn) []byte {
	b := c.loop.memory.Take(int(c.large) * sizeUnit)
	if b == nil {
		return nil
	}
	r.rest = c.loop.newInput()
	r.rest.bytes = b
	return b[:min(cap(b), maxRead)]
}

// noteSize notes what a message took, as far as it is large, and not so large that it comes by several reads anyway.
func (r *reader) noteSize(c *Conn, size int) {
	c.large = 0
	if size > readSize && size <= maxRead {
		c.large = uint8((size + sizeUnit - 1) / sizeUnit)
	}
}

// filled handles n bytes that were read to room. Few bytes do not keep much memory.
func (r *reader) filled(c *Conn, n int) {
	r.came(c, n)
	r.rest.bytes = r.rest.bytes[:len(r.rest.bytes)+n]
	r.decodeRest(c)
	if r.rest != nil {
		r.rest.bytes = c.loop.memory.Fit(r.rest.bytes)
	}
}

// empty gives room back that nothing was read to.
func (r *reader) empty(c *Conn) {
	if r.rest != nil && len(r.rest.bytes) == 0 {
		c.loop.freeInput(c)
	}
}

// goesOn reports whether a large message waits that may go on at once, as the read before has filled its memory.
func (r *reader) goesOn(c *Conn) bool {
	return r.rest != nil && c.state&armedRead != 0 && c.phase.get() == open && c.handle != absent
}

// giveBackLater has free memory given back to the system when the loop is quiet.
func (l *Loop) giveBackLater() { l.After(quiet, l.giveBack) }

func (l *Loop) giveBack() {
	if l.memory.Shrink() {
		l.giveBackLater()
	}
}
