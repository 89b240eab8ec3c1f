//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// connectSome begins handshakes of pages that are away.
func (c *crowd) connectSome() error {
	for c.shaking < underWay && len(c.away) > 0 {
		i := int(c.away[len(c.away)-1])
		c.away = c.away[:len(c.away)-1]
		if err := c.connect(i); err != nil {
			return fmt.Errorf("user %d: %w", c.first+i, err)
		}
	}
	return nil
}

const handshake = "GET /?uid=%d HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// connect connects a page, which takes no time over loopback, and asks for the WebSocket.
func (c *crowd) connect(i int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	c.pages[i].fd = int32(fd)
	c.shaking++
	source := c.source.As4()
	source[3] += byte(i % sources)
	// without it a port would be taken for all servers
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: source}); err != nil {
		return err
	}
	if unix.Connect(fd, &c.server) != nil {
		return c.refused(i, nil)
	}
	c.out = fmt.Appendf(c.out[:0], handshake, c.first+i)
	if _, err := unix.Write(fd, c.out); err != nil {
		return c.refused(i, nil)
	}
	return c.watch(fd, i)
}

// leave closes the connection of a page, which comes back.
func (c *crowd) leave(i int) {
	unix.Close(int(c.pages[i].fd))
	c.pages[i].fd = -1
	c.away = append(c.away, int32(i))
}

// receive reads what a page got.
func (c *crowd) receive(i int) error {
	p := &c.pages[i]
	n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(p.fd), uintptr(unsafe.Pointer(&c.buf[0])),
		uintptr(len(c.buf)), unix.MSG_DONTWAIT, 0, 0)
	if e == unix.EAGAIN || e == unix.EINTR {
		return nil
	}
	data := c.buf[:max(0, int(n))]
	if e != 0 {
		data = nil
	}
	if !p.open {
		head, rest, whole := bytes.Cut(data, []byte("\r\n\r\n"))
		if !whole || !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) {
			return c.refused(i, head)
		}
		p.open = true
		c.shaking--
		c.counts.Open++
		if data = rest; len(data) == 0 {
			return nil
		}
	}
	if len(data) == 0 {
		p.open = false
		c.counts.Open--
		c.counts.Ended++
		c.leave(i)
		return nil
	}
	return c.frames(i, data)
}

// refused has a page try again whose handshake has failed, for a while.
func (c *crowd) refused(i int, head []byte) error {
	c.shaking--
	c.leave(i)
	if c.counts.Failed++; c.counts.Failed > 10*len(c.pages) {
		return fmt.Errorf("%d handshakes have failed, the last one with %.60q", c.counts.Failed, head)
	}
	return nil
}

// The opcodes of RFC 6455, 5.2, behind FIN.
const (
	text   = 0x81
	goaway = 0x88
	ping   = 0x89
	pong   = 0x8a
)

// frames handles what the server has sent: whole frames of up to 125 bytes, or a little more.
func (c *crowd) frames(i int, data []byte) error {
	for len(data) > 0 {
		header, size := 2, 0
		if len(data) >= 4 || len(data) >= 2 && data[1] < 126 {
			if size = int(data[1]); size == 126 {
				header, size = 4, int(data[2])<<8|int(data[3])
			}
		}
		if len(data) < header+size || size == 127 {
			return fmt.Errorf("user %d got half a frame", c.first+i)
		}
		payload := data[header : header+size]
		switch data[0] {
		case text:
			c.got(i, payload)
		case ping:
			c.counts.Pings++
			c.answer(i, pong, payload)
		case goaway:
			c.answer(i, goaway, payload)
		default:
			c.counts.Wrong++
		}
		data = data[header+size:]
	}
	return nil
}

// answer sends a frame under the mask of zeros, which changes nothing. If the server has gone, a read will tell.
func (c *crowd) answer(i int, opcode byte, payload []byte) {
	c.out = append(c.out[:0], opcode)
	if len(payload) < 126 {
		c.out = append(c.out, 0x80|byte(len(payload)))
	} else {
		c.out = append(c.out, 0x80|126, byte(len(payload)>>8), byte(len(payload)))
	}
	c.out = append(append(c.out, 0, 0, 0, 0), payload...)
	_ = unix.Sendto(int(c.pages[i].fd), c.out, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil)
}

// say has the first page send a message.
func (c *crowd) say(message []byte) error {
	if !c.pages[0].open {
		return fmt.Errorf("user %d is away and cannot say anything", c.first)
	}
	c.answer(0, text, message)
	return nil
}

func (c *crowd) tell() error { return json.NewEncoder(os.Stdout).Encode(c.counts) }
