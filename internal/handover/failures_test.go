//go:build unix

package handover

import (
	"errors"
	"math"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestFailures has either side not want to go on. The predecessor serves, and each is told why.
func TestFailures(t *testing.T) {
	t.Parallel()
	why := errors.New("lobby: the disk is full")
	for _, c := range []struct {
		name           string
		make           func(*predecessor, *successor)
		sent, received string
	}{
		{"SaveState", func(p *predecessor, _ *successor) { p.statesErr = why }, "", "the predecessor gave up: "},
		{"records", func(p *predecessor, _ *successor) { p.recordsErr = why }, "", "the predecessor gave up: "},
		{"commit", func(p *predecessor, _ *successor) { p.commitErr = why }, "", "the predecessor gave up: "},
		{"RestoreState", func(_ *predecessor, s *successor) { s.stateErr = why }, "the successor gave up: ", ""},
		{"ready", func(_ *predecessor, s *successor) { s.readyErr = why }, "the successor gave up: ", ""},
		{"a tail", func(_ *predecessor, s *successor) { s.tailErr = why }, "the successor gave up: ", ""},
		{
			"a long reason",
			func(_ *predecessor, s *successor) { s.stateErr = errors.New(strings.Repeat("long", 1000)) },
			"the successor gave up: " + strings.Repeat("long", 256), strings.Repeat("long", 1000),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m, own, other := between(t)
			p, s := scene(t)
			c.make(p, s)
			o := m.transfer(t, p, s, own, other, Limits{})
			for _, one := range []struct {
				err  error
				want string
			}{{o.sent, c.sent}, {o.received, c.received}} {
				if one.err == nil || !strings.Contains(one.err.Error(), one.want) {
					t.Errorf("%v, want %s", one.err, one.want)
				}
			}
			if aborted := (*Aborted)(nil); strings.Contains(c.received, "gave up") && !errors.As(o.received, &aborted) {
				t.Errorf("Receive: %T", o.received)
			}
			if failed := (*Failed)(nil); strings.Contains(c.sent, "gave up") && !errors.As(o.sent, &failed) {
				t.Errorf("Send: %T", o.sent)
			}
			mustLeaveNothing(t, p, s)
		})
	}
}

// TestFail has the successor not start.
func TestFail(t *testing.T) {
	t.Parallel()
	own, other := pair(t)
	p := newPredecessor(t, 1)
	sent := make(chan error, 1)
	go func() { sent <- Send(own, p, Limits{}) }()
	r, err := Accept(other, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	r.Fail(errors.New("lobby: the port is taken"))
	if err := <-sent; err == nil || err.Error() != "handover: the successor gave up: lobby: the port is taken" {
		t.Errorf("Send: %v", err)
	}
	mustLeaveNothing(t, p, newSuccessor())
}

// TestTooLarge has a record that is larger than the limit stay, and the others cross; a state ends the handover.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	limits := Limits{Bytes: 100, State: 100}
	m, own, other := between(t)
	p, s := newPredecessor(t, 2), newSuccessor()
	p.record = func(id uint64) Record { return Record{ID: id, Value: make([]byte, 80*id)} }
	p.skipsLarge = true
	o := m.transfer(t, p, s, own, other, limits)
	if o.sent != nil || o.received != nil || len(s.fds) != 1 || s.fds[1] == 0 {
		t.Errorf("%v have crossed; Send: %v; Receive: %v", s.fds, o.sent, o.received)
	}
	mustLeaveNothing(t, p, s)

	m, own, other = between(t)
	p, s = newPredecessor(t, 1), newSuccessor()
	p.states = []State{{Value: make([]byte, 101)}}
	o = m.transfer(t, p, s, own, other, limits)
	if !errors.Is(o.sent, ErrTooLarge) || o.received == nil {
		t.Errorf("Send: %v; Receive: %v", o.sent, o.received)
	}
	mustLeaveNothing(t, p, s)
}

// TestDescriptors has a predecessor that sends more or fewer of them than records, or something else first.
func TestDescriptors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		put  func(s *stream, fd int) error
		want error
	}{
		{"none", func(s *stream, _ int) error { return s.put(kindRecord, nil) }, ErrDescriptors},
		{"two", func(s *stream, fd int) error {
			return errors.Join(s.put(kindRecord, nil, fd, fd), s.put(kindEnd, []byte("\x02\x01\x01")))
		}, ErrDescriptors},
		{"with a state", func(s *stream, fd int) error {
			return errors.Join(s.put(kindState, nil, fd), s.put(kindEnd, nil))
		}, ErrDescriptors},
		{"far too many", func(s *stream, fd int) error {
			for range 2*BatchRecords + 1 {
				if err := errors.Join(s.put(kindState, nil, fd), s.flush(patience)); err != nil {
					return err
				}
			}
			return nil
		}, ErrDescriptors},
		{"a record with an unknown field", func(s *stream, fd int) error {
			return s.put(kindRecord, []byte("\x63\x01\x01"), fd)
		}, ErrVersion},
		{"a state after a record", func(s *stream, fd int) error {
			return errors.Join(s.put(kindRecord, nil, fd), s.put(kindState, nil))
		}, ErrCorrupt},
		{"a wrong number of records", func(s *stream, fd int) error {
			return errors.Join(s.put(kindRecord, nil, fd), s.put(kindEnd, []byte("\x02\x01\x02")))
		}, ErrCorrupt},
		{"yours before the end", func(s *stream, fd int) error { return s.put(kindYours, nil) }, ErrCorrupt},
		{"a record after the end", func(s *stream, fd int) error {
			return errors.Join(s.put(kindEnd, nil), s.put(kindRecord, nil, fd))
		}, ErrDescriptors},
		{"a state after the end", func(s *stream, fd int) error {
			return errors.Join(s.put(kindEnd, nil), s.put(kindState, nil))
		}, ErrCorrupt},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			own, other := pair(t)
			p, to := newPredecessor(t, 1), newSuccessor()
			s := newStream(own, Limits{})
			hello := Hello{Version: Version}
			if err := errors.Join(s.put(kindHello, hello.append(nil)), s.flush(patience)); err != nil {
				t.Fatal(err)
			}
			written := make(chan error, 1)
			go func() { written <- errors.Join(c.put(s, p.clients[1].fd), s.flush(patience)) }()
			r, err := Accept(other, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Receive(to); !errors.Is(err, c.want) {
				t.Errorf("Receive: %v, want %v", err, c.want)
			}
			if err := <-written; err != nil && !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
			s.close()
			mustLeaveNothing(t, p, to)
		})
	}
}

// TestLaterVersion has a predecessor of a later version: the successor refuses it before anything else, and says so.
func TestLaterVersion(t *testing.T) {
	t.Parallel()
	own, other := pair(t)
	s := newStream(own, Limits{})
	defer s.close()
	hello := Hello{Version: Version + 1}
	if err := errors.Join(s.put(kindHello, hello.append(nil)), s.flush(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := Accept(other, Limits{}); !errors.Is(err, ErrVersion) {
		t.Errorf("Accept: %v", err)
	}
	said := &sender{stream: s}
	if _, err := said.hear(patience); err == nil || !strings.Contains(err.Error(), "reload with --drain") {
		t.Errorf("the predecessor is told %v", err)
	}
}

// TestNoHello has a predecessor that says nothing, or not hello.
func TestNoHello(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		do   func(own *net.UnixConn) error
		want error
	}{
		{"nothing", func(*net.UnixConn) error { return nil }, ErrTime},
		{"gone", func(own *net.UnixConn) error { return own.Close() }, ErrClosed},
		{"half", func(own *net.UnixConn) error {
			_, err := own.Write([]byte{byte(kindHello)})
			return errors.Join(err, own.Close())
		}, ErrTruncated},
		{"another one", func(own *net.UnixConn) error {
			s := newStream(own, Limits{})
			return errors.Join(s.put(kindYours, nil), s.flush(patience))
		}, ErrCorrupt},
	} {
		own, other := pair(t)
		if err := c.do(own); err != nil {
			t.Fatal(err)
		}
		limits := Limits{}
		if c.want == ErrTime {
			limits.Step = time.Millisecond
		}
		if _, err := Accept(other, limits); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// TestNoRoom has a successor that may not have so many descriptors as cross, for each number that is too small, and the
// first two that are not. It is not parallel, as the limit is that of the process.
func TestNoRoom(t *testing.T) {
	const records = 20
	goroutines := goleak.IgnoreCurrent()
	for room := range records + 2 {
		own, other := pair(t)
		p, s := newPredecessor(t, records), newSuccessor()
		p.hello.Conns = math.MaxInt32 // too many for the table to grow: the successor would hold a number for a moment
		lift := leaveRoom(t, room)
		sent := make(chan error, 1)
		go func() { sent <- Send(own, p, Limits{}) }()
		r, err := Accept(other, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		_, received := r.Receive(s)
		r.Close()
		err = <-sent
		lift()
		if room >= records {
			if received != nil || err != nil || len(s.fds) != records {
				t.Errorf("with room for %d: %v and %v; %d have crossed", room, received, err, len(s.fds))
			}
		} else if !errors.Is(received, ErrNoRoom) || err == nil || !strings.Contains(err.Error(), "ulimit") {
			t.Errorf("with room for %d: Receive: %v; Send: %v", room, received, err)
		}
		mustLeaveNothing(t, p, s)
		goleak.VerifyNone(t, goroutines) // who gives up closes its end later: there would be more room for the next
	}
}

// leaveRoom lets this process have so many descriptors more than it has, until lift.
func leaveRoom(t *testing.T, room int) (lift func()) {
	t.Helper()
	var none int // the first one that there is no room for
	for range room + 1 {
		fd, err := syscall.Dup(0)
		if err != nil {
			t.Fatal(err)
		}
		defer syscall.Close(fd)
		none = fd
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	lower := limit
	assign(&lower.Cur, none)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lower); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
	}
}

// assign sets a number whose type is not the same on all systems.
func assign[N int64 | uint64](to *N, n int) { *to = N(n) }
