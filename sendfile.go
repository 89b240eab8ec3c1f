package lineman

import (
	"errors"
	"io"
	"math"
	"net"
	"os"

	"github.com/lineman-go/lineman/internal/poll"
)

// sendPiece is how much of a file the kernel is asked to send at once.
const sendPiece = 1 << 20

// ReadFrom is how net/http has a file sent: by the kernel, where that can be done. The goroutine of the handler may
// wait for the disk; the loop does not.
func (x *exchange) ReadFrom(src io.Reader) (int64, error) {
	if f, n := fileIn(src); f != nil && x.tls == nil {
		sent, err := x.sendFile(f, n)
		if !errors.Is(err, errors.ErrUnsupported) {
			return sent, err
		}
	}
	return io.Copy(struct{ io.Writer }{x}, src)
}

// fileIn is the file that src reads, and how much of it; nil if it reads something else.
func fileIn(src io.Reader) (*os.File, int64) {
	n := int64(math.MaxInt64)
	if l, ok := src.(*io.LimitedReader); ok {
		src, n = l.R, l.N
	}
	f, _ := src.(*os.File)
	return f, n
}

// sendFile sends at most n bytes of f, behind what was written before.
func (x *exchange) sendFile(f *os.File, n int64) (done int64, err error) {
	out, err := x.conn.output()
	if err != nil {
		return 0, err
	}
	defer out.Close()
	err = x.await(func(u unsent) bool { return u.pending == 0 })
	for err == nil && done < n {
		var sent int
		sent, err = out.SendFile(f, int(min(n-done, sendPiece)))
		done += int64(sent)
		switch open := x.conn.sent(sent, err == poll.ErrAgain); {
		case !open:
			return done, net.ErrClosed
		case err == poll.ErrAgain:
			err = x.await(func(u unsent) bool { return !u.stalled })
		case err == nil && sent == 0:
			return done, nil // the file is shorter now
		}
	}
	return done, err
}

// output lends the sending side of the connection's socket.
func (c *Conn) output() (poll.Output, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() != open {
		return nil, net.ErrClosed
	}
	return c.loop.poll.Output(c.handle)
}

// sent notes what went without Write, and has the loop tell when the kernel takes more. It reports whether the
// connection is still there.
func (c *Conn) sent(n int, again bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wroteLocked(n)
	if c.phase.get() != open {
		return false
	}
	if again {
		c.flags |= stalled
		c.markLocked(0)
	}
	return true
}
