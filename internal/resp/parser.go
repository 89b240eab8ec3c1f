package resp

import (
	"bytes"
	"errors"
	"fmt"
)

// ErrProtocol is matched by all that a server does against the protocol.
var ErrProtocol = errors.New("redis: the server broke the protocol")

// Bounds of one value, with all that is in it. What Redis sends to a node is far below.
const (
	maxDepth    = 16
	maxElements = 1 << 20
	maxBytes    = 65 << 20 // 64 MiB is the most that a node publishes
	maxLine     = 64 << 10
	maxNumber   = 20 // bytes of a number: those of an int64
	maxKept     = 512
)

// parser finds whole values in a stream, which comes in pieces. It judges a value when its head is whole, before
// anybody reserves what that claims. The zero value is ready for use.
type parser struct {
	line  []byte // of a head that is not whole
	body  int    // bytes of a string that are still to come
	tail  int    // bytes of the end of line behind it that are still to come
	depth int
	stack [maxDepth]frame

	elements, bytes int // of the value at hand
	fits            shape
	found           value
}

// frame is an aggregate that is not whole.
type frame struct {
	kind  byte
	index int // of the next element
	left  int // elements that are still to come
}

// value is what is known of one that is whole.
type value struct {
	kind  byte
	count int // elements of an aggregate
	words [2][]byte
	keeps int // which of the words is being read, counted from 1
}

// shape tells whether an element may be where it is: depth and index are those of where it stands.
type shape func(depth, index int, kind byte, count int) bool

func violated(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}

// next goes through bytes up to the end of a value, and returns how many these are. found is about the value if it is
// whole, until the next call.
func (p *parser) next(b []byte) (n int, whole bool, err error) {
	for n < len(b) {
		switch {
		case p.body > 0:
			k := min(p.body, len(b)-n)
			p.keep(b[n : n+k])
			p.body -= k
			n += k
			continue
		case p.tail > 0:
			if b[n] != "\r\n"[2-p.tail] {
				return n, false, violated("a string is longer than it says")
			}
			n++
			if p.tail--; p.tail > 0 {
				continue
			}
			if p.ends() {
				return n, true, nil
			}
			continue
		}
		k, ended, err := p.head(b[n:])
		n += k
		if err != nil || ended {
			return n, ended, err
		}
	}
	return n, false, nil
}

// head goes through the line that a value begins with, or a part of it. It reports whether the value at hand is whole.
func (p *parser) head(b []byte) (n int, whole bool, err error) {
	if p.depth == 0 && len(p.line) == 0 {
		p.begin()
	}
	if len(p.line) == 0 {
		if length, n := short(b); n > 0 {
			whole, err = p.size(b[0], length)
			return n, whole, err
		}
	}
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		if len(p.line)+len(b) > maxLine {
			return 0, false, violated("a line of more than %d bytes", maxLine)
		}
		p.line = append(p.line, b...)
		return len(b), false, p.early()
	}
	line := b[:end+1]
	if len(p.line) > 0 {
		p.line = append(p.line, line...)
		line = p.line
		p.line = p.line[:0]
	}
	if len(line) > maxLine {
		return 0, false, violated("a line of more than %d bytes", maxLine)
	}
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return 0, false, violated("a line that does not end with CR LF, %.40q", line)
	}
	whole, err = p.open(line[0], line[1:len(line)-2])
	return end + 1, whole, err
}

// short reads the most frequent lines, which say how long something is. n is 0 if it is not one of them, or not whole.
func short(b []byte) (length int64, n int) {
	switch b[0] {
	case bulk, array, push:
	default:
		return 0, 0
	}
	i := 1
	for i < len(b) && i < 10 && '0' <= b[i] && b[i] <= '9' {
		length = length*10 + int64(b[i]-'0')
		i++
	}
	if i == 1 || i+1 >= len(b) || b[i] != '\r' || b[i+1] != '\n' {
		return 0, 0
	}
	return length, i + 2
}

// begin forgets the value before, unless attributes of the next have come.
func (p *parser) begin() {
	if p.found.kind == attribute {
		return
	}
	p.elements, p.bytes = 0, 0
	p.found.kind, p.found.count, p.found.keeps = 0, 0, 0
	p.found.words[0], p.found.words[1] = p.found.words[0][:0], p.found.words[1][:0]
}

// early refuses a line that cannot become right.
func (p *parser) early() error {
	if kind := p.line[0]; !known(kind) {
		return violated("no value begins with %q", kind)
	}
	return nil
}
