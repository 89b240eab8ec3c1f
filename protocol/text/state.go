package text

import "errors"

// Bits of a state. How far the codec has looked is none of it: it looks again.
const (
	stateSkips   = 1 << iota // the present line was refused
	stateSuspect             // no byte of a line has come that an HTTP request does not begin with
	stateFirst               // times what is known of the first line; the highest two bits that there are
	stateBits    = 4
)

var errState = errors.New("text: not a state of this protocol")

// AppendState is protocol.Movable's. It appends nothing for a connection between two lines, but for the first.
func (c *Codec) AppendState(dst []byte) []byte {
	state := byte(c.first) * stateFirst
	if c.skips {
		state |= stateSkips
	}
	if c.suspect {
		state |= stateSuspect
	}
	if state == 0 {
		return dst
	}
	return append(dst, state)
}

// RestoreState is protocol.Movable's.
func (c *Codec) RestoreState(state []byte) error {
	var bits byte
	switch {
	case len(state) > 1, len(state) == 1 && state[0] >= 1<<stateBits:
		return errState
	case len(state) == 1:
		bits = state[0]
	}
	*c = Codec{
		max: c.max, skips: bits&stateSkips != 0, suspect: bits&stateSuspect != 0, first: first(bits / stateFirst),
	}
	return nil
}
