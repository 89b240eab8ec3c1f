//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// load is the clients of a measurement: connections on one epoll set, driven by one thread that never sleeps, so that the
// server does not pay for waking it.
type load struct {
	epfd  int
	conns []client
	buf   [256 << 10]byte
}

type client struct {
	fd       int
	received int // bytes of replies under way
}

const upgrade = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// connect opens n connections, and makes WebSockets of them if webSocket is true.
func connect(addr string, n int, webSocket bool) (*load, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	l := &load{epfd: epfd}
	for range n {
		if err := l.add(addr, webSocket); err != nil {
			l.close()
			return nil, fmt.Errorf("connection %d of %d: %w", len(l.conns)+1, n, err)
		}
	}
	return l, nil
}

func (l *load) add(addr string, webSocket bool) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if webSocket {
		if err := shakeHands(c); err != nil {
			return err
		}
	}
	fd, err := duplicate(c.(syscall.Conn))
	if err != nil {
		return err
	}
	l.conns = append(l.conns, client{fd: fd})
	return unix.EpollCtl(l.epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(len(l.conns) - 1)})
}

func shakeHands(c net.Conn) error {
	if _, err := c.Write([]byte(upgrade)); err != nil {
		return err
	}
	var head []byte
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		b := make([]byte, 1024)
		n, err := c.Read(b)
		if err != nil {
			return err
		}
		head = append(head, b[:n]...)
	}
	if !strings.HasPrefix(string(head), "HTTP/1.1 101 ") {
		return fmt.Errorf("handshake: %.40q", head)
	}
	return nil
}

func duplicate(c syscall.Conn) (int, error) {
	rc, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd, dupErr := -1, error(nil)
	if err := rc.Control(func(s uintptr) { fd, dupErr = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return -1, err
	}
	return fd, dupErr
}

func (l *load) close() {
	for _, c := range l.conns {
		unix.Close(c.fd)
	}
	unix.Close(l.epfd)
}

// each reads what has come and calls got for each connection with the number of bytes, until done says so or time is up.
func (l *load) each(limit time.Duration, got func(i, n int) error, done func() bool) error {
	var events [512]unix.EpollEvent
	for until := time.Now().Add(limit); !done(); {
		n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epfd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
		if e != 0 && e != unix.EINTR {
			return e
		}
		if n == 0 && time.Now().After(until) {
			return fmt.Errorf("no reply within %v", limit)
		}
		for _, ev := range events[:n] {
			i := int(ev.Fd)
			n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(l.conns[i].fd), uintptr(unsafe.Pointer(&l.buf[0])), uintptr(len(l.buf)), unix.MSG_DONTWAIT, 0, 0)
			if e == unix.EAGAIN {
				continue
			}
			if e != 0 || n == 0 {
				return fmt.Errorf("connection %d ended: %v", i, e)
			}
			if err := got(i, int(n)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *load) send(i int, b []byte) error {
	n, err := unix.Write(l.conns[i].fd, b)
	if err == nil && n < len(b) {
		err = fmt.Errorf("only %d of %d bytes were taken", n, len(b))
	}
	return err
}

// echo keeps a batch of requests under way on each connection for d, and returns how many were answered.
func (l *load) echo(batch []byte, requests, reply int, d time.Duration) (ops int, err error) {
	for i := range l.conns {
		if err := l.send(i, batch); err != nil {
			return 0, err
		}
	}
	end, over := time.Now().Add(d), false
	waiting := len(l.conns)
	err = l.each(d+10*time.Second, func(i, n int) error {
		c := &l.conns[i]
		c.received += n
		if c.received < reply {
			return nil
		}
		if c.received > reply {
			return fmt.Errorf("connection %d got %d bytes, want %d", i, c.received, reply)
		}
		c.received = 0
		ops += requests
		if ops&1023 < requests {
			over = over || time.Now().After(end)
		}
		if over {
			waiting--
			return nil
		}
		return l.send(i, batch)
	}, func() bool { return waiting == 0 })
	return ops, err
}

// fanout has the first connection publish a message of size bytes on the wire whenever the last connection has it, with
// so many under way, for d. It returns how many were delivered.
func (l *load) fanout(msg []byte, size, underWay int, d time.Duration) (deliveries int, err error) {
	have := make([]int, len(l.conns)) // messages that each connection has
	missing := []int{}                // for each message published, how many connections have not got it
	publish := func() error {
		missing = append(missing, len(l.conns))
		return l.send(0, msg)
	}
	for range underWay {
		if err := publish(); err != nil {
			return 0, err
		}
	}
	end, finished := time.Now().Add(d), 0
	over := false
	err = l.each(d+20*time.Second, func(i, n int) error {
		c := &l.conns[i]
		c.received += n
		for ; c.received >= size; c.received -= size {
			deliveries++
			k := have[i]
			have[i]++
			if missing[k]--; missing[k] > 0 {
				continue
			}
			finished++
			over = over || time.Now().After(end)
			if over {
				continue
			}
			if err := publish(); err != nil {
				return err
			}
		}
		return nil
	}, func() bool { return finished == len(missing) })
	return deliveries, err
}
