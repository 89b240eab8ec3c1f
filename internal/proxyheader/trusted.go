package proxyheader

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
)

// Trusted says which peers are proxies to be believed. Its zero value trusts nobody. The zero Prefix in it stands for
// peers on Unix sockets, which have no address: their Addr is the zero one.
type Trusted []netip.Prefix

// ParseTrusted makes a Trusted of addresses such as "10.0.0.1", prefixes such as "10.0.0.0/8" and "fd00::/8", and
// "unix" for peers on Unix sockets. IPv4 and IPv6 are apart: "::/0" has no IPv4 address in it, however written. The
// error names the entry that is none of these, has a zone, or is a prefix with bits set after its length.
func ParseTrusted(list []string) (Trusted, error) {
	trusted := make(Trusted, 0, len(list))
	for _, entry := range list {
		prefix, err := parsePrefix(entry)
		if err != nil {
			return nil, err
		}
		trusted = append(trusted, prefix)
	}
	return trusted, nil
}

func parsePrefix(entry string) (netip.Prefix, error) {
	if entry == "unix" {
		return netip.Prefix{}, nil
	}
	if addr, err := netip.ParseAddr(entry); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(entry)
	if err != nil {
		return netip.Prefix{},
			fmt.Errorf("proxyheader: trusted %q: want an address such as 10.0.0.1, a prefix such as 10.0.0.0/8, "+
				"or unix", entry)
	}
	if prefix != prefix.Masked() {
		return netip.Prefix{},
			fmt.Errorf("proxyheader: trusted %q: has bits set after its length: write %s, or the address alone", entry,
				prefix.Masked())
	}
	if prefix.Addr().Is4In6() {
		// No shorter than 96 bits, or some of its bits would have been after its length.
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	return prefix, nil
}

// Has reports whether a peer is trusted. The zero Addr is a peer on a Unix socket. A zone does not count, and an IPv6
// address that stands for an IPv4 one is that.
func (t Trusted) Has(peer netip.Addr) bool {
	if !peer.IsValid() {
		return slices.Contains(t, netip.Prefix{})
	}
	peer = peer.Unmap().WithZone("")
	return slices.ContainsFunc(t, func(p netip.Prefix) bool { return p.Contains(peer) })
}

// Client is the address that a request comes from, as far as it can be believed. forwardedFor gives the i-th
// X-Forwarded-For field of the request, counted from 0, and nil after the last one, so an empty field must not be nil;
// what it gives is not kept. A peer that is not trusted is the client itself, and its fields are not looked at. The
// zero Addr, in and out, is a peer on a Unix socket.
//
// Each proxy adds whom it saw at the right end of the list that all fields make together. So the list is read from the
// right, as long as the one who wrote the entry is trusted. The client is the first address that is not, or the last
// one read if all are. An entry that is no address, an empty one too, ends the reading: who wrote what is left of it is
// not known. Entries may have a port, and IPv6 addresses brackets; zones they may not have.
func (t Trusted) Client(peer netip.Addr, forwardedFor func(i int) []byte) netip.Addr {
	client := peer.Unmap()
	if !t.Has(client) {
		return client
	}
	fields := 0
	for forwardedFor(fields) != nil {
		fields++
	}
	for i := fields - 1; i >= 0; i-- {
		for list, entry, more := cutLast(forwardedFor(i)); ; list, entry, more = cutLast(list) {
			addr, ok := parseEntry(entry)
			if !ok {
				return client
			}
			if client = addr; !t.Has(client) {
				return client
			}
			if !more {
				break
			}
		}
	}
	return client
}

// cutLast takes the last entry off a list. more says that there are entries before it.
func cutLast(list []byte) (rest, entry []byte, more bool) {
	i := bytes.LastIndexByte(list, ',')
	return list[:max(i, 0)], list[i+1:], i >= 0
}

// parseEntry reads an address with or without a port: 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1] or
// [2001:db8::1]:80.
func parseEntry(entry []byte) (addr netip.Addr, ok bool) {
	entry = bytes.Trim(entry, " \t") // OWS (RFC 9110, section 5.6.3)
	if inside, bracket := bytes.CutPrefix(entry, []byte("[")); bracket {
		addr, n, whole := scan6(inside)
		after, closed := bytes.CutPrefix(inside[n:], []byte("]"))
		return addr.Unmap(), whole && closed && isPort(after)
	}
	if addr, n, whole := scan4(entry); whole {
		return addr, isPort(entry[n:])
	}
	addr, n, whole := scan6(entry)
	return addr.Unmap(), whole && n == len(entry)
}

// isPort reports whether what follows an address is a port, or nothing.
func isPort(text []byte) bool {
	if len(text) == 0 {
		return true
	}
	_, digits := decimal(text[1:], 65535)
	return text[0] == ':' && digits > 0 && digits == len(text)-1
}
