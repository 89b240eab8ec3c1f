//go:build unix

package handover

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"
)

// lender has connections to lend, in batches.
type lender struct {
	t       *testing.T
	clients []*client
	each    int // of a batch
	given   int
	err     error // in place of the last batch
}

func newLender(t *testing.T, connections, each int) *lender {
	l := &lender{t: t, each: each}
	for id := range uint64(connections) {
		l.clients = append(l.clients, connect(t, id+1))
	}
	return l
}

// next duplicates as a predecessor does.
func (l *lender) next() (loans []Loan, err error) {
	for len(loans) < l.each && l.given < len(l.clients) {
		c := l.clients[l.given]
		fd, err := syscall.Dup(c.fd)
		if err != nil {
			l.t.Error(err)
		}
		syscall.CloseOnExec(fd)
		loans = append(loans, Loan{ID: c.id, Loop: int(c.id % 3), FD: fd})
		l.given++
	}
	if l.given == len(l.clients) {
		err = l.err
	}
	return loans, err
}

func closeLoans(loans []Loan) {
	for _, one := range loans {
		syscall.Close(one.FD)
	}
}

// borrower takes what is lent.
type borrower struct {
	loans  []Loan
	unable int // it fails at that one; 0: at none
}

func (b *borrower) take(one Loan) error {
	b.loans = append(b.loans, one)
	if len(b.loans) == b.unable {
		return errors.New("lobby: it has no room")
	}
	return nil
}

// lend runs both sides to their end, and has the successor close what it has, unless it has all.
func lend(l *lender, b *borrower, own, other *net.UnixConn, within time.Duration) (lent, borrowed error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		lent = Lend(own, l.next, closeLoans, within)
	}()
	if borrowed = Borrow(other, b.take, within); borrowed != nil {
		closeLoans(b.loans)
		b.loans = nil
	}
	<-done
	return lent, borrowed
}

// mustLeaveNothing closes what both have, and fails the test if anybody else has something.
func (l *lender) mustLeaveNothing(b *borrower) {
	l.t.Helper()
	closeLoans(b.loans)
	for _, c := range l.clients {
		syscall.Close(c.fd)
		c.mustBeGone(l.t)
	}
}

// TestLend lends none, some, and several batches. What has come are the same sockets.
func TestLend(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, BatchRecords, 3*BatchRecords + 1} {
		own, other := pair(t)
		l, b := newLender(t, n, BatchRecords), &borrower{}
		lent, borrowed := lend(l, b, own, other, patience)
		if lent != nil || borrowed != nil || len(b.loans) != n {
			t.Errorf("%d of %d were lent: %v and %v", len(b.loans), n, lent, borrowed)
		}
		for i, one := range b.loans {
			c := l.clients[i]
			if one.ID != c.id || one.Loop != int(c.id%3) {
				t.Errorf("%d is %+v", i, one)
			}
			if _, err := syscall.Write(one.FD, []byte{byte(i)}); err != nil {
				t.Error(err)
			}
			got := make([]byte, 1)
			if _, err := c.conn.Read(got); err != nil || got[0] != byte(i) {
				t.Errorf("the client of %d reads %v, %v", i, got, err)
			}
		}
		l.mustLeaveNothing(b)
	}
}

// TestLendFaults has each fault happen to each message. The predecessor never takes for lent what its successor does
// not have, and no descriptor is left.
func TestLendFaults(t *testing.T) {
	t.Parallel()
	m, own, other := between(t)
	m.run()
	l, b := newLender(t, 5, 2), &borrower{}
	if lent, borrowed := lend(l, b, own, other, patience); lent != nil || borrowed != nil {
		t.Fatal(lent, borrowed)
	}
	m.wait()
	l.mustLeaveNothing(b)
	if want := []kind{kindLoan, kindLoan, kindLoan, kindLoan, kindLoan, kindEnd}; !slices.Equal(m.down.kinds, want) {
		t.Fatalf("%v have crossed, want %v", m.down.kinds, want)
	}
	for f := range fault(len(faultNames)) {
		for n, k := range m.down.kinds {
			t.Run(fmt.Sprintf("%s of %d %s", f, n, k), func(t *testing.T) { testLendFault(t, f, n, true) })
		}
		t.Run(fmt.Sprintf("%s of borrowed", f), func(t *testing.T) { testLendFault(t, f, 0, false) })
	}
}

func testLendFault(t *testing.T, f fault, n int, down bool) {
	t.Parallel()
	m, own, other := between(t)
	c := m.up
	if down {
		c = m.down
	}
	c.fault = func(i int, frame []byte) action {
		if i != n {
			return action{bytes: frame}
		}
		return f.do(frame)
	}
	within := patience
	if f == late {
		within = 100 * time.Millisecond
	}
	m.run()
	l, b := newLender(t, 5, 2), &borrower{}
	done := make(chan struct{})
	go func() { // a frame that is late comes when both have given up
		<-done
		close(m.release)
	}()
	lent, borrowed := lend(l, b, own, other, within)
	close(done)
	m.wait()
	if lent == nil && (borrowed != nil || len(b.loans) != len(l.clients)) {
		t.Errorf("it takes them for lent; the successor has %d: %v", len(b.loans), borrowed)
	}
	last := !down || n == len(l.clients) // nothing of the other side's is awaited
	harmless := f == pieces || last && f == doubled || !down && f == after
	if (lent == nil) != harmless && !(last && f == after) {
		t.Errorf("Lend: %v; Borrow: %v", lent, borrowed)
	}
	l.mustLeaveNothing(b)
}

// TestLendFails has either side not go on, or come late.
func TestLendFails(t *testing.T) {
	t.Parallel()
	why := errors.New("lobby: too many open files")
	for _, c := range []struct {
		name   string
		make   func(*lender, *borrower)
		within time.Duration
	}{
		{"the predecessor has no descriptor", func(l *lender, _ *borrower) { l.err = why }, patience},
		{"the successor has no room", func(_ *lender, b *borrower) { b.unable = 4 }, patience},
		{"there is no time", func(*lender, *borrower) {}, -1},
	} {
		own, other := pair(t)
		l, b := newLender(t, 5, 2), &borrower{}
		c.make(l, b)
		if lent, borrowed := lend(l, b, own, other, c.within); lent == nil || borrowed == nil {
			t.Errorf("%s: %v and %v", c.name, lent, borrowed)
		}
		l.mustLeaveNothing(b)
	}
}

// TestLoans has what comes in place of loans be refused.
func TestLoans(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		put  func(s *stream, fd int) error
		want error
	}{
		{"none", func(s *stream, _ int) error { return s.put(kindLoan, nil) }, ErrDescriptors},
		{"two", func(s *stream, fd int) error {
			return errors.Join(s.put(kindLoan, nil, fd, fd), s.put(kindEnd, []byte("\x02\x01\x01")))
		}, ErrDescriptors},
		{"another number", func(s *stream, fd int) error {
			return errors.Join(s.put(kindLoan, nil, fd), s.put(kindEnd, []byte("\x02\x01\x02")))
		}, ErrDescriptors},
		{"an unknown field", func(s *stream, fd int) error {
			return s.put(kindLoan, []byte("\x63\x01\x01"), fd)
		}, ErrVersion},
		{"a record", func(s *stream, fd int) error { return s.put(kindRecord, nil, fd) }, ErrCorrupt},
		{"nothing", func(*stream, int) error { return nil }, ErrClosed},
	} {
		own, other := pair(t)
		l, b := newLender(t, 1, 1), &borrower{}
		s := newStream(own, Limits{})
		if err := errors.Join(c.put(s, l.clients[0].fd), s.flush(patience)); err != nil {
			t.Fatal(err)
		}
		s.close()
		if err := Borrow(other, b.take, patience); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		l.mustLeaveNothing(b)
	}
}

// TestLendNoRoom has a successor that may not have so many descriptors as are lent. It is not parallel, as the limit is
// that of the process.
func TestLendNoRoom(t *testing.T) {
	const loans = 20
	for _, room := range []int{0, 1, loans - 1} {
		own, other := pair(t)
		l, b := newLender(t, loans, BatchRecords), &borrower{}
		batch, err := l.next()
		if err != nil {
			t.Fatal(err)
		}
		s := lending{newStream(own, Limits{}), time.Now().Add(patience)}
		if err := s.send(batch); err != nil {
			t.Fatal(err)
		}
		lift := leaveRoom(t, room)
		err = Borrow(other, b.take, patience)
		lift()
		if !errors.Is(err, ErrNoRoom) {
			t.Errorf("with room for %d: %v", room, err)
		}
		closeLoans(batch)
		s.close()
		l.mustLeaveNothing(b)
	}
}

// TestLent has records say that they are lent: they bring no descriptor. One whose loan the successor does not have
// ends the handover.
func TestLent(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{true, false} {
		m, own, other := between(t)
		p, s := newPredecessor(t, 3), newSuccessor()
		p.record = func(id uint64) Record { return Record{ID: id, Lent: id == 2} }
		if known {
			fd, err := syscall.Dup(p.clients[2].fd)
			if err != nil {
				t.Fatal(err)
			}
			s.loans = map[uint64]int{2: fd}
		}
		o := m.transfer(t, p, s, own, other, Limits{})
		switch {
		case known && (o.sent != nil || o.received != nil || len(s.fds) != 3):
			t.Errorf("%v have crossed: %v and %v", s.fds, o.sent, o.received)
		case !known && (o.sent == nil || !errors.Is(o.received, ErrDescriptors)):
			t.Errorf("%v and %v", o.sent, o.received)
		}
		mustLeaveNothing(t, p, s)
	}
}
