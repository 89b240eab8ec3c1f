package sock

import (
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// setDestination has the kernel keep with each datagram which address it was sent to, where the socket is for all of
// them: from the first datagram on, so before the socket is bound. Where that cannot be done, the poller finds out.
func setDestination(fd uintptr, network, address string) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return // binding will say what is wrong
	}
	if ip, err := netip.ParseAddr(host); host != "" && (err != nil || !ip.IsUnspecified()) {
		return
	}
	if network == "udp6" {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	}
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
}
