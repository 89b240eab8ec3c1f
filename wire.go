package lineman

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/lineman-go/lineman/internal/output"
	"github.com/lineman-go/lineman/internal/poll"
)

// wire is the net.Conn that crypto/tls reads from and writes to. It blocks only while the handshake's goroutine has it.
type wire struct {
	mu      sync.Mutex    // guards the following
	changed *sync.Cond    // nil once nothing blocks any more
	wrote   func()        // tells the loop of output, during the handshake
	in      []byte        // has come, and was not looked at yet
	out     *output.Queue // to be written; nil when there is nothing
	ended   bool
}

// nothing is what crypto/tls takes for a reason to try again later: it keeps half a record until then.
var nothing net.Error = noBytes{}

type noBytes struct{}

func (noBytes) Error() string   { return "lineman: nothing has come" }
func (noBytes) Timeout() bool   { return true }
func (noBytes) Temporary() bool { return true }

// errCut is the end of the stream without close_notify: anyone may have ended it (RFC 8446, 6.1).
var errCut = errors.New("lineman: the stream below TLS has ended")

// errUnread is about a peer that has TLS answer, to key updates, and does not read: the answers would pile up.
var errUnread = errors.New("lineman: answers of TLS itself are not read")

func isNothing(err error) bool { _, ok := err.(noBytes); return ok }

func (w *wire) Read(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.in) == 0 {
		switch {
		case w.ended:
			return 0, errCut
		case w.changed == nil:
			return 0, nothing
		}
		w.changed.Wait()
	}
	n := copy(p, w.in)
	w.in = w.in[n:]
	if len(w.in) == 0 {
		w.in = nil
	}
	return n, nil
}

// Write always succeeds: an error would stick in crypto/tls. How much may wait is checked before.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	if w.out == nil {
		w.out = output.Get()
	}
	w.out.SetTail(append(w.out.Tail(), p...))
	wrote := w.wrote
	w.mu.Unlock()
	if wrote != nil {
		wrote()
	}
	return len(p), nil
}

// unblock ends the time in which Read waits.
func (w *wire) unblock() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed, w.wrote = nil, nil
}

// end lets Read come to the end of the stream.
func (w *wire) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	if w.changed != nil {
		w.changed.Signal()
	}
}

// over reports whether the stream has ended.
func (w *wire) over() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

// enough reports whether nothing more should be fed for now.
func (w *wire) enough() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended || len(w.in) > maxWire
}

// waits reports whether something has come that was not looked at yet.
func (w *wire) waits() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.in) > 0
}

// drop forgets what is not written yet.
func (w *wire) drop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.out != nil {
		w.out.Release()
		w.out = nil
	}
}

func (w *wire) unsent() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.out == nil {
		return 0
	}
	return w.out.Len()
}

// flush hands to the kernel what there is, and returns how much it has taken.
func (w *wire) flush(p poll.Poller, h poll.Handle) (written int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.out != nil && err == nil {
		var n int
		n, err = p.Write(h, w.out.Head(nil))
		written += n
		if w.out.Advance(n); w.out.Len() == 0 {
			w.out.Release()
			w.out = nil
		}
	}
	return written, err
}

// What crypto/tls wants of a net.Conn beside that. Its deadlines are not used: the loop has the limits.

func (w *wire) Close() error                     { return nil }
func (w *wire) LocalAddr() net.Addr              { return nil }
func (w *wire) RemoteAddr() net.Addr             { return nil }
func (w *wire) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (w *wire) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (w *wire) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }
