//go:build unix

package handover

import (
	"errors"
	"fmt"
	"net"
	"time"
)

// Send hands over what a source has to the successor at the other end of conn, which it takes over, and returns when
// that is decided. Nil means that the successor has what was sent, but for what was refused and kept: the caller closes
// its descriptors, without a shutdown. An error means that the caller has all of it still, and serves on; a *Failed is
// the successor's reason.
//
// Each step has a limit, but for the last: when it has written yours, Send waits until the successor has said what it
// does, or has died.
//
// After an error a goroutine may go on telling the successor, until it has read that or has gone.
func Send(conn *net.UnixConn, source Source, limits Limits) error {
	s := &sender{stream: newStream(conn, limits), source: source}
	err := s.transfer()
	if err == nil {
		s.close()
		return nil
	}
	err = s.reason(err)
	go s.tell(kindAbort, err, 0)
	return err
}

type sender struct {
	*stream
	source  Source
	records uint64 // have been sent
	message []byte // is written to again and again
}

func (s *sender) transfer() error {
	for _, step := range []func() error{s.greet, s.sendStates, s.sendRecords, s.hearRefused, s.commit} {
		if err := step(); err != nil {
			return err
		}
	}
	return s.settle()
}

// greet says hello and waits until the successor has started.
func (s *sender) greet() error {
	hello := s.source.Hello()
	hello.Version = Version
	if err := s.put(kindHello, hello.append(nil)); err != nil {
		return err
	}
	if err := s.flush(s.limits.Step); err != nil {
		return err
	}
	m, err := s.hear(s.limits.Start)
	if err == nil && m.kind != kindWelcome {
		err = fmt.Errorf("%w: %s in place of %s", ErrCorrupt, m.kind, kindWelcome)
	}
	return err
}

func (s *sender) sendStates() error {
	return s.source.States(func(state State) error {
		s.message = state.append(s.message[:0])
		return s.send(kindState)
	})
}

func (s *sender) sendRecords() error {
	err := s.source.Records(func(r *Record, fd int) error {
		s.message = r.Append(s.message[:0])
		files := []int{fd}
		if !r.brings() {
			files = nil
		}
		err := s.send(kindRecord, files...)
		if err == nil {
			s.records++
		}
		return err
	})
	if err != nil {
		return err
	}
	end := note{count: s.records}
	if err := s.put(kindEnd, end.append(nil)); err != nil {
		return err
	}
	return s.flush(s.limits.Step)
}

// send puts the message that was made into the batch, unless it is too large.
func (s *sender) send(k kind, files ...int) error {
	if most := s.limits.of(k); len(s.message) > most {
		return fmt.Errorf("%w: a %s has %d bytes, of at most %d", ErrTooLarge, k, len(s.message), most)
	}
	return s.put(k, s.message, files...)
}

// hearRefused waits until the successor has all that was sent.
func (s *sender) hearRefused() error {
	for {
		m, err := s.hear(s.limits.Step)
		if err != nil {
			return err
		}
		switch m.kind {
		case kindRefused:
			var n note
			if err := n.parse(m.payload); err != nil {
				return err
			}
			s.source.Refused(n.id, n.reason)
		case kindReady:
			return nil
		default:
			return fmt.Errorf("%w: %s in place of %s", ErrCorrupt, m.kind, kindReady)
		}
	}
}

// commit gives up what was taken. yours goes in a write of its own: it is small, so that it goes whole or not at all.
func (s *sender) commit() error {
	err := s.source.Commit(func(id uint64, output []byte) error {
		tail := note{id: id, output: output}
		s.message = tail.append(s.message[:0])
		return s.send(kindTail)
	}, func(id uint64) error {
		keep := note{id: id}
		return s.put(kindKeep, keep.append(nil))
	})
	if err != nil {
		return err
	}
	if err := s.flush(s.limits.Step); err != nil {
		return err
	}
	if err := s.put(kindYours, nil); err != nil {
		return err
	}
	return s.flush(s.limits.Step)
}

// settle waits for what the successor says to yours. Only if it says that it gives up, it does not serve: without a
// word it may have served before it died.
func (s *sender) settle() error {
	_, err := s.hear(0)
	if failed := (*Failed)(nil); errors.As(err, &failed) {
		return err
	}
	if err == nil {
		_, _ = s.hear(untilServes) // nothing comes: the successor closes the stream, or is late
	}
	return nil
}

// untilServes is how long the predecessor leaves the processors to the successor, once that has taken over.
const untilServes = 100 * time.Millisecond

// hear reads the next message, and returns a *Failed if it is that.
func (s *sender) hear(within time.Duration) (message, error) {
	m, err := s.read(within)
	if err != nil || m.kind != kindFailed {
		return m, err
	}
	var n note
	if err := n.parse(m.payload); err != nil {
		return message{}, err
	}
	return message{}, &Failed{n.reason}
}

// reason is what the successor said before it closed the stream, or else err.
func (s *sender) reason(err error) error {
	for errors.Is(err, ErrClosed) {
		_, said := s.hear(s.limits.Step)
		if failed := (*Failed)(nil); errors.As(said, &failed) {
			return said
		}
		if said != nil {
			return err
		}
	}
	return err
}
