package poll

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// mayBreakLocked reports, with lock held, whether a stream could break and nobody would see: the loop does not take
// what has come, or there will be no more.
func (s *socket) mayBreakLocked() bool {
	return tellsFailure && s.stream && s.broken == nil && (s.inErr == io.EOF || s.inErr == nil && !s.read)
}

// watchLocked waits, with lock held, until a stream breaks or is to be looked at again. It returns false if that cannot
// be done.
func (p *portable) watchLocked(s *socket) bool {
	c, ok := s.net.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	s.watched = true
	p.mu.Unlock()
	var broken error
	err = raw.Read(func(fd uintptr) bool { // again whenever something happens
		broken = failure(fd)
		return broken != nil
	})
	p.mu.Lock()
	s.watched = false
	if s.closed {
		return true
	}
	_ = s.net.(net.Conn).SetReadDeadline(time.Time{}) // look may have set it; it can fail only on a dead socket
	if broken != nil {
		s.broken, s.told = bare(broken), false
		if s.inErr != nil {
			s.inErr = s.broken
		}
		p.enqueueLocked(s)
	}
	return err == nil || errors.Is(err, os.ErrDeadlineExceeded)
}

// explainEndLocked has the loop read what broke the connection, with lock held, where it would read that there is no
// more: the system tells the reason once, to who writes or to who watches.
func (s *socket) explainEndLocked() {
	if s.inErr != io.EOF {
		return
	}
	if s.broken != nil {
		s.inErr = s.broken
	} else if s.outErr != nil {
		s.inErr = s.outErr
	}
}

// lookLocked has the goroutine that reads ahead lookLocked again, with lock held.
func (s *socket) lookLocked() {
	notify(s.more)
	if s.watched {
		_ = s.net.(net.Conn).SetReadDeadline(time.Unix(1, 0)) // it can fail only on a dead socket
	}
}

func (p *portable) Unsent(h Handle) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.socketLocked(h)
	if s == nil || s.unsent > 0 {
		return s != nil
	}
	waits := false
	s.control(func(fd uintptr) { waits = unsent(fd) }) // a closed one has nothing
	return waits
}

func (p *portable) UserTimeout(h Handle, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.socketLocked(h); s != nil {
		s.control(func(fd uintptr) { setUserTimeout(fd, d) })
	}
}

// control calls f with the descriptor of an open socket.
func (s *socket) control(f func(fd uintptr)) {
	if c, ok := s.net.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			_ = raw.Control(f)
		}
	}
}
