//go:build unix

package handover

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// mostRights is how many descriptors the system carries at once.
const mostRights = 253

// A stream is one end of the socket pair. It is used by one goroutine at a time.
type stream struct {
	conn   *net.UnixConn
	limits Limits

	messages   assembler
	buffer     []byte
	begin, end int    // of what has come, in buffer
	rights     []byte // room for those of one read
	files      []int  // have come, and belong to nobody yet

	frames framer
	sent   framer // frames, as it was before the batch
	batch  []byte // to be written
	lent   []int  // descriptors that go with it
	begun  bool   // a part of the batch was written, and then it failed
}

// Open makes a connection of an end of the socket pair, which it takes over.
func Open(fd int) (*net.UnixConn, error) {
	file := os.NewFile(uintptr(fd), "handover")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, fmt.Errorf("handover: %w", err)
	}
	end, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("handover: descriptor %d is not a Unix socket", fd)
	}
	return end, nil
}

func newStream(conn *net.UnixConn, limits Limits) *stream {
	limits = limits.filled()
	return &stream{
		conn: conn, limits: limits, messages: assembler{limits: limits},
		buffer: make([]byte, 64<<10), rights: make([]byte, syscall.CmsgSpace(mostRights*4)),
	}
}

// close ends the stream, and closes the descriptors that nobody has taken.
func (s *stream) close() {
	s.conn.Close()
	for _, fd := range s.files {
		syscall.Close(fd)
	}
	s.files = nil
}

// read returns the next message, which is valid until the next call. It waits within for each piece; 0 is for ever.
func (s *stream) read(within time.Duration) (message, error) {
	for {
		m, n, ok, err := s.messages.next(s.buffer[s.begin:s.end])
		s.begin += n
		if ok || err != nil {
			return m, err
		}
		if n > 0 {
			continue
		}
		if err := s.fill(within); err != nil {
			return message{}, err
		}
	}
}

// fill reads what has come, or waits for it.
func (s *stream) fill(within time.Duration) error {
	s.begin, s.end = 0, copy(s.buffer, s.buffer[s.begin:s.end])
	if s.end == len(s.buffer) {
		larger := make([]byte, min(2*len(s.buffer), frameBytes))
		copy(larger, s.buffer)
		s.buffer = larger
	}
	if err := s.conn.SetReadDeadline(deadline(within)); err != nil {
		return fmt.Errorf("handover: %w", err)
	}
	n, rights, flags, _, err := s.conn.ReadMsgUnix(s.buffer[s.end:], s.rights)
	if err := s.takeRights(s.rights[:rights]); err != nil {
		return err
	}
	s.end += max(n, 0) // -1 with an error
	switch {
	case err != nil:
		return broken(err, s.messages.end(s.end-s.begin))
	case flags&syscall.MSG_CTRUNC != 0:
		return ErrNoRoom
	case len(s.files) > 2*BatchRecords: // one batch, and what is left of the one before
		return fmt.Errorf("%w: %d have come that are in no record", ErrDescriptors, len(s.files))
	}
	return nil
}

func (s *stream) takeRights(rights []byte) error {
	if len(rights) == 0 {
		return nil
	}
	all, err := syscall.ParseSocketControlMessage(rights)
	for _, one := range all {
		fds, err := syscall.ParseUnixRights(&one)
		if err != nil {
			return fmt.Errorf("handover: %w", err)
		}
		s.files = append(s.files, fds...)
	}
	if err != nil {
		return fmt.Errorf("handover: %w", err)
	}
	return nil
}

// broken is what an error of the socket means. ended is the one of a stream that ends.
func broken(err, ended error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrTime
	case errors.Is(err, io.EOF), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		return ended
	}
	return fmt.Errorf("handover: %w", err)
}

func deadline(within time.Duration) time.Time {
	if within == 0 {
		return time.Time{}
	}
	return time.Now().Add(within)
}

// put adds a message to the batch, with the descriptors that go with it, and writes the batch if it is full.
func (s *stream) put(k kind, message []byte, files ...int) error {
	for more := true; more; files = nil {
		piece := message[:min(len(message), BatchBytes)]
		message = message[len(piece):]
		more = len(message) > 0
		if len(s.batch)+headBytes+len(piece)+sumBytes > frameBytes || len(s.lent)+len(files) > BatchRecords {
			if err := s.flush(s.limits.Step); err != nil {
				return err
			}
		}
		s.batch = s.frames.append(s.batch, k, piece, more)
		s.lent = append(s.lent, files...)
	}
	return nil
}

// flush writes the batch. When it fails, the batch is what has to follow the part that was written, if there is one.
func (s *stream) flush(within time.Duration) error {
	if len(s.batch) == 0 {
		return nil
	}
	n, err := s.write(deadline(within))
	s.lent = s.lent[:0]
	s.batch = s.batch[:copy(s.batch, s.batch[n:])]
	if err == nil {
		s.sent = s.frames
		return nil
	}
	s.begun = s.begun || n > 0
	return broken(err, ErrClosed)
}

// write writes the batch. Descriptors go with its first byte.
func (s *stream) write(until time.Time) (n int, err error) {
	if err := s.conn.SetWriteDeadline(until); err != nil {
		return 0, err
	}
	if len(s.lent) > 0 {
		n, _, err = s.conn.WriteMsgUnix(s.batch, syscall.UnixRights(s.lent...), nil)
		if err != nil {
			return 0, err
		}
	}
	if n == len(s.batch) {
		return n, nil
	}
	m, err := s.conn.Write(s.batch[n:])
	return n + m, err
}

// tell writes a message that says why, and closes the stream. Of the batch it writes only what has been begun.
func (s *stream) tell(k kind, reason error, within time.Duration) {
	if !s.begun {
		s.batch, s.lent, s.frames = s.batch[:0], nil, s.sent
	}
	why := note{reason: reason.Error()}
	why.reason = why.reason[:min(len(why.reason), longestReason)]
	s.batch = s.frames.append(s.batch, k, why.append(nil), false)
	_ = s.flush(within) // who has gone need not be told
	s.close()
}

// longestReason bounds what a process may say of why it gives up.
const longestReason = 1 << 10
