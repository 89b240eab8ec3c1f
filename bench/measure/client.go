//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socket is what TLS of a client reads from and writes to: a connection that blocks during the handshakes, and
// afterwards a descriptor that does not.
type socket struct {
	net.Conn
	fd int // -1 during the handshakes
}

// nothing tells crypto/tls to try again later.
type nothing struct{}

func (nothing) Error() string   { return "nothing has come" }
func (nothing) Timeout() bool   { return true }
func (nothing) Temporary() bool { return true }

func (s *socket) Read(p []byte) (int, error) {
	if s.fd < 0 {
		return s.Conn.Read(p)
	}
	n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(s.fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)),
		unix.MSG_DONTWAIT, 0, 0)
	switch {
	case e == unix.EAGAIN:
		return 0, nothing{}
	case e != 0:
		return 0, e
	case n == 0:
		return 0, io.EOF
	}
	return int(n), nil
}

func (s *socket) Write(p []byte) (int, error) {
	if s.fd < 0 {
		return s.Conn.Write(p)
	}
	n, err := s.take(p)
	if err == nil && n < len(p) {
		err = fmt.Errorf("only %d of %d bytes were taken", n, len(p))
	}
	return n, err
}

// take has the kernel take as much as it wants now.
func (s *socket) take(p []byte) (n int, err error) {
	n, err = unix.Write(s.fd, p)
	if err == unix.EAGAIN {
		return 0, nil
	}
	return max(0, n), err
}

// duplicate takes the descriptor out of the hands of package net.
func (s *socket) duplicate() error {
	rc, err := s.Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	fd, dupErr := -1, error(nil)
	if err := rc.Control(func(of uintptr) { fd, dupErr = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return err
	}
	s.fd = fd
	return dupErr
}

// receive returns how many bytes have come, 0 for none.
func (c *client) receive(buf []byte) (n int, err error) {
	if c.secure == nil {
		n, err = c.Read(buf)
	}
	for c.secure != nil && err == nil { // a record may wait in it
		var more int
		more, err = c.secure.Read(buf[min(n, len(buf)-maxRecord):])
		n += more
	}
	if err == error(nothing{}) {
		err = nil
	}
	return n, err
}

const upgrade = " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

const deflateOffer = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; " +
	"client_no_context_takeover\r\n"

// shakeHands makes a WebSocket of the connection, of level 1 if there is a hello for it.
func (c *client) shakeHands(how opening) error {
	var conn net.Conn = c.socket
	if c.secure != nil {
		conn = c.secure
	}
	query, offer := "", ""
	if how.query != nil {
		query = how.query(c.port)
	}
	if how.hello != nil {
		offer = "Sec-WebSocket-Protocol: lineman.v1\r\n"
	}
	if how.deflate {
		offer += deflateOffer
	}
	head, err := ask(conn, "GET /"+query+upgrade+offer+"\r\n")
	if err == nil && !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		return fmt.Errorf("handshake: %.40q", head)
	}
	if err == nil && how.deflate && !strings.Contains(head, "permessage-deflate") {
		return fmt.Errorf("handshake without permessage-deflate: %q", head)
	}
	if err == nil && how.first != nil {
		_, err = conn.Write(maskedText(how.first(c.port)))
	}
	if err == nil && how.hello != nil {
		_, err = conn.Write(maskedText(how.hello(c.port)))
	}
	return err
}

// listen asks for a stream of events.
func (c *client) listen(how opening) error {
	fields := ""
	if how.fields != nil {
		fields = how.fields(c.port)
	}
	head, err := ask(c.socket, "GET "+how.events(c.port)+" HTTP/1.1\r\nHost: localhost\r\n"+fields+"\r\n")
	if err == nil && !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		return fmt.Errorf("events: %.40q", head)
	}
	return err
}

// ask sends a request and reads to the end of the answer's head.
func ask(c net.Conn, request string) (head string, err error) {
	if _, err := c.Write([]byte(request)); err != nil {
		return "", err
	}
	var got []byte
	for b := make([]byte, 1024); !bytes.Contains(got, []byte("\r\n\r\n")); {
		n, err := c.Read(b)
		if err != nil {
			return "", err
		}
		got = append(got, b[:n]...)
	}
	return string(got), nil
}
