package lineman

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"reflect"
	"sync"
	"time"
	"unsafe"

	"github.com/lineman-go/lineman/internal/output"
	"github.com/lineman-go/lineman/internal/poll"
)

// wire is the net.Conn that crypto/tls reads from and writes to. It blocks only while the handshake's goroutine has it.
type wire struct {
	mu      sync.Mutex    // guards the following
	changed *sync.Cond    // nil once nothing blocks any more
	wrote   func()        // hands output to the kernel, during the handshake; nil after it
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

// decryption is the memory in which a loop decrypts, one connection at a time.
type decryption struct {
	plain []byte       // what was decrypted
	raw   bytes.Buffer // the memory for records as they come, while it is not lent
}

// decryption is there from the first record that comes.
func (l *Loop) decryption() *decryption {
	if l.decrypts == nil {
		l.decrypts = &decryption{plain: make([]byte, maxRecord)}
	}
	return l.decrypts
}

// lend gives a connection that holds no bytes of a record the loop's memory to read into, and reports whether it did.
func (d *decryption) lend(to *bytes.Buffer) bool {
	if to == nil || to.Len() > 0 {
		return false
	}
	*to, d.raw = d.raw, bytes.Buffer{}
	return true
}

// takeBack ends the loan. The connection keeps what has come of a record, and no memory if that is nothing.
func (d *decryption) takeBack(from *bytes.Buffer, lent bool) {
	if from == nil {
		return
	}
	rest := from.Bytes()
	if lent {
		from.Reset()
		d.raw = *from
		*from = *bytes.NewBuffer(bytes.Clone(rest))
	}
	if len(rest) == 0 {
		*from = bytes.Buffer{}
	}
}

// bufferOf is a buffer inside conn, for as long as nobody else uses conn. crypto/tls would keep in it, for each
// connection, as much as the largest record ever took, 18 KiB, which is more than all the rest of an idle one. It is
// nil where crypto/tls has no buffer of this name; then it costs that memory, and nothing else changes.
func bufferOf(conn *tls.Conn, name string) *bytes.Buffer {
	field := reflect.ValueOf(conn).Elem().FieldByName(name)
	if !field.IsValid() || field.Type() != reflect.TypeFor[bytes.Buffer]() {
		return nil
	}
	return (*bytes.Buffer)(unsafe.Pointer(field.UnsafeAddr()))
}
