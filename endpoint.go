package lineman

import (
	"net"
	"net/netip"
)

// endpoint is where the peer of a connection is, in less memory than a netip.AddrPort takes. Guarded by the
// connection's lock; changed by the loop.
type endpoint struct {
	ip    [16]byte // that of IPv4 as IPv6 has it (RFC 4291, 2.5.5.2)
	port  uint16
	known bool // a Unix socket has no address, and a connection that is being dialed none yet
}

// RemoteAddr is the peer's address. If the peer is a trusted proxy, it is the client's address: see Worker.Proxies. It
// still answers in OnClose. It is unspecified before a dialed connection is there.
func (c *Conn) RemoteAddr() net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, d := c.remote.clientLocked(c), c.link.dialing()
	switch {
	case !c.transport().carriesStream():
		return net.UDPAddrFromAddrPort(at)
	case !at.IsValid() && (d == nil || d.network == "unix"):
		return &net.UnixAddr{Net: "unix"}
	}
	return net.TCPAddrFromAddrPort(at)
}

// RemoteAddrPort is RemoteAddr as a value: it allocates nothing. It is not valid on a Unix socket, and before a dialed
// connection is there.
func (c *Conn) RemoteAddrPort() netip.AddrPort {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.remote.clientLocked(c)
}

// setLocked notes where the peer is. The zone of an address is for few, and so in extra.
func (e *endpoint) setLocked(c *Conn, to netip.AddrPort) {
	*e = endpoint{to.Addr().As16(), to.Port(), to.IsValid()}
	if zone := to.Addr().Zone(); zone != "" || c.extra != nil {
		c.extrasLocked().zone = zone
	}
}

// addrLocked is where the peer is; not valid if that is not known.
func (e *endpoint) addrLocked(c *Conn) netip.AddrPort {
	if !e.known {
		return netip.AddrPort{}
	}
	ip := netip.AddrFrom16(e.ip).Unmap()
	if x := c.extra; x != nil {
		ip = ip.WithZone(x.zone)
	}
	return netip.AddrPortFrom(ip, e.port)
}

// clientLocked is whom the application is told as the peer: the client that a trusted proxy speaks for, if any.
func (e *endpoint) clientLocked(c *Conn) netip.AddrPort {
	if x := c.extra; x != nil && x.client.IsValid() {
		return netip.AddrPortFrom(x.client, 0)
	}
	return e.addrLocked(c)
}

// addr is addrLocked for who does not have the lock.
func (e *endpoint) addr(c *Conn) netip.AddrPort {
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.addrLocked(c)
}

// settleLocked has the client that a trusted proxy speaks for be the peer, when no more requests say who it is.
func (e *endpoint) settleLocked(c *Conn) {
	x := c.extra
	if x == nil || !x.client.IsValid() {
		return
	}
	e.setLocked(c, netip.AddrPortFrom(x.client, 0))
	if x.client = (netip.Addr{}); x.isEmptyLocked() {
		c.extra = nil
	}
}

// remoteOf is the peer of a connection of package net; the zero AddrPort on a Unix socket.
func remoteOf(c net.Conn) netip.AddrPort {
	a, ok := c.RemoteAddr().(interface{ AddrPort() netip.AddrPort })
	if !ok {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), a.AddrPort().Port())
}
