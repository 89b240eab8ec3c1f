package poll

import (
	"net"
	"net/netip"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAddressesRoundTrip(t *testing.T) {
	link, err := net.InterfaceByIndex(1)
	if err != nil {
		t.Skipf("no first link: %v", err)
	}
	for _, c := range []struct {
		name, to, want string
		only4          bool
		family         uint16
	}{
		{"IPv4", "192.0.2.1:80", "192.0.2.1:80", true, unix.AF_INET},
		{"IPv4 in IPv6 over IPv4", "[::ffff:192.0.2.1]:80", "192.0.2.1:80", true, unix.AF_INET},
		{"IPv4 over IPv6", "192.0.2.1:80", "192.0.2.1:80", false, unix.AF_INET6},
		{"IPv6", "[2001:db8::1]:65535", "[2001:db8::1]:65535", false, unix.AF_INET6},
		{"IPv6 over IPv4, for the kernel to refuse", "[2001:db8::1]:1", "[2001:db8::1]:1", true, unix.AF_INET6},
		{"link-local", "[fe80::1]:258", "[fe80::1]:258", false, unix.AF_INET6},
		{"link by number", "[fe80::1%4000]:258", "[fe80::1%4000]:258", false, unix.AF_INET6},
		{"link by name", "[fe80::1%" + link.Name + "]:258", "[fe80::1%" + strconv.Itoa(link.Index) + "]:258", false,
			unix.AF_INET6},
		{"link that does not exist", "[fe80::1%no-such]:258", "[fe80::1]:258", false, unix.AF_INET6},
	} {
		var sa unix.RawSockaddrAny
		encodeAddr(&sa, netip.MustParseAddrPort(c.to), c.only4)
		if got := decodeAddr(&sa); got != netip.MustParseAddrPort(c.want) || sa.Addr.Family != c.family {
			t.Errorf("%s: %v in family %d, want %v in %d", c.name, got, sa.Addr.Family, c.want, c.family)
		}
	}
}

func TestSendingDatagramsAllocatesNothing(t *testing.T) {
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Shut()
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := Ends{Peer: pc.LocalAddr().(*net.UDPAddr).AddrPort()}
	h, err := p.Packet(pc)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	allocs := testing.AllocsPerRun(100, func() {
		if err := p.WriteTo(h, b, to); err != nil {
			t.Error(err)
		}
		if _, err := p.Wait(-1); err != nil {
			t.Error(err)
		}
		if _, _, err := p.ReadFrom(h, b); err != nil {
			t.Error(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
