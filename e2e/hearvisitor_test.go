package e2e

import (
	"context"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

// visitor is a page of a user that is loaded again and again. Sometimes it is away for longer than the debounce.
type visitor struct {
	uid        string
	dial       func() (net.Conn, error)
	attendance *attendance
	debounce   time.Duration
	left       *atomic.Int64 // reloads that are to come, of all visitors
	random     *rand.Rand
	stays      bool // at last

	counts visits // owned by its goroutine
}

// visits counts what a visitor did.
type visits struct{ connections, reloads, long, ended int }

// live visits until there were enough reloads, and then stays until the context ends, or goes.
func (v *visitor) live(ctx context.Context) {
	for ctx.Err() == nil {
		page := v.come(ctx)
		if page == nil {
			return
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for { // what the server says does not matter
				if _, err := page.read(); err != nil {
					return
				}
			}
		}()
		last := v.stay(ctx, page, ended)
		page.Close()
		<-ended
		if last {
			return
		}
	}
}

// come connects, however often that takes; nil: the context has ended.
func (v *visitor) come(ctx context.Context) *speaking {
	for ctx.Err() == nil {
		if conn, err := v.dial(); err == nil {
			page, err := speak(conn, v.uid)
			if err == nil {
				v.attendance.came(v.uid, time.Now())
				v.counts.connections++
				return page
			}
			conn.Close()
		}
		v.pause(ctx, 20*time.Millisecond)
	}
	return nil
}

// stay is one visit; last: no other one follows. When the page ends it, the attendance knows before the server does.
func (v *visitor) stay(ctx context.Context, page *speaking, ended <-chan struct{}) (last bool) {
	var reload <-chan time.Time
	switch {
	case v.left.Load() > 0:
		reload = time.After(time.Duration(v.random.Int64N(int64(v.debounce))))
	case !v.stays:
		v.attendance.went(v.uid, time.Now())
		page.goodbye(ws.StatusGoingAway, "")
		return true
	}
	select {
	case <-ctx.Done():
		v.attendance.went(v.uid, time.Now())
		return true
	case <-ended: // its network broke, or the server has gone: it comes back at once
		v.attendance.went(v.uid, time.Now())
		v.counts.ended++
	case <-reload:
		v.reload(ctx, page)
	}
	return false
}

// reload ends the page, and waits until the next one is there.
func (v *visitor) reload(ctx context.Context, page *speaking) {
	v.left.Add(-1)
	v.counts.reloads++
	v.attendance.went(v.uid, time.Now())
	if v.random.IntN(2) == 0 {
		page.breakOff()
	} else {
		page.goodbye(ws.StatusGoingAway, "")
	}
	if v.random.IntN(8) == 0 {
		v.counts.long++
		v.pause(ctx, v.debounce+time.Duration(v.random.Int64N(int64(v.debounce))))
	} else {
		v.pause(ctx, time.Duration(v.random.Int64N(int64(v.debounce/8))))
	}
}

func (v *visitor) pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
