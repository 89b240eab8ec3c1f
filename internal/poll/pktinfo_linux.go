package poll

import (
	"net"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A socket of datagrams that is bound to no address in particular has the kernel tell which one each datagram was sent
// to, and tells the kernel which one the answer is from: RFC 3542, 6.1, and ip(7), IP_PKTINFO.

// control is room for what the kernel tells beside a datagram, of both families. It begins where a header may.
type control [16]uint64

func (c *control) bytes() []byte { return unsafe.Slice((*byte)(unsafe.Pointer(c)), unsafe.Sizeof(*c)) }

// askDestination has the kernel tell where datagrams were sent to, and reports whether it will: not for a socket with
// one address. Package sock asks before; a socket that was handed to the process may come from elsewhere.
func askDestination(fd int) bool {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return false
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return sa.Addr == [4]byte{} && unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1) == nil
	case *unix.SockaddrInet6:
		if sa.Addr != [16]byte{} {
			return false
		}
		// IPv4 over this socket, where it takes it: only its own option knows the address that answers a broadcast.
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1) == nil
	}
	return false
}

// destinationIn is the address of this side that a datagram is to be answered from, by what the kernel told beside it;
// zero if there is none, as for a multicast of IPv6.
func destinationIn(told []byte) (local netip.Addr) {
	for len(told) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(unsafe.SliceData(told)))
		size := int(h.Len)
		if size < unix.CmsgLen(0) || size > len(told) {
			break
		}
		data := told[unix.CmsgLen(0):size]
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			return usable(netip.AddrFrom4((*unix.Inet4Pktinfo)(unsafe.Pointer(unsafe.SliceData(data))).Spec_dst))
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			info := (*unix.Inet6Pktinfo)(unsafe.Pointer(unsafe.SliceData(data)))
			local = usable(zoned(info.Addr, info.Ifindex))
		}
		told = told[min(unix.CmsgSpace(size-unix.CmsgLen(0)), len(told)):]
	}
	return local
}

// usable is an address that something can be sent from, or zero.
func usable(a netip.Addr) netip.Addr {
	if a.IsUnspecified() || a.IsMulticast() {
		return netip.Addr{}
	}
	return a
}

// putSource writes what has the kernel send from an address, and returns it; nothing for zero.
func putSource(c *control, local netip.Addr) []byte {
	if !local.IsValid() {
		return nil
	}
	b := c.bytes()
	h := (*unix.Cmsghdr)(unsafe.Pointer(c))
	data := unsafe.Pointer(&b[unix.CmsgLen(0)])
	if local.Is4() {
		h.Level, h.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
		h.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
		(*unix.Inet4Pktinfo)(data).Spec_dst = local.As4()
		return b[:unix.CmsgSpace(unix.SizeofInet4Pktinfo)]
	}
	h.Level, h.Type = unix.IPPROTO_IPV6, unix.IPV6_PKTINFO
	h.SetLen(unix.CmsgLen(unix.SizeofInet6Pktinfo))
	info := (*unix.Inet6Pktinfo)(data)
	info.Addr, info.Ifindex = local.As16(), link(local.Zone())
	return b[:unix.CmsgSpace(unix.SizeofInet6Pktinfo)]
}

// link is the number of the link that a zone means, by its number or its name; 0 if there is none.
func link(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	return 0
}

// zoned is an address as the kernel tells it: IPv4 where it is one, with its link's number where it is link-local.
func zoned(addr [16]byte, link uint32) netip.Addr {
	a := netip.AddrFrom16(addr).Unmap()
	if link != 0 && a.IsLinkLocalUnicast() {
		a = a.WithZone(strconv.FormatUint(uint64(link), 10))
	}
	return a
}
