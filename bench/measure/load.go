//go:build linux

package main

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// load is the clients of a measurement: connections on one epoll set, driven by one thread that never sleeps, so that
// the server does not pay for waking it.
type load struct {
	epfd  int
	conns []client
	buf   [256 << 10]byte
}

type client struct {
	*socket
	secure   *tls.Conn // nil without TLS
	received int       // bytes of replies under way
	unsent   []byte    // what the kernel has not taken yet
	halfMark bool      // of what has come last: see marks
	asks     bool      // it has said something first, to which there is an answer
	port     int       // of this side
}

// opening is how a connection begins.
type opening struct {
	network           string // empty: tcp; or udp
	before            int    // connections to the same server that there are already
	secure, webSocket bool
	deflate           bool // permessage-deflate without context takeover, which the server must agree to
	// of the handshake from a port, which no other connection has; nil means none
	query  func(port int) string
	hello  func(port int) string // of level 1, likewise; nil means level 0
	events func(port int) string // address of a stream of events, likewise; nil means none
	fields func(port int) string // header fields of the request for it, likewise; nil means none
	first  func(port int) string // what a WebSocket says first, likewise; nil means nothing
}

var (
	plain         = opening{}
	webSocket     = opening{webSocket: true}
	secure        = opening{secure: true}
	secureSockets = opening{secure: true, webSocket: true}
	deflating     = opening{webSocket: true, deflate: true}
	udp           = opening{network: "udp"}
)

// connect opens n connections.
func connect(addr string, n int, how opening) (*load, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	l := &load{epfd: epfd}
	for range n {
		if err := l.add(addr, how); err != nil {
			l.close()
			return nil, fmt.Errorf("connection %d of %d: %w", len(l.conns)+1, n, err)
		}
	}
	return l, nil
}

func (l *load) add(addr string, how opening) error {
	conn, err := how.dialer(how.before+len(l.conns)).Dial(cmp.Or(how.network, "tcp"), addr)
	if err != nil {
		return err
	}
	defer conn.Close() // its duplicate stays
	c := client{socket: &socket{Conn: conn, fd: -1}, port: portOf(conn)}
	if how.secure {
		c.secure = tls.Client(c.socket, &tls.Config{InsecureSkipVerify: true, DynamicRecordSizingDisabled: true})
		if err := c.secure.Handshake(); err != nil {
			return err
		}
	}
	if how.webSocket {
		if err := c.shakeHands(how); err != nil {
			return err
		}
	}
	if how.events != nil {
		if err := c.listen(how); err != nil {
			return err
		}
	}
	if err := c.duplicate(); err != nil {
		return err
	}
	c.asks = how.first != nil
	l.conns = append(l.conns, c)
	return l.watch(len(l.conns)-1, unix.EPOLL_CTL_ADD, unix.EPOLLIN)
}

func portOf(conn net.Conn) int { return int(netip.MustParseAddrPort(conn.LocalAddr().String()).Port()) }

func (l *load) close() {
	for _, c := range l.conns {
		unix.Close(c.fd)
	}
	unix.Close(l.epfd)
}

// each reads what has come and calls got for each connection with the number of bytes, until done says so, or nothing
// has come for so long.
func (l *load) each(limit time.Duration, got func(i, n int) error, done func() bool) error {
	var events [512]unix.EpollEvent
	until := time.Now().Add(limit)
	for came := false; !done(); {
		n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epfd), uintptr(unsafe.Pointer(&events[0])),
			uintptr(len(events)), 0, 0, 0)
		if e != 0 && e != unix.EINTR {
			return e
		}
		switch now := time.Now(); {
		case n > 0:
			came = true
		case came:
			until, came = now.Add(limit), false
		case now.After(until):
			return fmt.Errorf("no reply within %v", limit)
		}
		for _, ev := range events[:n] {
			i := int(ev.Fd)
			if ev.Events&unix.EPOLLOUT != 0 {
				if err := l.sendMore(i); err != nil {
					return err
				}
			}
			n, err := l.conns[i].receive(l.buf[:])
			if err != nil {
				return fmt.Errorf("connection %d ended: %w", i, err)
			}
			if n == 0 {
				continue
			}
			if err := got(i, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// send sends b, which may not change until the reply has come: what the kernel does not take at once is sent by each.
func (l *load) send(i int, b []byte) error {
	c := &l.conns[i]
	if c.secure != nil {
		_, err := c.secure.Write(b)
		return err
	}
	n, err := c.take(b)
	if err != nil || n == len(b) {
		return err
	}
	if c.unsent != nil {
		return fmt.Errorf("connection %d: %d bytes are still to be sent", i, len(c.unsent))
	}
	c.unsent = b[n:]
	return l.watch(i, unix.EPOLL_CTL_MOD, unix.EPOLLIN|unix.EPOLLOUT)
}

func (l *load) sendMore(i int) error {
	c := &l.conns[i]
	n, err := c.take(c.unsent)
	if c.unsent = c.unsent[n:]; err != nil || len(c.unsent) > 0 {
		return err
	}
	c.unsent = nil
	return l.watch(i, unix.EPOLL_CTL_MOD, unix.EPOLLIN)
}

func (l *load) watch(i, how int, events uint32) error {
	return unix.EpollCtl(l.epfd, how, l.conns[i].fd, &unix.EpollEvent{Events: events, Fd: int32(i)})
}

// echo keeps a batch of requests under way on each connection for d, and returns how many were answered.
func (l *load) echo(batch []byte, requests, reply int, d time.Duration) (ops int, err error) {
	return l.echoEach(func(int) []byte { return batch }, requests, always(reply), d)
}

// echoEach is echo of what each connection asks and gets.
func (l *load) echoEach(batch func(i int) []byte, requests int, reply func(i int) int, d time.Duration) (
	ops int, err error) {
	for i := range l.conns {
		if err := l.send(i, batch(i)); err != nil {
			return 0, err
		}
	}
	end, over, unseen := time.Now().Add(d), false, 0
	waiting := len(l.conns)
	err = l.each(10*time.Second, func(i, n int) error {
		c := &l.conns[i]
		c.received += n
		if c.received < reply(i) {
			return nil
		}
		if c.received > reply(i) {
			return fmt.Errorf("connection %d got %d bytes, want %d", i, c.received, reply(i))
		}
		c.received = 0
		ops += requests
		if unseen += reply(i); unseen > 64<<10 { // the time is not looked at for each small reply
			unseen, over = 0, over || time.Now().After(end)
		}
		if over {
			waiting--
			return nil
		}
		return l.send(i, batch(i))
	}, func() bool { return waiting == 0 })
	return ops, err
}

// fanout has the first connection publish a message of size bytes on the wire whenever the last connection has it, with
// so many under way, for d. It returns how many were delivered.
func (l *load) fanout(msg []byte, size, underWay int, d time.Duration) (deliveries int, err error) {
	return l.fanoutBy(func() error { return l.send(0, msg) }, len(l.conns), always(size), underWay, d)
}

// always is the size of messages that are all of one size.
func always(size int) func(number int) int { return func(int) int { return size } }

// fanoutBy is fanout to the first connections, with another way to publish. size is that of a message, from 0 on.
func (l *load) fanoutBy(send func() error, to int, size func(number int) int, underWay int, d time.Duration) (
	deliveries int, err error) {
	have := make([]int, to) // messages that each connection has
	return l.fanoutCounted(send, to, func(i, n int) (whole int) {
		c := &l.conns[i]
		c.received += n
		for c.received >= size(have[i]) {
			c.received -= size(have[i])
			have[i]++
			whole++
		}
		return whole
	}, underWay, d)
}

// fanoutCounted is fanoutBy with another way to tell how many messages are whole with n more bytes of a connection.
func (l *load) fanoutCounted(send func() error, to int, whole func(i, n int) int, underWay int, d time.Duration) (
	deliveries int, err error) {
	have := make([]int, to) // messages that each connection has
	missing := []int{}      // for each message published, how many connections have not got it
	publish := func() error {
		missing = append(missing, to)
		return send()
	}
	for range underWay {
		if err := publish(); err != nil {
			return 0, err
		}
	}
	end, finished := time.Now().Add(d), 0
	over := false
	err = l.each(20*time.Second, func(i, n int) error {
		if i >= to {
			return nil // an answer
		}
		for range whole(i, n) {
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
