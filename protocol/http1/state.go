package http1

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/lineman-go/lineman/protocol"
)

// The first byte of the state of a Codec: how far the request at hand has come, and flags. If its head has come, the
// numbers of places follow. A head that has not is read again.
const (
	stateExpect = 1 << (iota + 3)
	statePosted
	stateKnown = 1<<(iota+3) - 1
)

var errState = errors.New("http1: not a state of this protocol, or a later version's")

// AppendState is protocol.Movable's. It appends nothing between two requests, but for a connection whose last one was a
// POST.
func (c *Codec) AppendState(dst []byte) []byte {
	flags := byte(c.state)
	if c.expect && c.state != inHead {
		flags |= stateExpect
	}
	if c.posted {
		flags |= statePosted
	}
	if flags == 0 {
		return dst
	}
	dst = append(dst, flags)
	if c.state == inHead {
		return dst
	}
	for _, n := range [...]int{c.head, c.body, c.chunk, c.line} {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	return dst
}

// RestoreState is protocol.Movable's. A request of which more has come than the limits of c allow is refused.
func (c *Codec) RestoreState(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	s := Codec{maxBody: c.maxBody, maxHeader: c.maxHeader}
	s.state, s.expect, s.posted = state(b[0]&(stateExpect-1)), b[0]&stateExpect != 0, b[0]&statePosted != 0
	if b[0]&^stateKnown != 0 || s.state > inTrailers {
		return errState
	}
	b = b[1:]
	if s.state != inHead {
		for _, place := range [...]*int{&s.head, &s.body, &s.chunk, &s.line} {
			n, size := binary.Uvarint(b)
			if size <= 0 || n > math.MaxInt/8 { // so that no sum overflows
				return errState
			}
			*place, b = int(n), b[size:]
		}
		s.looked = s.line
	}
	if len(b) > 0 || !s.inOrder() {
		return errState
	}
	if s.head > s.maxHeader || s.body > s.maxBody || s.state == inChunk && s.chunk > s.maxBody-s.body {
		return fmt.Errorf("http1: half a request: %w", protocol.ErrTooLarge)
	}
	*c = s
	return nil
}

// inOrder reports whether the places follow each other as Decode has them.
func (c *Codec) inOrder() bool {
	switch c.state {
	case inHead:
		return true
	case inBody:
		return c.line == c.head
	case inTrailers:
		return c.head+c.body <= c.chunk && c.chunk <= c.line
	}
	return c.head+c.body <= c.line
}

// AppendState appends what the splitter knows of its connection between two requests, in the form of a Codec's.
func (s *Splitter) AppendState(dst []byte) []byte { return s.codec.AppendState(dst) }

// RestoreState gives a new splitter a state of AppendState, or of a Codec's between two requests. As that of
// protocol.Movable, it refuses others.
func (s *Splitter) RestoreState(state []byte) error {
	c := s.codec
	if err := c.RestoreState(state); err != nil {
		return err
	}
	if c.state != inHead {
		return errState
	}
	s.codec = c
	return nil
}
