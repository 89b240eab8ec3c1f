package lineman

import (
	"fmt"
	"net"

	"github.com/lineman-go/lineman/internal/output"
	"github.com/lineman-go/lineman/internal/poll"
)

// dialedUDP is the transport of a connection of datagrams that this side has dialed: its socket is its own, and
// connected to its peer, so it has limits, an output and an end as streams have.
type dialedUDP struct{ stream }

func (dialedUDP) carriesStream() bool { return false }

func (dialedUDP) socket(p poll.Poller, conn net.Conn) (poll.Handle, error) {
	u, ok := conn.(*net.UDPConn)
	if !ok {
		return absent, fmt.Errorf("%T is no UDP socket", conn)
	}
	return p.Packet(u)
}

// receive handles what has come.
func (d dialedUDP) receive(c *Conn) {
	l, h := c.loop, c.handle
	for range packetBatch {
		n, _, err := l.poll.ReadFrom(h, l.buf)
		switch {
		case err == poll.ErrAgain:
			return
		case err != nil:
			d.undelivered(c, h, err)
		default:
			c.in.came(c, n)
			l.stats.Datagrams++
			d.handle(c, l.buf[:n])
		}
		if c.phase.get() != open || c.handle != h || c.state.paused {
			return // a callback did it
		}
		l.measure()
	}
}

func (dialedUDP) handle(c *Conn, data []byte) {
	defer c.survive()
	if !unpack(c, data) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.session = c.service.newSession() // the next datagram begins anew
	}
}

// undelivered tells of a datagram that the system could not send, or that came back to handle h: by OnInvalid, or else
// as the end of the connection.
func (dialedUDP) undelivered(c *Conn, h poll.Handle, err error) {
	if c.phase.get() != open || c.handle != h {
		return
	}
	err = c.dial.failed(err)
	if f := c.service.worker.OnInvalid; f != nil {
		c.loop.stats.Invalid++
		c.guard(inOnInvalid, func() { f(c, err) })
		return
	}
	c.end.finish(c, err)
}

func (dialedUDP) bufferLocked(*Conn) []byte { return nil }

func (dialedUDP) queueLocked(c *Conn, b []byte) error {
	if c.out.queue == nil {
		c.out.queue = output.Get()
	}
	c.out.queue.AddDatagram(b)
	c.out.acceptLocked(c)
	return nil
}

// writeLocked hands one datagram after the other to the kernel.
func (d dialedUDP) writeLocked(c *Conn, _ []byte) {
	if c.out.queue == nil || c.flags&opening != 0 {
		return
	}
	h := c.handle
	for i, datagram := range c.out.queue.Datagrams() {
		switch err := c.loop.poll.WriteTo(h, datagram, poll.Ends{}); {
		case err == nil:
			c.out.wroteLocked(c, len(datagram))
		case err == poll.ErrAgain:
			c.out.queue.DropDatagrams(i)
			c.flags |= stalled
			c.markLocked(0)
			return
		default:
			c.loop.Do(func() { d.undelivered(c, h, err) })
		}
	}
	c.out.queue.Release()
	c.out.queue = nil
}
