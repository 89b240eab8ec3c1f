package main

import (
	"errors"

	"github.com/lineman-go/lineman/protocol"
)

// Objects is a protocol of JSON objects, one after the other. White space between them is skipped.
type Objects struct{}

// Name is "objects".
func (Objects) Name() string { return "objects" }

// NewCodec makes the codec of one connection.
func (Objects) NewCodec(maxMessage int) protocol.Codec { return &objects{max: maxMessage} }

// objects finds the end of an object by counting its braces, outside of strings. It remembers how far it has looked,
// so an object that comes byte by byte costs no more than one that comes whole.
type objects struct {
	max     int
	looked  int
	depth   int
	quoted  bool
	escaped bool
}

var errNoObject = errors.New("objects: want a JSON object, beginning with {")

func (o *objects) Decode(data []byte) (int, []byte, error) {
	if o.looked == 0 {
		if n := space(data); n > 0 {
			return n, nil, nil
		}
	}
	for ; o.looked < len(data); o.looked++ {
		if o.looked >= o.max {
			return 0, nil, protocol.ErrTooLarge
		}
		o.see(data[o.looked])
		if o.depth == 0 {
			if o.looked == 0 {
				return 0, nil, errNoObject
			}
			n := o.looked + 1
			*o = objects{max: o.max}
			return n, data[:n:n], nil
		}
	}
	return 0, nil, nil
}

// see counts one byte.
func (o *objects) see(b byte) {
	switch {
	case o.escaped:
		o.escaped = false
	case o.quoted && b == '\\':
		o.escaped = true
	case b == '"' && o.depth > 0:
		o.quoted = !o.quoted
	case o.quoted:
	case b == '{':
		o.depth++
	case b == '}' && o.depth > 0:
		o.depth--
	}
}

func space(data []byte) int {
	for i, b := range data {
		if b != ' ' && b != '\t' && b != '\r' && b != '\n' {
			return i
		}
	}
	return len(data)
}

func (o *objects) Append(dst, msg []byte) ([]byte, error) { return append(dst, msg...), nil }
