package http1

import (
	"strconv"
	"sync/atomic"
	"time"
)

// A Date keeps the value of the Date field (RFC 9110, 6.6.1), and what a plain answer begins with. It makes them once a
// second at the most. The zero value is ready. Any goroutine may use it.
type Date struct{ last atomic.Pointer[dateOf] }

type dateOf struct {
	second int64
	plain  []byte // the head of a plain answer, up to its length
	text   []byte // the part of it that is the value
}

// Now is the field's value at a time. It must not be changed.
func (d *Date) Now(t time.Time) []byte { return d.at(t.Unix()).text }

// AppendPlain is what Append of Response{Body: body} appends for a client that stays, where body is not empty: most
// answers. The second is of Unix time.
func (d *Date) AppendPlain(dst, body []byte, second int64) []byte {
	dst = append(dst, d.at(second).plain...)
	dst = append(strconv.AppendInt(dst, int64(len(body)), 10), "\r\n\r\n"...)
	return append(dst, body...)
}

func (d *Date) at(second int64) *dateOf {
	if last := d.last.Load(); last != nil && last.second == second {
		return last
	}
	return d.next(second)
}

func (d *Date) next(second int64) *dateOf {
	b := time.Unix(second, 0).UTC().AppendFormat([]byte(plainStatus), "Mon, 02 Jan 2006 15:04:05 GMT")
	text := b[len(plainStatus):len(b):len(b)]
	next := &dateOf{second, append(b, plainType...), text}
	d.last.Store(next)
	return next
}
