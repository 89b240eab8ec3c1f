//go:build unix

package handover

import (
	"fmt"
	"net"
	"time"
)

// Lend sends the descriptors of connections, before their predecessor stands still, to the successor at the other end
// of conn, which it takes over. next gives the next ones, at most BatchRecords, and none in the end; done is called
// when they were sent, or not. Nil means that the successor has them all: only then a record may say Lent. It takes no
// longer than within.
func Lend(conn *net.UnixConn, next func() ([]Loan, error), done func([]Loan), within time.Duration) error {
	l := lending{newStream(conn, Limits{}), time.Now().Add(within)}
	defer l.close()
	count := uint64(0)
	for {
		loans, err := next()
		if err == nil {
			err = l.send(loans)
		}
		done(loans)
		if err != nil {
			return err
		}
		if count += uint64(len(loans)); len(loans) == 0 {
			break
		}
	}
	end := note{count: count}
	if err := l.put(kindEnd, end.append(nil)); err != nil {
		return err
	}
	if err := l.flush(l.left()); err != nil {
		return err
	}
	m, err := l.read(l.left())
	if err == nil && m.kind != kindBorrowed {
		err = fmt.Errorf("%w: %s in place of %s", ErrCorrupt, m.kind, kindBorrowed)
	}
	return err
}

// Borrow reads what a predecessor lends at the other end of conn, which it takes over, and gives each loan to take,
// which takes the descriptor over, whatever it returns. It says so in the end, unless there is an error: then what was
// taken is of no use. It takes no longer than within.
func Borrow(conn *net.UnixConn, take func(Loan) error, within time.Duration) error {
	l := lending{newStream(conn, Limits{}), time.Now().Add(within)}
	defer l.close()
	for count := uint64(0); ; count++ {
		m, err := l.read(l.left())
		if err != nil {
			return err
		}
		switch m.kind {
		case kindLoan:
			err = l.take(m.payload, take)
		case kindEnd:
			return l.borrowed(m.payload, count)
		default:
			err = fmt.Errorf("%w: %s in place of %s", ErrCorrupt, m.kind, kindLoan)
		}
		if err != nil {
			return err
		}
	}
}

// lending is a stream for loans, for some time.
type lending struct {
	*stream
	until time.Time
}

// left is how much time there is.
func (l *lending) left() time.Duration { return max(time.Until(l.until), 1) }

// send writes a batch.
func (l *lending) send(loans []Loan) error {
	var message []byte
	for _, one := range loans {
		r := Record{ID: one.ID, Loop: one.Loop}
		message = r.Append(message[:0])
		if err := l.put(kindLoan, message, one.FD); err != nil {
			return err
		}
	}
	return l.flush(l.left())
}

// take gives a loan, which is a record of two fields, to who takes it.
func (l *lending) take(payload []byte, take func(Loan) error) error {
	var r Record
	if err := r.Parse(payload); err != nil {
		return err
	}
	if len(l.files) == 0 {
		return fmt.Errorf("%w: a loan has come without one", ErrDescriptors)
	}
	fd := l.files[0]
	l.files = l.files[:copy(l.files, l.files[1:])]
	return take(Loan{ID: r.ID, Loop: r.Loop, FD: fd})
}

// borrowed compares what was lent with what has come, and says that it has.
func (l *lending) borrowed(payload []byte, count uint64) error {
	var end note
	if err := end.parse(payload); err != nil {
		return err
	}
	if end.count != count || len(l.files) > 0 {
		return fmt.Errorf("%w: %d were lent, and %d have come", ErrDescriptors, end.count, count)
	}
	if err := l.put(kindBorrowed, nil); err != nil {
		return err
	}
	return l.flush(l.left())
}
