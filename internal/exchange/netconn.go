package exchange

import (
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// What follows is the exchange as the net.Conn that net/http has.

const (
	readSide  = 0
	writeSide = 1
)

// answerAhead is how much of an answer waits for the kernel.
const answerAhead = 64 << 10

// deadline is a time by which Read or Write gives up.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

// Read gives the bytes of this request, and then waits: net/http finds out by that whether the client goes away.
func (x *Exchange) Read(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.queue) == 0 {
		switch {
		case x.closed.Load():
			return 0, net.ErrClosed
		case x.kept || x.gone:
			return 0, io.EOF
		case x.until[readSide].passed():
			return 0, os.ErrDeadlineExceeded
		}
		if x.reading = true; !x.whole {
			x.conn.Attend()
		}
		x.changed.Wait()
		x.reading = false
	}
	n := copy(p, x.queue)
	if x.queue = x.queue[n:]; len(x.queue) == 0 {
		x.queue = nil
	}
	x.goOnLocked()
	return n, nil
}

// Write writes to the connection. It waits while more than a little has not been taken by the kernel.
func (x *Exchange) Write(p []byte) (int, error) {
	done, gather := 0, x.returned.Load() && x.followed.Load()
	for done < len(p) {
		n, err := x.conn.WriteSome(p[done:], answerAhead, gather)
		done += n
		if err != nil {
			return done, err
		}
		if n == 0 {
			if err := x.await(func(s State) bool { return s.Pending < answerAhead/2 }); err != nil {
				return done, err
			}
		}
	}
	return done, nil
}

// await waits until the connection is as done says.
func (x *Exchange) await(done func(State) bool) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		s := x.conn.State()
		switch {
		case done(s):
			return nil
		case x.closed.Load() || !s.Open:
			return net.ErrClosed
		case x.until[writeSide].passed():
			return os.ErrDeadlineExceeded
		}
		x.changed.Wait()
	}
}

// Close is called by net/http when it is done. A connection that it would not keep is closed.
func (x *Exchange) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed.Load() {
		return net.ErrClosed
	}
	x.closed.Store(true)
	x.queue = nil
	for i := range x.until {
		x.until[i].stop()
	}
	x.changed.Broadcast()
	switch {
	case x.conn.State().Broken:
		x.last = false // further requests may have come before
	case x.last || !x.kept:
		x.last = true
		_ = x.conn.Close() // it may be closing already
		return nil
	}
	x.conn.Resume()
	return nil
}

func (x *Exchange) LocalAddr() net.Addr  { return x.ends.Local }
func (x *Exchange) RemoteAddr() net.Addr { return x.conn.RemoteAddr() }

func (x *Exchange) SetDeadline(t time.Time) error {
	return errors.Join(x.setDeadline(readSide, t), x.setDeadline(writeSide, t))
}
func (x *Exchange) SetReadDeadline(t time.Time) error  { return x.setDeadline(readSide, t) }
func (x *Exchange) SetWriteDeadline(t time.Time) error { return x.setDeadline(writeSide, t) }

func (x *Exchange) setDeadline(side int, t time.Time) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed.Load() {
		return net.ErrClosed
	}
	d := &x.until[side]
	d.stop()
	d.at = t
	if wait := time.Until(t); !t.IsZero() && wait > 0 {
		d.timer = time.AfterFunc(wait, x.Wake)
	} else {
		x.changed.Broadcast()
	}
	return nil
}
