//go:build unix

package channel

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrClosed means that the other process has gone, or that this end was closed.
var ErrClosed = errors.New("channel: closed")

const (
	maxLine   = 4 << 20          // of one message
	maxFiles  = 4                // of one message
	writeTime = 10 * time.Second // a process that takes nothing for so long is given up
)

// A Peer is one end of a channel. Its methods may be called from any goroutine.
type Peer struct {
	conn  *net.UnixConn
	serve func(*Request)
	done  chan struct{} // closed when nothing more will come

	writing chan struct{} // held, by sending, by who writes a message; a Peer at rest holds it
	out     writer        // of who holds writing

	// Owned by the goroutine that reads; by Suspend while that rests.
	in    lines
	files []int // descriptors that came, of a message that has not come whole

	mu         sync.Mutex // guards the following
	last       uint64
	calls      map[uint64]chan *message // nil once nothing more will come
	rest       *rest                    // nil while the Peer reads
	unanswered int                      // requests of the other end's
	answered   chan struct{}            // closed when there are no more of those; nil while nobody waits for that
}

// A Request is what the other end asks.
type Request struct {
	Op    Op
	Files []int // descriptors, now the receiver's

	peer *Peer
	id   uint64
	body json.RawMessage
}

// An Error is what the other end answered. It matches the error of the system that it was, if it was one.
type Error struct {
	Text   string
	Number syscall.Errno
}

func (e *Error) Error() string { return e.Text }

// Unwrap gives errors.Is the error of the system.
func (e *Error) Unwrap() error {
	if e.Number == 0 {
		return nil
	}
	return e.Number
}

// Pair makes two ends of a stream, such as those of a channel: one to Open, one to give to a child process.
func Pair() (own, child *os.File, err error) {
	syscall.ForkLock.RLock() // a process that another goroutine starts must not have the ends, too
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("channel: %w", os.NewSyscallError("socketpair", err))
	}
	return os.NewFile(uintptr(fds[0]), "channel"), os.NewFile(uintptr(fds[1]), "channel"), nil
}

// Open makes a Peer of an end of a channel, which it takes over. serve gets each request in order, on one goroutine
// that reads nothing more until serve returns; it may answer later.
func Open(f *os.File, serve func(*Request)) (*Peer, error) { return Continue(f, Suspended{}, serve) }

// Continue is Open for the end of a channel at which another Peer was suspended.
func Continue(f *os.File, s Suspended, serve func(*Request)) (*Peer, error) {
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("channel: %w", err)
	}
	f.Close()
	conn, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("channel: descriptor %s is no Unix socket", f.Name())
	}
	p := &Peer{
		conn: conn, serve: serve, done: make(chan struct{}), writing: make(chan struct{}, 1),
		last: s.Last, calls: make(map[uint64]chan *message), files: s.Files,
	}
	p.in.add(s.Unread)
	go p.read()
	return p, nil
}

// Done is closed when the other end has gone, as soon as serve has returned.
func (p *Peer) Done() <-chan struct{} { return p.done }

// AwaitGone waits until the other end has gone, also while serve does not return, and reports that; it reports false
// once over is closed. It looks every now and then: it is for a time that is short.
func (p *Peer) AwaitGone(over <-chan struct{}) bool {
	t := time.NewTicker(goneEvery)
	defer t.Stop()
	for !p.hasGone() {
		select {
		case <-over:
			return false
		case <-t.C:
		}
	}
	return true
}

// goneEvery is how often AwaitGone looks.
const goneEvery = 50 * time.Millisecond

// hasGone reports whether the other end has.
func (p *Peer) hasGone() bool {
	rc, err := p.conn.SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	err = rc.Control(func(fd uintptr) {
		end := []unix.PollFd{{Fd: int32(fd)}} // that it has gone is told in any case
		n, err := unix.Poll(end, 0)
		gone = err == nil && n > 0
	})
	return gone || err != nil
}

// Close ends the channel, and every Call with ErrClosed. It does not wait.
func (p *Peer) Close() { p.conn.Close() }

// Call asks the other end and waits for its answer, which is decoded into answer unless that is nil. It returns the
// descriptors that came with it. files stay the caller's. An *Error is the other end's.
func (p *Peer) Call(ctx context.Context, op Op, body, answer any, files ...int) ([]int, error) {
	id, reply, err := p.ask(op, body, files)
	if err != nil {
		return nil, err
	}
	return p.await(ctx, id, reply, answer)
}

// Give is Call with a file that becomes the other end's: it is closed here as soon as it was sent, and before the
// answer. So if it is an end of a pair, the end of the process that has it is the end of the stream.
func (p *Peer) Give(ctx context.Context, op Op, body, answer any, file *os.File) error {
	id, reply, err := p.ask(op, body, []int{int(file.Fd())})
	file.Close()
	if err != nil {
		return err
	}
	files, err := p.await(ctx, id, reply, answer)
	closeAll(files) // none is expected
	return err
}

// ask sends a request.
func (p *Peer) ask(op Op, body any, files []int) (id uint64, reply chan *message, err error) {
	reply = make(chan *message, 1)
	p.mu.Lock()
	if p.calls == nil {
		p.mu.Unlock()
		return 0, nil, ErrClosed
	}
	p.last++
	id = p.last
	p.calls[id] = reply
	p.mu.Unlock()
	if err := p.write(&message{ID: id, Op: op, Files: len(files), files: files}, body); err != nil {
		p.forget(id)
		return 0, nil, err
	}
	return id, reply, nil
}

// await waits for the answer to the request of an id.
func (p *Peer) await(ctx context.Context, id uint64, reply chan *message, answer any) ([]int, error) {
	select {
	case m := <-reply:
		return m.files, m.decode(answer)
	case <-ctx.Done():
	case <-p.done:
	}
	p.forget(id)
	select {
	case m := <-reply: // it came with the end
		return m.files, m.decode(answer)
	default:
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, ErrClosed
}

// forget has nobody wait for the answer to the request of an id.
func (p *Peer) forget(id uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.calls, id)
}

func (m *message) decode(answer any) error {
	if m.Error != "" {
		return &Error{Text: m.Error, Number: syscall.Errno(m.Number)}
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(m.Body, answer); err != nil {
		return fmt.Errorf("channel: %w", err)
	}
	return nil
}

// Decode reads what the request is about.
func (r *Request) Decode(v any) error {
	if p, ok := v.(*Probe); ok {
		return p.parse(r.body)
	}
	if err := json.Unmarshal(r.body, v); err != nil {
		return fmt.Errorf("channel: %s: %w", r.Op, err)
	}
	return nil
}

// Answer answers with body or, unless it is nil, with err. files stay the caller's. What cannot be sent is lost: the
// other end has gone.
func (r *Request) Answer(body any, err error, files ...int) {
	if err == nil {
		err = r.peer.write(&message{ID: r.id, Files: len(files), files: files}, body)
	}
	if err != nil {
		m := &message{ID: r.id, Error: cmp.Or(err.Error(), "an error without words")}
		var number syscall.Errno
		if errors.As(err, &number) {
			m.Number = int(number)
		}
		_ = r.peer.write(m, nil) // a text is always JSON
	}
	r.peer.settle()
}

// write sends a message, or returns an error if its body is no JSON. Another failure ends the channel: who waits for an
// answer learns it by that.
func (p *Peer) write(m *message, body any) error {
	p.writing <- struct{}{}
	defer func() { <-p.writing }()
	line, err := p.out.make(m, body)
	if err != nil {
		return fmt.Errorf("channel: %w", err)
	}
	if err := p.send(line, m.files); err != nil {
		p.conn.Close()
	}
	return nil
}

func (p *Peer) send(line []byte, files []int) error {
	if err := p.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	if len(files) > 0 {
		n, _, err := p.conn.WriteMsgUnix(line, unix.UnixRights(files...), nil)
		if err != nil {
			return err
		}
		line = line[n:]
	}
	_, err := p.conn.Write(line)
	return err
}

// read handles what comes until the end. Descriptors come with the first byte of their message or before it, so that
// those which are left belong to one message at most.
func (p *Peer) read() {
	defer p.end()
	defer func() { closeAll(p.files) }()
	chunk, control := make([]byte, kept), make([]byte, unix.CmsgSpace(4*maxFiles))
	m := &message{}
	for {
		n, oobn, _, _, err := p.conn.ReadMsgUnix(chunk, control)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			p.pause()
			continue
		}
		if err != nil || n == 0 {
			return
		}
		p.files = append(p.files, received(control[:oobn])...)
		p.in.add(chunk[:n])
		for line, whole := p.in.next(); whole; line, whole = p.in.next() {
			if m.Op == "" {
				m = &message{} // who has asked has the answer
			}
			if m.parse(line) != nil || m.Files < 0 || m.Files > len(p.files) {
				return
			}
			m.files, p.files = p.files[:m.Files:m.Files], p.files[m.Files:]
			p.dispatch(m)
		}
		if len(p.in.rest) > maxLine || len(p.files) > maxFiles {
			return
		}
	}
}

func (p *Peer) dispatch(m *message) {
	if m.Op != "" {
		p.mu.Lock()
		p.unanswered++
		p.mu.Unlock()
		p.serve(&Request{Op: m.Op, Files: m.files, peer: p, id: m.ID, body: m.Body})
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	reply := p.calls[m.ID]
	if reply == nil {
		closeAll(m.files) // nobody waits any more
		return
	}
	delete(p.calls, m.ID)
	reply <- m
}

func (p *Peer) end() {
	p.conn.Close()
	p.mu.Lock()
	p.calls = nil
	p.mu.Unlock()
	close(p.done)
}

// received are the descriptors of a control message.
func received(control []byte) (files []int) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for i := range messages {
		if fds, err := unix.ParseUnixRights(&messages[i]); err == nil {
			files = append(files, fds...)
		}
	}
	return files
}

func closeAll(files []int) {
	for _, fd := range files {
		unix.Close(fd)
	}
}
