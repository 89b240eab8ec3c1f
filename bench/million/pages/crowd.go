//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	sources  = 4  // addresses that a crowd connects from: ports of one would become rare
	underWay = 64 // handshakes at a time
	commands = -1 // in the place of a page: the standard input
)

// A crowd is the pages of one process.
type crowd struct {
	epfd   int
	server unix.SockaddrInet4
	source netip.Addr
	first  int // number of the first user

	pages   []page
	away    []int32 // pages that have to connect
	shaking int     // pages in their handshake
	reached int     // pages that have got message latest to all
	latest  int32

	counts Counts
	buf    [16 << 10]byte
	out    []byte
	lines  []byte // of commands, as far as they have come
}

// page is one user.
type page struct {
	fd   int32
	last int32 // message to all that it got last
	open bool
}

// Counts are what has happened to a crowd.
type Counts struct {
	Open   int `json:"open"`   // pages now
	All    int `json:"all"`    // messages to all
	One    int `json:"one"`    // messages to one, to the user that they were for
	Pings  int `json:"pings"`  // answered
	Ended  int `json:"ended"`  // connections that the server has ended
	Failed int `json:"failed"` // handshakes that were refused or broke off, and were tried again
	Wrong  int `json:"wrong"`  // messages that came twice, to somebody else, or are unknown
}

func newCrowd(server netip.AddrPort, source netip.Addr, first, count int) (*crowd, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	c := &crowd{
		epfd: epfd, server: unix.SockaddrInet4{Port: int(server.Port()), Addr: server.Addr().As4()}, source: source,
		first: first, pages: make([]page, count),
	}
	for i := range c.pages {
		c.pages[i].fd = -1
		c.away = append(c.away, int32(count-1-i))
	}
	return c, c.watch(0, commands)
}

func (c *crowd) watch(fd, as int) error {
	return unix.EpollCtl(c.epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(as)})
}

// serve runs until the standard input ends.
func (c *crowd) serve() error {
	var events [256]unix.EpollEvent
	for {
		if err := c.connectSome(); err != nil {
			return err
		}
		n, _, e := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(c.epfd), uintptr(unsafe.Pointer(&events[0])),
			uintptr(len(events)), ^uintptr(0), 0, 0)
		if e != 0 && e != unix.EINTR {
			return e
		}
		for _, ev := range events[:max(0, int(n))] {
			if ev.Fd == commands {
				if ended, err := c.obey(); ended || err != nil {
					return err
				}
			} else if err := c.receive(int(ev.Fd)); err != nil {
				return err
			}
		}
	}
}

// obey reads commands and does what they say.
func (c *crowd) obey() (ended bool, err error) {
	n, err := unix.Read(0, c.buf[:])
	if n <= 0 {
		return true, err
	}
	c.lines = append(c.lines, c.buf[:n]...)
	for {
		line, rest, whole := bytes.Cut(c.lines, []byte("\n"))
		if !whole {
			return false, nil
		}
		c.lines = rest
		name, text, _ := bytes.Cut(line, []byte(" "))
		switch string(name) {
		case "say":
			err = c.say(text)
		case "tell":
			err = c.tell()
		default:
			err = fmt.Errorf("command %q: want say or tell", name)
		}
		if err != nil {
			return false, err
		}
	}
}

// got handles a message.
func (c *crowd) got(i int, text []byte) {
	var words [3][]byte
	words[0], text, _ = bytes.Cut(text, []byte(" "))
	words[1], words[2], _ = bytes.Cut(text, []byte(" "))
	number, err := strconv.Atoi(string(words[1]))
	switch {
	case err == nil && string(words[0]) == "all" && int32(number) > c.pages[i].last:
		c.pages[i].last = int32(number)
		c.counts.All++
		c.reach(int32(number))
	case err == nil && string(words[0]) == "one" && number == c.first+i:
		c.counts.One++
	default:
		c.counts.Wrong++
	}
}

// reach counts a page that has got a message to all, and tells when it is the last one.
func (c *crowd) reach(number int32) {
	if number > c.latest {
		c.latest, c.reached = number, 0
	}
	if number == c.latest {
		if c.reached++; c.reached == len(c.pages) {
			fmt.Fprintln(os.Stdout, "all", number)
		}
	}
}
