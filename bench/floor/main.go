//go:build linux

// Command floor is about the least that a Go program can do to serve: one goroutine, one epoll set, system calls that
// do not enter the scheduler, no limit, no check, no time. Every message of a broadcast is written at once. It shows
// what the rest costs.
//
//	go -C bench run ./floor -proto text -port 7000
package main

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	proto := flag.String("proto", "tcp", "what to serve: tcp, udp, text, http, ws or wsbc, as subject does")
	port := flag.Int("port", 7000, "port on 127.0.0.1")
	flag.Parse()
	handlers := map[string]func(*conn, []byte) int{
		"tcp": echoBytes, "udp": echoBytes, "text": echoLines, "http": sayHello, "ws": webSocket, "wsbc": webSocket,
	}
	f := &floor{handle: handlers[*proto], toAll: *proto == "wsbc"}
	if f.handle == nil {
		fmt.Fprintf(os.Stderr, "floor: protocol %q: want tcp, udp, text, http, ws or wsbc\n", *proto)
		os.Exit(2)
	}
	serve := f.serve
	if *proto == "udp" {
		serve = f.serveDatagrams
	}
	if err := serve(*port); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

type floor struct {
	handle func(c *conn, data []byte) (used int)
	toAll  bool
	epfd   int
	conns  []*conn // by descriptor
	buf    [64 << 10]byte
	out    []byte
}

type conn struct {
	floor    *floor
	fd       int
	rest     []byte
	upgraded bool
}

func (f *floor) serve(port int) error {
	ln, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_ = unix.SetsockoptInt(ln, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	_ = unix.SetsockoptInt(ln, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // accepted sockets inherit it
	if err := unix.Bind(ln, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if err := unix.Listen(ln, 4096); err != nil {
		return err
	}
	if f.epfd, err = unix.EpollCreate1(0); err != nil {
		return err
	}
	if err := f.watch(ln); err != nil {
		return err
	}
	var events [256]unix.EpollEvent
	for {
		n := f.wait(events[:])
		for _, ev := range events[:n] {
			if fd := int(ev.Fd); fd == ln {
				f.accept(ln)
			} else {
				f.read(f.conns[fd])
			}
		}
	}
}

// serveDatagrams echoes datagrams on one socket.
func (f *floor) serveDatagrams(port int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if f.epfd, err = unix.EpollCreate1(0); err != nil {
		return err
	}
	if err := f.watch(fd); err != nil {
		return err
	}
	var events [1]unix.EpollEvent
	for {
		f.wait(events[:])
		for {
			n, from, err := recvfrom(fd, f.buf[:])
			if err != 0 {
				break
			}
			sendto(fd, f.buf[:n], from)
		}
	}
}

func (f *floor) watch(fd int) error {
	return unix.EpollCtl(f.epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

// wait looks first, and sleeps only if nothing is ready.
func (f *floor) wait(events []unix.EpollEvent) int {
	n, _, _ := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(f.epfd), uintptr(unsafe.Pointer(&events[0])),
		uintptr(len(events)), 0, 0, 0)
	if n == 0 {
		n, _, _ = unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(f.epfd), uintptr(unsafe.Pointer(&events[0])),
			uintptr(len(events)), ^uintptr(0), 0, 0)
	}
	return max(0, int(n))
}

func (f *floor) accept(ln int) {
	for {
		fd, _, err := unix.Accept4(ln, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		for fd >= len(f.conns) {
			f.conns = append(f.conns, make([]*conn, 1024)...)
		}
		f.conns[fd] = &conn{floor: f, fd: fd}
		if err := f.watch(fd); err != nil {
			f.close(f.conns[fd])
		}
	}
}

func (f *floor) close(c *conn) {
	unix.Close(c.fd)
	f.conns[c.fd] = nil
}

func (f *floor) read(c *conn) {
	if c == nil {
		return
	}
	old := len(c.rest)
	into := f.buf[:]
	if old > 0 { // it goes on
		c.rest = slices.Grow(c.rest, len(f.buf))
		into = c.rest[old:cap(c.rest)]
	}
	n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(c.fd), uintptr(unsafe.Pointer(&into[0])),
		uintptr(len(into)), 0, 0, 0)
	if e == unix.EAGAIN {
		return
	}
	if e != 0 || n == 0 {
		f.close(c)
		return
	}
	data := into[:n]
	if old > 0 {
		data = c.rest[:old+int(n)]
	}
	f.out = f.out[:0]
	used := f.handle(c, data)
	if used > 0 || old == 0 {
		c.rest = append(c.rest[:0], data[used:]...)
	} else {
		c.rest = data
	}
	f.write(c, f.out)
}

// write writes at once, and again until the kernel has taken it: in a measurement all peers read.
func (f *floor) write(c *conn, b []byte) {
	for len(b) > 0 {
		n, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(c.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
			unix.MSG_NOSIGNAL, 0, 0)
		switch e {
		case 0:
			b = b[n:]
		case unix.EAGAIN:
		default:
			return
		}
	}
}

func echoBytes(c *conn, data []byte) int {
	c.floor.out = append(c.floor.out, data...)
	return len(data)
}

func echoLines(c *conn, data []byte) (used int) {
	for {
		i := bytes.IndexByte(data[used:], '\n')
		if i < 0 {
			return used
		}
		c.floor.out = append(c.floor.out, data[used:used+i+1]...)
		used += i + 1
	}
}

var endOfHead = []byte("\r\n\r\n")

func sayHello(c *conn, data []byte) (used int) {
	for {
		i := bytes.Index(data[used:], endOfHead)
		if i < 0 {
			return used
		}
		c.floor.out = append(c.floor.out,
			"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nContent-Type: text/plain\r\n\r\nHello, World!"...)
		used += i + len(endOfHead)
	}
}

func webSocket(c *conn, data []byte) (used int) {
	if !c.upgraded {
		i := bytes.Index(data, endOfHead)
		if i < 0 {
			return 0
		}
		c.upgraded = true
		c.floor.out = append(
			append(append(c.floor.out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"+
				"Connection: Upgrade\r\nSec-WebSocket-Accept: "...), accept(data[:i])...), endOfHead...)
		used = i + len(endOfHead)
	}
	for {
		n := c.frame(data[used:])
		if n == 0 {
			return used
		}
		used += n
	}
}

// frame handles one frame and returns its length, 0 if it is not whole.
func (c *conn) frame(data []byte) int {
	if len(data) < 6 {
		return 0
	}
	header, size := 6, int(data[1]&0x7f)
	switch size {
	case 126:
		if header = 8; len(data) >= header {
			size = int(binary.BigEndian.Uint16(data[2:]))
		}
	case 127:
		if header = 14; len(data) >= header {
			size = int(binary.BigEndian.Uint64(data[2:]))
		}
	}
	if len(data) < header+size {
		return 0
	}
	mask, payload := binary.LittleEndian.Uint32(data[header-4:]), data[header:header+size]
	unmask(payload, mask)
	start := len(c.floor.out)
	out := append(c.floor.out, data[0])
	switch {
	case size < 126:
		out = append(out, byte(size))
	case size < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, 126), uint16(size))
	default:
		out = binary.BigEndian.AppendUint64(append(out, 127), uint64(size))
	}
	out = append(out, payload...)
	if !c.floor.toAll {
		c.floor.out = out
		return header + size
	}
	for _, to := range c.floor.conns {
		if to != nil && to.upgraded {
			c.floor.write(to, out[start:])
		}
	}
	return header + size
}

func unmask(b []byte, mask uint32) {
	wide := uint64(mask)<<32 | uint64(mask)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(mask >> (i & 3 * 8))
	}
}
