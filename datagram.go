package lineman

import (
	"fmt"
	"net"

	"github.com/lineman-go/lineman/internal/poll"
)

// datagrams reports whether the connection is a dialed one of datagrams: its socket is its own, and connected to its
// peer, so it has limits, an output and an end as streams have.
func (c *Conn) datagrams() bool { return c.dial != nil && c.dial.network == "udp" }

// handOver gives the socket that was dialed to the poller.
func (c *Conn) handOver(conn net.Conn) (poll.Handle, error) {
	if !c.datagrams() {
		return c.loop.poll.Stream(conn)
	}
	u, ok := conn.(*net.UDPConn)
	if !ok {
		return absent, fmt.Errorf("%T is no UDP socket", conn)
	}
	return c.loop.poll.Packet(u)
}

// receiveDatagrams handles what has come.
func (c *Conn) receiveDatagrams() {
	l, h := c.loop, c.handle
	for range packetBatch {
		n, _, err := l.poll.ReadFrom(h, l.buf)
		switch {
		case err == poll.ErrAgain:
			return
		case err != nil:
			c.undelivered(h, err)
		default:
			c.came(n)
			l.stats.Datagrams++
			c.takeDatagram(l.buf[:n])
		}
		if c.phase.get() != open || c.handle != h || c.state.paused {
			return // a callback did it
		}
		l.measure()
	}
}

func (c *Conn) takeDatagram(data []byte) {
	defer c.survive()
	if !c.unpack(data) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.session = c.service.newSession() // the next datagram begins anew
	}
}

// undelivered tells of a datagram that the system could not send, or that came back to handle h: by OnInvalid, or else
// as the end of the connection.
func (c *Conn) undelivered(h poll.Handle, err error) {
	if c.phase.get() != open || c.handle != h {
		return
	}
	err = c.dial.failed(err)
	if f := c.service.worker.OnInvalid; f != nil {
		c.loop.stats.Invalid++
		c.guard(inOnInvalid, func() { f(c, err) })
		return
	}
	c.finish(err)
}

// writeDatagramsLocked hands the output to the kernel, with lock held: one datagram after the other.
func (c *Conn) writeDatagramsLocked() {
	if c.out == nil || c.flags&opening != 0 {
		return
	}
	h := c.handle
	for i, datagram := range c.out.Datagrams() {
		switch err := c.loop.poll.WriteTo(h, datagram, poll.Ends{}); {
		case err == nil:
			c.wroteLocked(len(datagram))
		case err == poll.ErrAgain:
			c.out.DropDatagrams(i)
			c.flags |= stalled
			c.markLocked(0)
			return
		default:
			c.loop.Do(func() { c.undelivered(h, err) })
		}
	}
	c.out.Release()
	c.out = nil
}
