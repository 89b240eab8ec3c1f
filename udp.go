package lineman

import (
	"fmt"
	"net"

	"github.com/lineman-go/lineman/internal/poll"
)

// onLoan reports whether this is the Conn of a datagram that a worker received.
func (c *Conn) onLoan() bool { return c == &c.loop.datagram }

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
		c.loop, c.id, c.remote = l, lastID.Add(1), between.Peer
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

func (workerUDP) carriesStream() bool { return false }

// localAddrLocked is the address that the datagram was sent to.
func (workerUDP) localAddrLocked(c *Conn, own net.Addr) net.Addr { return c.loop.askedAddr(own) }

func (workerUDP) bufferLocked(c *Conn) []byte { return c.loop.scratch[:0] }

// queueLocked sends a datagram at once: nothing is kept for a peer that may not exist.
func (workerUDP) queueLocked(c *Conn, b []byte) error {
	switch err := c.loop.poll.WriteTo(c.handle, b, poll.Ends{Peer: c.remote, Local: c.loop.asked}); {
	case err == poll.ErrAgain:
		return ErrFull
	case err != nil:
		return fmt.Errorf("lineman: send to %s: %w", c.remote, err)
	}
	c.loop.bytesOut.Add(uint64(len(b)))
	return nil
}
