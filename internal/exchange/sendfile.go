package exchange

import (
	"errors"
	"io"
	"math"
	"os"
)

// sendPiece is how much of a file the kernel is asked to send at once.
const sendPiece = 1 << 20

// ReadFrom is how net/http has a file sent: by the kernel, where that can be done. The goroutine of the handler may
// wait for the disk; the loop does not.
func (x *Exchange) ReadFrom(src io.Reader) (int64, error) {
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
func (x *Exchange) sendFile(f *os.File, n int64) (done int64, err error) {
	out, err := x.conn.Output()
	if err != nil {
		return 0, err
	}
	defer out.Close()
	err = x.await(func(s State) bool { return s.Pending == 0 })
	for err == nil && done < n {
		sent, full := 0, false
		sent, full, err = out.SendFile(f, int(min(n-done, sendPiece)))
		done += int64(sent)
		switch {
		case err != nil:
		case full:
			err = x.await(func(s State) bool { return !s.Stalled })
		case sent == 0:
			return done, nil // the file is shorter now
		}
	}
	return done, err
}
