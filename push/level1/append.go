package level1

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lineman-go/lineman/internal/jsontext"
	"github.com/lineman-go/lineman/push"
)

// What follows appends fields of an object. A value that is zero is left out, unless its function says otherwise.

// begin appends the beginning of a frame, up to its op.
func begin(dst []byte, op Op) []byte {
	dst = append(dst, `{"op":"`...)
	dst = append(dst, op...)
	return append(dst, '"')
}

// appendName appends what stands before a value.
func appendName(dst []byte, name string) []byte {
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	return append(dst, `":`...)
}

func appendText(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return appendString(appendName(dst, name), value)
}

func appendInt(dst []byte, name string, n int64) []byte {
	if n == 0 {
		return dst
	}
	return strconv.AppendInt(appendName(dst, name), n, 10)
}

// appendCount appends a number, also 0.
func appendCount(dst []byte, name string, n int) []byte {
	return strconv.AppendInt(appendName(dst, name), int64(n), 10)
}

func appendFlag(dst []byte, name string, value bool) []byte {
	if !value {
		return dst
	}
	return append(appendName(dst, name), "true"...)
}

func appendPosition(dst []byte, name string, p push.Position) []byte {
	if p == (push.Position{}) {
		return dst
	}
	dst = append(appendName(dst, name), '"')
	return append(appendPlace(dst, p), '"')
}

// appendPlace appends the text of a Position: digits and a dot, which mean nothing to JSON.
func appendPlace(dst []byte, p push.Position) []byte {
	dst = append(append(dst, p.Epoch...), '.')
	return strconv.AppendUint(dst, p.Offset, 36)
}

// appendUnix appends an instant in seconds.
func appendUnix(dst []byte, name string, t time.Time) []byte {
	if t.IsZero() {
		return dst
	}
	return strconv.AppendInt(appendName(dst, name), t.Unix(), 10)
}

// appendString appends a JSON string (RFC 8259, 7). What is no UTF-8 in it becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	return jsontext.AppendString(dst, strings.ToValidUTF8(s, string(utf8.RuneError)))
}
