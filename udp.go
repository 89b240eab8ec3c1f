package lineman

import (
	"fmt"
	"net"

	"github.com/lineman-go/lineman/internal/output"
	"github.com/lineman-go/lineman/internal/poll"
)

// packets is the datagram socket of a worker. Nothing is kept for a peer, so forged sources cost nothing: one Conn is
// on loan to one datagram after the other.
type packets struct {
	listener *Listener
	session  session // of the datagram at hand; reused while datagrams hold whole messages
}

const packetBatch = 64 // datagrams handled for one event

func (p *packets) ready(poll.Event) {
	l := p.listener.service.loop
	for range packetBatch {
		if p.listener.addr == nil || p.listener.paused {
			return // a callback of the last datagram did it
		}
		n, between, err := l.poll.ReadFrom(p.listener.handle, l.buf)
		if err == poll.ErrAgain {
			return
		}
		if err != nil {
			continue // an earlier datagram of ours came back: nothing to do with this socket
		}
		l.stats.Datagrams++
		l.stats.BytesIn += uint64(n)
		c := &l.datagram
		c.loop, c.id = l, lastID.Add(1)
		c.mu.Lock()
		c.remote.setLocked(c, between.Peer)
		c.mu.Unlock()
		l.asked = between.Local
		c.handle, c.service = p.listener.handle, p.listener.service
		p.handle(c, l.buf[:n])
		l.measure()
	}
}

// handle delivers the messages of one datagram.
func (p *packets) handle(c *Conn, data []byte) {
	defer p.survive(c)
	if p.session == nil {
		p.session = c.service.newSession()
	}
	c.session = p.session
	p.session = nil // kept only if this datagram leaves it at the beginning of a message
	if unpack(c, data) {
		p.session = c.session
	}
}

// unpack delivers the messages of one datagram; what is left of it is no message and dropped. It reports whether that
// leaves the session at the beginning of a message.
func unpack(c *Conn, data []byte) (whole bool) {
	if c.service.kind == speaksBytes && len(data) == 0 {
		c.in.message(c, []byte{})
	}
	whole = true
	for len(data) > 0 {
		n, msg, err := c.session.Decode(data)
		if n == 0 {
			return false
		}
		data = data[n:]
		whole = msg != nil // a refused one may go on
		if err != nil {
			c.loop.stats.Invalid++
			if f := c.service.worker.OnInvalid; f != nil {
				f(c, err)
			}
		} else if msg != nil {
			c.in.message(c, msg)
		}
	}
	return whole
}

// survive is deferred around the callbacks of a datagram: there is no connection that a panic could end.
func (p *packets) survive(c *Conn) {
	if v := recover(); v != nil {
		c.loop.panicked(c.loop.doing.get().String()+" of "+c.service.name, v)
	}
}

// askedAddr is the address that the datagram at hand was sent to, where the socket has several.
func (l *Loop) askedAddr(own net.Addr) net.Addr {
	u, ok := own.(*net.UDPAddr)
	if !ok || !l.asked.IsValid() {
		return own
	}
	return &net.UDPAddr{IP: l.asked.AsSlice(), Port: u.Port, Zone: l.asked.Zone()}
}

// workerUDP is the transport of the Conn that is on loan to a datagram which a worker received.
type workerUDP struct{ stream }

func (*workerUDP) carriesStream() bool { return false }

// localAddrLocked is the address that the datagram was sent to.
func (*workerUDP) localAddrLocked(c *Conn, own net.Addr) net.Addr { return c.loop.askedAddr(own) }

func (*workerUDP) bufferLocked(c *Conn) []byte { return c.loop.scratch[:0] }

// queueLocked sends a datagram at once: nothing is kept for a peer that may not exist.
func (*workerUDP) queueLocked(c *Conn, b []byte) error {
	switch err := c.loop.poll.WriteTo(c.handle, b, poll.Ends{Peer: c.remote.addrLocked(c), Local: c.loop.asked}); {
	case err == poll.ErrAgain:
		return ErrFull
	case err != nil:
		return fmt.Errorf("lineman: send to %s: %w", c.remote.addrLocked(c), err)
	}
	c.loop.bytesOut.Add(uint64(len(b)))
	return nil
}

// dialedUDP is the transport of a connection of datagrams that this side has dialed: its socket is its own, and
// connected to its peer, so it has limits, an output and an end as streams have.
type dialedUDP struct{ stream }

func (*dialedUDP) carriesStream() bool { return false }

func (*dialedUDP) socket(p poll.Poller, conn net.Conn) (poll.Handle, error) {
	u, ok := conn.(*net.UDPConn)
	if !ok {
		return absent, fmt.Errorf("%T is no UDP socket", conn)
	}
	return p.Packet(u)
}

// receive handles what has come.
func (d *dialedUDP) receive(c *Conn) {
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
		if c.phase.get() != open || c.handle != h || c.state&paused != 0 {
			return // a callback did it
		}
		l.measure()
	}
}

func (*dialedUDP) handle(c *Conn, data []byte) {
	defer c.survive()
	if !unpack(c, data) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.session = c.service.newSession() // the next datagram begins anew
	}
}

// undelivered tells of a datagram that the system could not send, or that came back to handle h: by OnInvalid, or else
// as the end of the connection.
func (*dialedUDP) undelivered(c *Conn, h poll.Handle, err error) {
	if c.phase.get() != open || c.handle != h {
		return
	}
	err = c.link.dialing().failed(err)
	if f := c.service.worker.OnInvalid; f != nil {
		c.loop.stats.Invalid++
		c.guard(inOnInvalid, func() { f(c, err) })
		return
	}
	c.end.finish(c, err)
}

func (*dialedUDP) bufferLocked(*Conn) []byte { return nil }

func (*dialedUDP) queueLocked(c *Conn, b []byte) error {
	if c.out.queue == nil {
		c.out.queue = output.Get()
	}
	c.out.queue.AddDatagram(b)
	c.out.acceptLocked(c)
	return nil
}

// writeLocked hands one datagram after the other to the kernel.
func (d *dialedUDP) writeLocked(c *Conn, _ []byte) {
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
