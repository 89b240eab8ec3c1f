// Package text is the protocol of lines: each message ends with "\n". One "\r" before it belongs to the line's end, so
// CRLF works too.
package text

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/lineman-go/lineman/protocol"
)

// Protocol is lines. The zero value is ready.
type Protocol struct {
	// RefuseHTTP ends a connection whose very first bytes are an HTTP request's, before a line is complete. A page of
	// any site can make a browser post to a port of its user's machine; with this, none of it is taken for lines.
	RefuseHTTP bool

	// WantObject refuses a first line that is no JSON object (RFC 8259), as soon as that is clear: with its first byte,
	// or at its end. Nothing that follows is a line: without OnInvalid the connection ends, and OnInvalid can say why
	// and close it. So who speaks another protocol, such as TLS or one like HTTP, is not listened to line by line.
	WantObject bool
}

// Name is "text".
func (Protocol) Name() string { return "text" }

// NewCodec makes the codec of one connection. maxMessage counts a line without its end.
func (p Protocol) NewCodec(maxMessage int) protocol.Codec {
	c := &Codec{max: maxMessage, suspect: p.RefuseHTTP}
	if p.WantObject {
		c.first = blank
	}
	return c
}

var (
	// ErrNewline is what Append gives for a message with a "\n" in it: the peer would take it for two.
	ErrNewline = errors.New("text: a message must not contain a newline")

	// ErrHTTP ends a connection that RefuseHTTP is for.
	ErrHTTP = errors.New("text: an HTTP request on a text port: use the port for HTTP")

	// ErrNoObject is what a first line gives that WantObject is for.
	ErrNoObject = errors.New("text: the first line is no JSON object")
)

// A Codec is the lines of one connection.
type Codec struct {
	max     int
	looked  int  // bytes of the present line that hold no "\n"
	skips   bool // the present line was refused and is dropped up to its end
	suspect bool // the first bytes may still be an HTTP request's
	first   first
}

// first is what is known of a first line that has to be a JSON object.
type first uint8

const (
	settled first = iota // it was one, or need not be
	blank                // nothing but white space has come
	begun                // it begins as one
	stray                // it is none
)

// Decode finds the next line. A line above the limit is refused once, as soon as it is above it; what follows of it is
// dropped as it arrives, so that the next one works.
func (c *Codec) Decode(data []byte) (advance int, msg []byte, err error) {
	if c.first == stray {
		return len(data), nil, nil
	}
	if c.suspect {
		switch looksLikeHTTP(data) {
		case yes:
			return 0, nil, ErrHTTP
		case perhaps:
			return 0, nil, nil // no method has a "\n" in it, so no line is whole
		}
		c.suspect = false
	}
	i := bytes.IndexByte(data[c.looked:], '\n')
	if c.first != settled && c.judge(data, i) == stray {
		return len(data), nil, ErrNoObject
	}
	switch {
	case c.skips:
		return c.skip(data, i)
	case i < 0:
		return c.wait(data)
	}
	end := c.looked + i
	c.looked = 0
	line := data[:end:end]
	if end > 0 && line[end-1] == '\r' {
		line = line[: end-1 : end-1]
	}
	if len(line) > c.max {
		return end + 1, nil, c.tooLong()
	}
	return end + 1, line, nil
}

// judge looks at the first line as far as it has come; i is where it ends behind what was looked at, -1 if that is
// still to come. One that is too long is not looked through.
func (c *Codec) judge(data []byte, i int) first {
	end := len(data)
	if i >= 0 {
		end = c.looked + i
	}
	if c.first == blank {
		switch rest := bytes.TrimLeft(data[c.looked:end], " \t\r"); {
		case len(rest) > 0 && rest[0] == '{':
			c.first = begun
		case len(rest) > 0 || i >= 0 || end > c.max:
			c.first = stray
		}
	}
	if c.first == begun && i >= 0 {
		c.first = settled
		if line := bytes.TrimSuffix(data[:end], []byte("\r")); !c.skips && len(line) <= c.max && !json.Valid(line) {
			c.first = stray
		}
	}
	return c.first
}

// skip drops what comes of a refused line; i is where it ends, -1 if that is still to come.
func (c *Codec) skip(data []byte, i int) (int, []byte, error) {
	if i < 0 {
		return len(data), nil, nil
	}
	c.skips = false
	return i + 1, nil, nil
}

// wait handles a line without an end. One byte above the limit may still be the "\r" of its end.
func (c *Codec) wait(data []byte) (int, []byte, error) {
	if over := len(data) - c.max; over <= 0 || over == 1 && data[c.max] == '\r' {
		c.looked = len(data)
		return 0, nil, nil
	}
	c.skips, c.looked = true, 0
	return len(data), nil, c.tooLong()
}

func (c *Codec) tooLong() error {
	return fmt.Errorf("text: line above %d bytes: %w", c.max, protocol.ErrTooLarge)
}

// Append appends msg and "\n".
func (c *Codec) Append(dst, msg []byte) ([]byte, error) {
	if bytes.IndexByte(msg, '\n') >= 0 {
		return dst, ErrNewline
	}
	return append(append(dst, msg...), '\n'), nil
}

// AppendFrame appends "\n", which goes after the message.
func (c *Codec) AppendFrame(dst, msg []byte) (framed []byte, before int, err error) {
	if bytes.IndexByte(msg, '\n') >= 0 {
		return dst, 0, ErrNewline
	}
	return append(dst, '\n'), 0, nil
}

// verdict is what a beginning says about the rest.
type verdict uint8

const (
	no verdict = iota
	perhaps
	yes
)

var methods = [...]string{
	"GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "OPTIONS ", "PATCH ", "CONNECT ", "TRACE ", "PRI ",
}

// looksLikeHTTP compares the first bytes with the methods that a browser sends.
func looksLikeHTTP(data []byte) verdict {
	best := no
	for _, m := range methods {
		n := min(len(m), len(data))
		if string(data[:n]) != m[:n] {
			continue
		}
		if n == len(m) {
			return yes
		}
		best = perhaps
	}
	return best
}
