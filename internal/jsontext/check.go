package jsontext

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// MaxDepth is how deep a text may be nested: the parser of who gets it may be recursive.
const MaxDepth = 64

// ErrInvalid is what Check says of a text that is not JSON.
var ErrInvalid = errors.New("not JSON")

// Check says what is wrong with a text that should be JSON (RFC 8259) in UTF-8.
func Check(text []byte) error {
	c := checker{text: text}
	return c.check()
}

// Valid reports whether a text is JSON in UTF-8, however deep it is nested.
func Valid(text []byte) bool {
	c := checker{text: text}
	return (c.document() || c.tooDeep && json.Valid(text)) && c.isUTF8()
}

// checker goes through a text once, by the grammar of RFC 8259. Its methods report whether there is what they are named
// after, and leave at behind it.
type checker struct {
	text    []byte
	at      int
	tooDeep bool    // it has given up for that
	beyond  uint64  // its highs are set if a string has something beyond ASCII
	escaped bool    // a string has an escape
	object  *Object // notes its members; nil: nobody asks
}

func (c *checker) check() error {
	valid := c.document()
	switch {
	case !c.isUTF8() || !valid && !utf8.Valid(c.text):
		return errors.New("not UTF-8")
	case valid:
		return nil
	case c.tooDeep && json.Valid(c.text):
		return fmt.Errorf("nested deeper than %d", MaxDepth)
	}
	return ErrInvalid
}

// isUTF8 reports whether the text is, if it was found valid, or too deep: what is valid has ASCII outside of strings.
func (c *checker) isUTF8() bool { return c.beyond&highs == 0 && !c.tooDeep || utf8.Valid(c.text) }

func (c *checker) document() bool {
	ok := c.object != nil && c.peek() == '{' && c.noted() || c.object == nil && c.value(0)
	c.space()
	return ok && c.at == len(c.text)
}

// peek is the next byte, behind white space; 0 at the end.
func (c *checker) peek() byte {
	c.space()
	return c.next()
}

// next is the next byte; 0 at the end.
func (c *checker) next() byte {
	if c.at < len(c.text) {
		return c.text[c.at]
	}
	return 0
}

func (c *checker) space() {
	if c.at < len(c.text) && c.text[c.at] <= ' ' { // so that it is inlined where there is none
		c.at = skipSpace(c.text, c.at)
	}
}

// takes goes on behind a byte, if it is the next.
func (c *checker) takes(b byte) bool {
	if c.next() != b {
		return false
	}
	c.at++
	return true
}

// value is in so many objects and arrays.
func (c *checker) value(depth int) bool {
	switch b := c.peek(); b {
	case '"':
		return c.str()
	case '{', '[':
		if depth == MaxDepth {
			c.tooDeep = true
			return false
		}
		c.at++
		return c.members(depth+1, b == '{')
	case 't':
		return c.word("true")
	case 'f':
		return c.word("false")
	case 'n':
		return c.word("null")
	}
	return c.number()
}

// members are those of an object or an array, and its end.
func (c *checker) members(depth int, object bool) bool {
	end := byte(']')
	if object {
		end = '}'
	}
	if c.peek() == end {
		c.at++
		return true
	}
	for {
		if object && !c.name() || !c.value(depth) {
			return false
		}
		if c.space(); !c.takes(',') {
			return c.takes(end)
		}
	}
}

// name is that of a member, and the colon.
func (c *checker) name() bool {
	c.space()
	if !c.str() {
		return false
	}
	c.space()
	return c.takes(':')
}

func (c *checker) str() bool {
	if !c.takes('"') {
		return false
	}
	for {
		at, beyond := special(c.text, c.at)
		c.at, c.beyond = at, c.beyond|beyond
		switch c.next() {
		case '"':
			c.at++
			return true
		case '\\':
			if c.escaped = true; !c.escape() {
				return false
			}
			c.at++
		default: // a control character, or the end
			return false
		}
	}
}

// escape leaves at on its last byte.
func (c *checker) escape() bool {
	c.at++
	switch c.next() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		for range 4 {
			if c.at++; !isHex(c.next()) {
				return false
			}
		}
		return true
	}
	return false
}

func isHex(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'f' || 'A' <= b && b <= 'F'
}

func (c *checker) word(w string) bool {
	if len(c.text)-c.at < len(w) || string(c.text[c.at:c.at+len(w)]) != w {
		return false
	}
	c.at += len(w)
	return true
}

func (c *checker) number() bool {
	c.takes('-')
	if !c.takes('0') && !c.digits() {
		return false
	}
	if c.takes('.') && !c.digits() {
		return false
	}
	if c.takes('e') || c.takes('E') {
		if !c.takes('+') {
			c.takes('-')
		}
		return c.digits()
	}
	return true
}

// digits are one or more.
func (c *checker) digits() bool {
	begin := c.at
	for b := c.next(); '0' <= b && b <= '9'; b = c.next() {
		c.at++
	}
	return c.at > begin
}
