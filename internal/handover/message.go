package handover

import (
	"fmt"
	"slices"
)

// A message is what one or several frames carry.
type message struct {
	kind    kind
	payload []byte
	alone   bool // the payload has memory of its own
}

// An assembler makes messages of frames.
type assembler struct {
	limits  Limits
	frames  deframer
	kind    kind // of the message that has begun; 0 for none
	partial []byte
}

// next reads the message that b begins with, or a part of it, which has n bytes: none if more has to come first. ok
// tells whether the message is whole; it is valid until the next call, and as long as b.
func (a *assembler) next(b []byte) (m message, n int, ok bool, err error) {
	f, n, err := a.frames.next(b)
	if n == 0 {
		return message{}, 0, false, err
	}
	if f.kind == kindAbort {
		a.kind, a.partial = 0, nil
	}
	if a.kind != 0 && a.kind != f.kind {
		return message{}, 0, false, fmt.Errorf("%w: %s within %s", ErrCorrupt, f.kind, a.kind)
	}
	if most := a.limits.of(f.kind); len(a.partial)+len(f.payload) > most {
		return message{}, 0, false, fmt.Errorf("%w: a %s of more than %d bytes", ErrTooLarge, f.kind, most)
	}
	if f.more {
		a.kind, a.partial = f.kind, a.joined(f.payload)
		return message{}, n, false, nil
	}
	m = message{kind: f.kind, payload: f.payload}
	if a.kind != 0 {
		m.payload, m.alone = a.joined(f.payload), true
		a.kind, a.partial = 0, nil
	}
	return m, n, true, nil
}

// joined is what has come of a message, and a piece behind it. It grows by doubling: append alone adds a quarter to
// what is large, and so copies it again and again.
func (a *assembler) joined(piece []byte) []byte {
	if len(piece) > cap(a.partial)-len(a.partial) {
		a.partial = slices.Grow(a.partial, max(len(piece), len(a.partial)))
	}
	return append(a.partial, piece...)
}

// end is the error of a stream that ends here, with so many bytes that are no whole frame.
func (a *assembler) end(rest int) error {
	if rest > 0 || a.kind != 0 {
		return ErrTruncated
	}
	return ErrClosed
}

func (h *Hello) append(dst []byte) []byte {
	dst = appendUint(dst, 1, uint64(h.Version))
	dst = appendUint(dst, 2, h.LastID)
	dst = appendUint(dst, 3, uint64(h.Loops))
	for _, name := range h.Workers {
		dst = appendField(dst, 4, name)
	}
	dst = appendUint(dst, 5, uint64(h.Stood))
	return appendUint(dst, 6, uint64(h.Conns))
}

// parse looks at the version first, as a later one may have anything after it.
func (h *Hello) parse(payload []byte) error {
	*h = Hello{}
	err := eachField(payload, func(number uint64, value []byte) error {
		if number != 1 && h.Version == 0 {
			return fmt.Errorf("%w: hello without a version", ErrCorrupt)
		}
		switch number {
		case 1:
			return h.parseVersion(value)
		case 2:
			return parseUint(value, &h.LastID)
		case 3:
			return parseUint(value, &h.Loops)
		case 4:
			h.Workers = append(h.Workers, string(value))
			return nil
		case 5:
			return parseUint(value, &h.Stood)
		case 6:
			return parseUint(value, &h.Conns)
		}
		return unknownField("hello", number)
	})
	if err == nil && h.Version == 0 {
		err = fmt.Errorf("%w: hello without a version", ErrCorrupt)
	}
	return err
}

func (h *Hello) parseVersion(value []byte) error {
	err := parseUint(value, &h.Version)
	if err == nil && h.Version > Version {
		err = fmt.Errorf("%w (it hands over in version %d, this one knows up to %d)", ErrVersion, h.Version, Version)
	}
	return err
}

func (s *State) append(dst []byte) []byte {
	dst = appendBytes(dst, 1, s.Worker)
	dst = appendUint(dst, 2, uint64(s.Loop))
	return appendBytes(dst, 3, s.Value)
}

func (s *State) parse(payload []byte) error {
	*s = State{}
	return eachField(payload, func(number uint64, value []byte) error {
		switch number {
		case 1:
			return parseText(value, "", &s.Worker)
		case 2:
			return parseUint(value, &s.Loop)
		case 3:
			return parseBytes(value, &s.Value)
		}
		return unknownField("a state", number)
	})
}

// A note is what the shorter messages say: about a connection, about all, or why.
type note struct {
	id     uint64 // refused, tail, keep
	count  uint64 // end: of records
	reason string // refused, abort, failed
	output []byte // tail
}

func (n *note) append(dst []byte) []byte {
	dst = appendUint(dst, 1, n.id)
	dst = appendUint(dst, 2, n.count)
	dst = appendBytes(dst, 3, n.reason)
	return appendBytes(dst, 4, n.output)
}

func (n *note) parse(payload []byte) error {
	*n = note{}
	return eachField(payload, func(number uint64, value []byte) error {
		switch number {
		case 1:
			return parseUint(value, &n.id)
		case 2:
			return parseUint(value, &n.count)
		case 3:
			return parseText(value, "", &n.reason)
		case 4:
			return parseBytes(value, &n.output)
		}
		return unknownField("a message", number)
	})
}
