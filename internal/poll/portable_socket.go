package poll

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"
)

// awaitLocked waits, with lock held, until the loop has taken what was read ahead and wants more. It returns false when
// the socket has closed, or was halted.
func (p *portable) awaitLocked(s *socket) bool {
	for !s.closed && !s.halted && !p.wantsMoreLocked(s) {
		if s.mayBreakLocked() && p.watchLocked(s) {
			continue
		}
		p.mu.Unlock()
		<-s.more
		p.mu.Lock()
	}
	return !s.closed && !s.halted
}

// wantsMoreLocked reports, with lock held, whether to read ahead. A stream is read even while disarmed, because that is
// how it is known to have failed; it is no more than its buffer. Others wait for the first Wait: a process that fails
// before it can serve would take who was accepted with it, though other processes have the socket.
func (p *portable) wantsMoreLocked(s *socket) bool {
	return (s.read && p.waits || s.stream) && s.accepted == nil && len(s.in) == 0 && !s.datagram && s.inErr == nil
}

func (p *portable) Listen(ln net.Listener, _ bool) (Handle, error) {
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	return p.open(&socket{net: ln}, func(s *socket) { p.acceptAhead(s, ln) })
}

func (p *portable) acceptAhead(s *socket, ln net.Listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.awaitLocked(s) {
		p.mu.Unlock()
		c, err := ln.Accept()
		p.mu.Lock()
		if s.closed {
			if c != nil {
				c.Close()
			}
			return
		}
		if s.halted && err != nil {
			return
		}
		s.accepted, s.inErr = c, bare(err)
		p.enqueueLocked(s)
	}
}

func (p *portable) Accept(ln Handle) (Accepted, netip.AddrPort, error) {
	p.mu.Lock()
	s := p.socketLocked(ln)
	if s == nil {
		p.mu.Unlock()
		return Accepted{}, netip.AddrPort{}, fmt.Errorf("poll: %w", net.ErrClosed)
	}
	c, err := s.accepted, s.inErr
	s.accepted, s.inErr = nil, nil
	notify(s.more)
	p.mu.Unlock()
	if err != nil {
		return Accepted{}, netip.AddrPort{}, err
	}
	if c == nil {
		return Accepted{}, netip.AddrPort{}, ErrAgain
	}
	var peer netip.AddrPort
	if t, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		peer = unmapped(t.AddrPort())
	}
	return Accepted{conn: c}, peer, nil
}

func (p *portable) Adopt(a Accepted) (Handle, error) {
	h, err := p.Stream(a.conn)
	if err != nil {
		a.conn.Close()
	}
	return h, err
}

// Halt ends the goroutine that reads ahead by a deadline in the past.
func (p *portable) Halt(h Handle) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.socketLocked(h)
	if s == nil {
		return false
	}
	s.halted = true
	notify(s.more)
	if expire(s.net) == nil {
		p.mu.Unlock()
		<-s.over
		p.mu.Lock()
	}
	return s.accepted != nil || s.datagram
}

// expire ends the reading or accepting that is under way.
func expire(c io.Closer) error {
	switch c := c.(type) {
	case *net.UDPConn:
		return c.SetReadDeadline(time.Unix(1, 0))
	case interface{ SetDeadline(time.Time) error }:
		return c.SetDeadline(time.Unix(1, 0))
	}
	return errors.ErrUnsupported
}

func (p *portable) Stream(c net.Conn) (Handle, error) {
	return p.open(&socket{net: c, stream: true}, func(s *socket) { p.readAhead(s, c) })
}

// Detach stops the goroutine that reads ahead by a deadline in the past.
func (p *portable) Detach(h Handle) (net.Conn, []byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.socketLocked(h)
	if s == nil || !s.stream {
		return nil, nil, fmt.Errorf("poll: %w", net.ErrClosed)
	}
	if s.writing {
		return nil, nil, ErrAgain
	}
	c := s.net.(net.Conn)
	s.closed = true
	s.lookLocked()
	err := c.SetReadDeadline(time.Unix(1, 0))
	if err == nil {
		p.mu.Unlock()
		<-s.over
		p.mu.Lock()
		err = c.SetReadDeadline(time.Time{})
	}
	if err != nil {
		return nil, nil, fmt.Errorf("poll: %w", err)
	}
	unread := s.in
	s.net, s.in = detached{}, nil
	return c, unread, nil
}

func (p *portable) Output(Handle) (Output, error) { return nil, errors.ErrUnsupported }

func (p *portable) Pipe() (Pipe, error) { return nil, errors.ErrUnsupported }

func (p *portable) Batch() (Batch, error) { return nil, errors.ErrUnsupported }

// detached is the socket of a handle whose connection was given away.
type detached struct{}

func (detached) Close() error { return nil }

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

func (p *portable) readAhead(s *socket, c net.Conn) {
	buf := make([]byte, readAhead)
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.awaitLocked(s) {
		p.mu.Unlock()
		n, err := c.Read(buf)
		p.mu.Lock()
		s.in, s.inErr, s.told = buf[:n], bare(err), false
		s.explainEndLocked()
		p.enqueueLocked(s)
	}
}

func (p *portable) Read(h Handle, b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.socketLocked(h)
	switch {
	case s == nil:
		return 0, fmt.Errorf("poll: %w", net.ErrClosed)
	case len(s.in) == 0 && s.inErr != nil:
		return 0, s.inErr
	case len(s.in) == 0:
		return 0, ErrAgain
	}
	n := copy(b, s.in)
	if s.in = s.in[n:]; len(s.in) == 0 {
		s.lookLocked()
	}
	return n, nil
}

func (p *portable) Write(h Handle, b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.socketLocked(h)
	switch {
	case s == nil:
		return 0, fmt.Errorf("poll: %w", net.ErrClosed)
	case s.outErr != nil:
		return 0, s.outErr
	case s.endOfOut:
		return 0, syscall.EPIPE
	}
	n := min(len(b), writeAhead-s.unsent)
	s.out = append(s.out, b[:n]...)
	s.unsent += n
	if n > 0 && !s.writing {
		s.writing = true
		p.wg.Add(1)
		go func() {
			defer p.wg.Done()
			p.writeOut(s, s.net.(net.Conn))
		}()
	}
	if n < len(b) {
		return n, ErrAgain
	}
	return n, nil
}

// writeOut writes until there is nothing left, and does then what was asked for meanwhile.
func (p *portable) writeOut(s *socket, c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(s.out) > 0 && s.outErr == nil {
		if p.shut {
			s.hurryLocked()
		}
		b := s.out
		s.out, s.spare = s.spare[:0], nil
		p.mu.Unlock()
		err := p.writeAll(s, c, b)
		p.mu.Lock()
		s.unsent -= len(b)
		s.spare = b
		s.outErr, s.told = bare(err), false
		s.explainEndLocked()
		p.enqueueLocked(s)
	}
	s.writing, s.out, s.spare = false, nil, nil
	if s.endOfOut {
		_ = endStream(c) // a broken one has ended already
	}
	if s.closed {
		c.Close()
		p.leaving = slices.DeleteFunc(p.leaving, func(other *socket) bool { return other == s })
	}
	p.enqueueLocked(s)
}

// writeAll writes b. Once the poller is shut it goes on for as long as the peer takes some of it.
func (p *portable) writeAll(s *socket, c net.Conn, b []byte) error {
	for {
		n, err := c.Write(b)
		if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		p.mu.Lock()
		again := s.hurryLocked()
		p.mu.Unlock()
		if !again {
			return err
		}
		b = b[n:]
	}
}

func (p *portable) CloseWrite(h Handle) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.socketLocked(h)
	if s == nil {
		return fmt.Errorf("poll: %w", net.ErrClosed)
	}
	s.endOfOut = true
	if s.writing {
		return nil
	}
	p.enqueueLocked(s)
	return bare(endStream(s.net))
}

func endStream(c io.Closer) error {
	if c, ok := c.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

func (p *portable) Packet(pc net.PacketConn) (Handle, error) {
	u, ok := pc.(*net.UDPConn)
	if !ok {
		return 0, fmt.Errorf("poll: %T is no UDP socket", pc)
	}
	receive := receiver(u)
	return p.open(&socket{net: u}, func(s *socket) { p.receiveAhead(s, receive) })
}

func (p *portable) receiveAhead(s *socket, receive func(b []byte) (int, Ends, error)) {
	buf := make([]byte, 64<<10)
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.awaitLocked(s) {
		p.mu.Unlock()
		n, between, err := receive(buf)
		p.mu.Lock()
		if s.halted && err != nil {
			return
		}
		s.in, s.between, s.datagram, s.inErr = buf[:n], between, err == nil, bare(err)
		p.enqueueLocked(s)
	}
}

// receiver is how a datagram is read, and where it was sent to, if the socket has several addresses and the system
// tells.
func receiver(u *net.UDPConn) func(b []byte) (int, Ends, error) {
	tells := false
	if rc, err := u.SyscallConn(); err == nil {
		_ = rc.Control(func(fd uintptr) { tells = askDestination(int(fd)) }) // if it fails, so does what follows
	}
	if !tells {
		return func(b []byte) (int, Ends, error) {
			n, from, err := u.ReadFromUDPAddrPort(b)
			return n, Ends{Peer: unmapped(from)}, err
		}
	}
	told := new(control)
	return func(b []byte) (int, Ends, error) {
		n, size, _, from, err := u.ReadMsgUDPAddrPort(b, told.bytes())
		if err != nil {
			return 0, Ends{}, err // n may be -1
		}
		return n, Ends{unmapped(from), destinationIn(told.bytes()[:size])}, nil
	}
}

func (p *portable) ReadFrom(h Handle, b []byte) (int, Ends, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.socketLocked(h)
	if s == nil {
		return 0, Ends{}, fmt.Errorf("poll: %w", net.ErrClosed)
	}
	if err := s.inErr; err != nil {
		s.inErr = nil
		notify(s.more)
		return 0, Ends{}, err
	}
	if !s.datagram {
		return 0, Ends{}, ErrAgain
	}
	n := copy(b, s.in)
	s.in, s.datagram = nil, false
	notify(s.more)
	return n, s.between, nil
}

func (p *portable) WriteTo(h Handle, b []byte, between Ends) error {
	p.mu.Lock()
	s := p.socketLocked(h)
	p.mu.Unlock()
	if s == nil {
		return fmt.Errorf("poll: %w", net.ErrClosed)
	}
	u := s.net.(*net.UDPConn)
	var err error
	switch {
	case !between.Peer.IsValid():
		_, err = u.Write(b)
	case between.Local.IsValid():
		var said control
		_, _, err = u.WriteMsgUDPAddrPort(b, putSource(&said, between.Local), unmapped(between.Peer))
	default:
		_, err = u.WriteToUDPAddrPort(b, unmapped(between.Peer))
	}
	return bare(err)
}
