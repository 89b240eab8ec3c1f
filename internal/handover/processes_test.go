//go:build unix

package handover

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = time.Minute

// pair are both ends of a stream.
func pair(t testing.TB) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	return open(t, fds[0]), open(t, fds[1])
}

func open(t testing.TB, fd int) *net.UnixConn {
	t.Helper()
	syscall.CloseOnExec(fd)
	conn, err := Open(fd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// A client has one end of a connection; the descriptor of the other one crosses.
type client struct {
	id   uint64
	conn *net.UnixConn
	fd   int // of the predecessor
}

func connect(t testing.TB, id uint64) *client {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fds[1])
	return &client{id: id, conn: open(t, fds[0]), fd: fds[1]}
}

// mustBeGone fails the test if any process has the connection still.
func (c *client) mustBeGone(t testing.TB) {
	t.Helper()
	if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(c.conn); err != nil {
		t.Errorf("a descriptor of connection %d was left open: %v", c.id, err)
	}
}

// predecessor is a Source with some connections.
type predecessor struct {
	hello   Hello
	states  []State
	clients map[uint64]*client
	record  func(id uint64) Record // nil: its id alone
	tails   map[uint64]string
	kept    []uint64

	skipsLarge                       bool  // records that are too large stay
	statesErr, recordsErr, commitErr error // in place of the last one

	refused   map[uint64]string
	committed bool
}

func newPredecessor(t testing.TB, connections int) *predecessor {
	p := &predecessor{clients: map[uint64]*client{}, refused: map[uint64]string{}}
	for id := range uint64(connections) {
		p.clients[id+1] = connect(t, id+1)
	}
	return p
}

func (p *predecessor) Hello() Hello { return p.hello }

func (p *predecessor) States(send func(State) error) error {
	for _, s := range p.states {
		if err := send(s); err != nil {
			return err
		}
	}
	return p.statesErr
}

func (p *predecessor) Records(send func(*Record, int) error) error {
	for _, id := range slices.Sorted(maps.Keys(p.clients)) {
		r := Record{ID: id}
		if p.record != nil {
			r = p.record(id)
		}
		err := send(&r, p.clients[id].fd)
		if err != nil && !(p.skipsLarge && errors.Is(err, ErrTooLarge)) {
			return err
		}
	}
	return p.recordsErr
}

func (p *predecessor) Refused(id uint64, reason string) { p.refused[id] = reason }

func (p *predecessor) Commit(tail func(uint64, []byte) error, keep func(uint64) error) error {
	p.committed = true
	for _, id := range slices.Sorted(maps.Keys(p.tails)) {
		if err := tail(id, []byte(p.tails[id])); err != nil {
			return err
		}
	}
	for _, id := range p.kept {
		if err := keep(id); err != nil {
			return err
		}
	}
	return p.commitErr
}

// serves reports whether it serves a connection, after what Send returned.
func (p *predecessor) serves(id uint64, sent error) bool {
	_, refused := p.refused[id]
	return sent != nil || refused || slices.Contains(p.kept, id)
}

// die closes all that it has.
func (p *predecessor) die() {
	for _, c := range p.clients {
		syscall.Close(c.fd)
	}
}

// successor is a Sink.
type successor struct {
	said    []string // what has come, in words
	fds     map[uint64]int
	refuses map[uint64]string
	loans   map[uint64]int // what it has borrowed

	stateErr, readyErr, tailErr error
}

func newSuccessor() *successor { return &successor{fds: map[uint64]int{}} }

func (s *successor) State(state State) error {
	s.said = append(s.said, fmt.Sprintf("state %s/%d %s", state.Worker, state.Loop, state.Value))
	return s.stateErr
}

func (s *successor) Record(r *Record, fd int) error {
	if r.Lent {
		var ok bool
		if fd, ok = s.loans[r.ID]; !ok {
			return fmt.Errorf("%w: %d", ErrDescriptors, r.ID)
		}
	}
	if reason, ok := s.refuses[r.ID]; ok {
		syscall.Close(fd)
		return errors.New(reason)
	}
	s.fds[r.ID] = fd
	s.said = append(s.said, fmt.Sprintf("record %d %s", r.ID, bytes.TrimRight(r.Value, ".")))
	return nil
}

func (s *successor) Ready() error { return s.readyErr }

func (s *successor) Tail(id uint64, output []byte) error {
	s.said = append(s.said, fmt.Sprintf("tail %d %s", id, output))
	return s.tailErr
}

func (s *successor) Keep(id uint64) error {
	s.said = append(s.said, fmt.Sprintf("keep %d", id))
	syscall.Close(s.fds[id])
	delete(s.fds, id)
	return nil
}

// serves reports whether it serves a connection, after what Receive returned.
func (s *successor) serves(id uint64, received error) bool {
	_, has := s.fds[id]
	return received == nil && has
}

// die closes all that it has.
func (s *successor) die() {
	for _, fd := range s.fds {
		syscall.Close(fd)
	}
}

// outcome is how a transfer ended on both sides.
type outcome struct {
	sent, received error
	inherited      bool
}

// transfer runs both sides to their end, with the middleman between them.
func (m *middleman) transfer(
	t testing.TB, p *predecessor, s *successor, own, other *net.UnixConn, limits Limits,
) (o outcome) {
	t.Helper()
	m.run()
	defer m.wait()
	release := sync.OnceFunc(func() { close(m.release) })
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		o.sent = Send(own, p, limits)
		release()
	}()
	r, err := Accept(other, limits)
	if err == nil {
		if o.inherited, err = r.Receive(s); err == nil {
			r.Close()
		}
	}
	release()
	o.received = err
	select {
	case <-sent:
	case <-time.After(patience):
		t.Fatal("Send does not return")
	}
	return o
}
