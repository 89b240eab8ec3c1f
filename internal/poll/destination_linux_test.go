package poll_test

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// TestDestination has a socket without an address of its own answer from the one that it was asked at: a peer that is
// connected to that takes no other answer.
func TestDestination(t *testing.T) {
	needs(t, "udp6")
	overEach(t, func(t *testing.T, p *poller) {
		for _, tt := range []struct{ network, address, asked, answers string }{
			{"udp4", "0.0.0.0:0", "127.0.0.1", "127.0.0.1"},
			{"udp4", "0.0.0.0:0", "127.0.0.2", "127.0.0.2"},
			{"udp4", "0.0.0.0:0", "127.255.255.255", "127.0.0.1"}, // a broadcast is nobody's address
			{"udp6", "[::]:0", "::1", "::1"},
			{"udp", "[::]:0", "127.0.0.1", "127.0.0.1"},
			{"udp", "[::]:0", "127.0.0.2", "127.0.0.2"},
			{"udp", "[::]:0", "127.255.255.255", "127.0.0.1"},
			{"udp", "[::]:0", "::1", "::1"},
		} {
			h, addr := p.packetAt(tt.network, tt.address)
			at := netip.AddrPortFrom(netip.MustParseAddr(tt.asked), addr.Port())
			from := netip.AddrPortFrom(netip.MustParseAddr(tt.answers), addr.Port())
			c := p.remote("udp", map[bool]string{true: "127.0.0.1:0", false: "[::1]:0"}[at.Addr().Is4()])
			for _, size := range []int{0, 1, 10} {
				if _, err := c.WriteToUDPAddrPort(make([]byte, size), at); err != nil {
					t.Fatal(err)
				}
				p.untilReadable(h)
				n, between, err := p.ReadFrom(h, make([]byte, 10))
				if err != nil || n != size || between.Local.String() != tt.answers {
					t.Errorf("%s at %s: %d bytes at %v, %v", tt.address, tt.asked, n, between.Local, err)
				}
				if err := p.WriteTo(h, make([]byte, size), between); err != nil {
					t.Errorf("%s at %s: %v", tt.address, tt.asked, err)
					continue
				}
				if n, sender, err := c.ReadFromUDPAddrPort(make([]byte, 10)); err != nil || n != size ||
					sender != from {
					t.Errorf("%s at %s: the answer has %d bytes from %v, %v", tt.address, tt.asked, n, sender, err)
				}
			}
			p.Close(h, false)
			p.wait(0)
		}
	})
}

// TestDestinationAllocations wants a datagram to allocate no more with the address that it was sent to than without.
func TestDestinationAllocations(t *testing.T) {
	overEach(t, func(t *testing.T, p *poller) {
		allocations := func(address string) float64 {
			h, addr := p.packetAt("udp4", address)
			c, err := net.Dial("udp4", netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), addr.Port()).String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			b := make([]byte, 100)
			return testing.AllocsPerRun(200, func() {
				if _, err := c.Write(b); err != nil {
					t.Fatal(err)
				}
				for {
					events, err := p.Wait(time.Second)
					if err != nil {
						t.Fatal(err)
					}
					if len(events) > 0 {
						break
					}
				}
				_, between, err := p.ReadFrom(h, b)
				if err == nil {
					err = p.WriteTo(h, b, between)
				}
				if err == nil {
					_, err = c.Read(b)
				}
				if err != nil {
					t.Fatal(err)
				}
			})
		}
		any, one := allocations("0.0.0.0:0"), allocations("127.0.0.1:0")
		for tries := 4; any > one && tries > 0; tries-- { // goroutines of tests before may allocate, too
			any, one = min(any, allocations("0.0.0.0:0")), min(one, allocations("127.0.0.1:0"))
		}
		if any > one {
			t.Errorf("%v allocations with it, %v without", any, one)
		}
	})
}
