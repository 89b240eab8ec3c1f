package push

import (
	"errors"
	"strconv"
	"strings"
)

// Since is where a connection begins that comes to a target: after a Position, or with the last messages. The zero
// value is from now on. Its text is what clients say: a position, "last:N", or nothing.
type Since struct {
	Position Position // what came after it; the zero value: none was given
	Last     int      // else so many of the last messages that are kept
}

// ErrSince is the error of ParseSince.
var ErrSince = errors.New(`push: since is a position as it was told, "last:N" or empty`)

// maxLast is how many messages a client may ask for without a position.
const maxLast = 10_000

// ParseSince reads the text of a Since. It takes no other spelling than that of String.
func ParseSince(text string) (Since, error) {
	if text == "" {
		return Since{}, nil
	}
	if number, found := strings.CutPrefix(text, "last:"); found {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > maxLast || strconv.Itoa(n) != number {
			return Since{}, ErrSince
		}
		return Since{Last: n}, nil
	}
	p, err := ParsePosition(text)
	if err != nil {
		return Since{}, ErrSince
	}
	return Since{Position: p}, nil
}

// String is the text.
func (s Since) String() string {
	if s.Last > 0 {
		return "last:" + strconv.Itoa(s.Last)
	}
	return s.Position.String()
}

// isPosition reports whether a Position was given.
func (s Since) isPosition() bool { return s.Position != Position{} }
