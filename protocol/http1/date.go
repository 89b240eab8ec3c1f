package http1

import (
	"sync/atomic"
	"time"
)

// A Date keeps the value of the Date field (RFC 9110, 6.6.1) and formats it once a second at the most. The zero value
// is ready. Any goroutine may use it.
type Date struct{ last atomic.Pointer[dateOf] }

type dateOf struct {
	second int64
	text   []byte
}

// Now is the field's value at a time. It must not be changed.
func (d *Date) Now(t time.Time) []byte {
	second := t.Unix()
	if last := d.last.Load(); last != nil && last.second == second {
		return last.text
	}
	next := &dateOf{second, t.UTC().AppendFormat(nil, "Mon, 02 Jan 2006 15:04:05 GMT")}
	d.last.Store(next)
	return next.text
}
