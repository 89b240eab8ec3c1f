package lineman

import (
	"fmt"
	"net"

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
		c.loop, c.id, c.remote = l, lastID.Add(1), between.Peer
		l.asked = between.Local
		c.handle, c.service = p.listener.handle, p.listener.service
		p.handle(c, l.buf[:n])
		l.measure()
	}
}

// handle delivers the messages of one datagram.
func (p *packets) handle(c *Conn, data []byte) {
	defer c.survivePacket()
	if p.session == nil {
		p.session = c.service.newSession()
	}
	c.session = p.session
	p.session = nil // kept only if this datagram leaves it at the beginning of a message
	if c.unpack(data) {
		p.session = c.session
	}
}

// unpack delivers the messages of one datagram; what is left of it is no message and dropped. It reports whether that
// leaves the session at the beginning of a message.
func (c *Conn) unpack(data []byte) (whole bool) {
	if c.service.kind == speaksBytes && len(data) == 0 {
		c.message([]byte{})
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
			c.message(msg)
		}
	}
	return whole
}

func (c *Conn) survivePacket() {
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

// sendPacketLocked sends what encode gives as one datagram, with lock held.
func (c *Conn) sendPacketLocked(encode func(dst []byte) ([]byte, error)) error {
	b, err := encode(c.loop.scratch[:0])
	if err != nil {
		return err
	}
	switch err := c.loop.poll.WriteTo(c.handle, b, poll.Ends{Peer: c.remote, Local: c.loop.asked}); {
	case err == poll.ErrAgain:
		return ErrFull
	case err != nil:
		return fmt.Errorf("lineman: send to %s: %w", c.remote, err)
	}
	c.loop.bytesOut.Add(uint64(len(b)))
	return nil
}
