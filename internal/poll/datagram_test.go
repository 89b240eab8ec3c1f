package poll_test

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/internal/poll"
)

// packet opens a datagram socket for the poller.
func (p *poller) packet(network string) (poll.Handle, netip.AddrPort) {
	p.Helper()
	return p.packetAt(network, map[string]string{"udp4": "127.0.0.1:0", "udp6": "[::1]:0"}[network])
}

func (p *poller) packetAt(network, address string) (poll.Handle, netip.AddrPort) {
	p.Helper()
	pc, err := net.ListenPacket(network, address)
	if err != nil {
		p.Fatal(err)
	}
	addr := pc.LocalAddr().(*net.UDPAddr).AddrPort()
	h, err := p.Packet(pc)
	if err != nil {
		p.Fatal(err)
	}
	return h, addr
}

// remote opens a peer, whose calls end after patience.
func (p *poller) remote(network, address string) *net.UDPConn {
	p.Helper()
	pc, err := net.ListenPacket(network, address)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { pc.Close() })
	if err := pc.SetDeadline(time.Now().Add(patience)); err != nil {
		p.Fatal(err)
	}
	return pc.(*net.UDPConn)
}

func overDatagrams(t *testing.T, f func(t *testing.T, p *poller, network string)) {
	overEach(t, func(t *testing.T, p *poller) {
		for _, network := range []string{"udp4", "udp6"} {
			t.Run(network, func(t *testing.T) {
				needs(t, network)
				f(t, &poller{p.Poller, t}, network)
			})
		}
	})
}

func TestDatagrams(t *testing.T) {
	overDatagrams(t, func(t *testing.T, p *poller, network string) {
		h, addr := p.packet(network)
		if got := p.LocalAddr(h); got == nil || got.String() != addr.String() || got.Network() != "udp" {
			t.Errorf("local address %v, want %v", got, addr)
		}
		b := make([]byte, 8)
		if _, _, err := p.ReadFrom(h, b); err != poll.ErrAgain {
			t.Errorf("nothing was sent: %v, want ErrAgain", err)
		}
		remote := p.remote(network, netip.AddrPortFrom(addr.Addr(), 0).String())
		from := remote.LocalAddr().(*net.UDPAddr).AddrPort()
		sent := []string{"one", "", "longer than the buffer", "eight 88"}
		for _, s := range sent {
			if _, err := remote.WriteToUDPAddrPort([]byte(s), addr); err != nil {
				t.Fatal(err)
			}
		}
		for _, s := range sent {
			p.untilReadable(h)
			n, got, err := p.ReadFrom(h, b)
			if want := s[:min(len(s), len(b))]; err != nil || string(b[:n]) != want || got != (poll.Ends{Peer: from}) {
				t.Errorf("read %q from %v, %v, want %q from %v", b[:n], got, err, want, from)
			}
			if err := p.WriteTo(h, b[:n], got); err != nil {
				t.Error(err)
			}
			answer := make([]byte, 100)
			m, sender, err := remote.ReadFromUDPAddrPort(answer)
			if err != nil || !bytes.Equal(answer[:m], b[:n]) || sender != addr {
				t.Errorf("the peer got %q from %v, %v, want %q from %v", answer[:m], sender, err, b[:n], addr)
			}
		}
		if _, _, err := p.ReadFrom(h, b); err != poll.ErrAgain {
			t.Errorf("all was read: %v, want ErrAgain", err)
		}
		if err := p.WriteTo(h, make([]byte, 70_000), poll.Ends{Peer: from}); err == nil {
			t.Error("a datagram of 70,000 bytes was sent")
		}
	})
}

// TestConnectedDatagrams has a connected socket send to its peer, take from nobody else, and tell that its peer is
// gone.
func TestConnectedDatagrams(t *testing.T) {
	overDatagrams(t, func(t *testing.T, p *poller, network string) {
		loopback := map[string]string{"udp4": "127.0.0.1:0", "udp6": "[::1]:0"}[network]
		remote, stranger := p.remote(network, loopback), p.remote(network, loopback)
		c, err := net.Dial(network, remote.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		h, err := p.Packet(c.(*net.UDPConn))
		if err != nil {
			t.Fatal(err)
		}
		own := p.LocalAddr(h).(*net.UDPAddr).AddrPort()
		b := make([]byte, 8)
		for _, want := range []string{"one", "", "eight 88"} {
			if err := p.WriteTo(h, []byte(want), poll.Ends{}); err != nil {
				t.Fatal(err)
			}
			if n, from, err := remote.ReadFromUDPAddrPort(b); err != nil || string(b[:n]) != want || from != own {
				t.Errorf("the peer got %q from %v, %v, want %q from %v", b[:n], from, err, want, own)
			}
			for from, msg := range map[*net.UDPConn]string{stranger: "other", remote: want} {
				if _, err := from.WriteToUDPAddrPort([]byte(msg), own); err != nil {
					t.Fatal(err)
				}
			}
			p.untilReadable(h)
			if n, from, err := p.ReadFrom(h, b); err != nil || string(b[:n]) != want ||
				from.Peer.String() != remote.LocalAddr().String() {
				t.Errorf("got %q from %v, %v, want %q", b[:n], from, err, want)
			}
		}
		if err := p.WriteTo(h, make([]byte, 70_000), poll.Ends{}); err == nil {
			t.Error("a datagram of 70,000 bytes was sent")
		}
		remote.Close()
		if err := p.WriteTo(h, []byte("x"), poll.Ends{}); err != nil {
			t.Fatal(err)
		}
		p.until("a datagram has come back", func(ev poll.Event) bool { return ev.Handle == h && (ev.Read || ev.Fail) })
		if _, _, err := p.ReadFrom(h, b); !errors.Is(err, syscall.ECONNREFUSED) && runtime.GOOS == "linux" {
			t.Errorf("the peer is gone: %v", err)
		}
		if _, _, err := p.ReadFrom(h, b); err != poll.ErrAgain {
			t.Errorf("that was told: %v, want ErrAgain", err)
		}
	})
}

func TestDatagramsArm(t *testing.T) {
	overDatagrams(t, func(t *testing.T, p *poller, network string) {
		h, addr := p.packet(network)
		remote := p.remote(network, netip.AddrPortFrom(addr.Addr(), 0).String())
		if _, err := remote.WriteToUDPAddrPort([]byte("x"), addr); err != nil {
			t.Fatal(err)
		}
		p.untilReadable(h)
		p.arm(h, false, false)
		p.silent(h)
		p.arm(h, true, false)
		p.untilReadable(h)
		p.untilReadable(h)
		p.Close(h, false)
		p.wait(0)
		if got := p.LocalAddr(h); got != nil {
			t.Errorf("local address %v after Close, want nil", got)
		}
	})
}

// TestDatagramsOfBothFamilies talks to an IPv4 peer over an IPv6 socket, and over an IPv4 one to the same peer named in
// IPv6.
func TestDatagramsOfBothFamilies(t *testing.T) {
	needs(t, "udp6")
	overEach(t, func(t *testing.T, p *poller) {
		remote := p.remote("udp4", "127.0.0.1:0")
		from := remote.LocalAddr().(*net.UDPAddr).AddrPort()
		both, addr := p.packetAt("udp", "[::]:0")
		if _, err := remote.WriteToUDPAddrPort([]byte("x"), netip.AddrPortFrom(from.Addr(), addr.Port())); err != nil {
			t.Fatal(err)
		}
		p.untilReadable(both)
		if _, got, err := p.ReadFrom(both, make([]byte, 10)); err != nil || got.Peer != from {
			t.Errorf("from %v, %v, want %v", got, err, from)
		}
		four, _ := p.packet("udp4")
		mapped := netip.AddrPortFrom(netip.AddrFrom16(from.Addr().As16()), from.Port())
		for _, to := range []netip.AddrPort{from, mapped} {
			for name, h := range map[string]poll.Handle{"both": both, "four": four} {
				if err := p.WriteTo(h, []byte(name), poll.Ends{Peer: to}); err != nil {
					t.Errorf("%s to %v: %v", name, to, err)
					continue
				}
				b := make([]byte, 10)
				if n, _, err := remote.ReadFromUDPAddrPort(b); err != nil || string(b[:n]) != name {
					t.Errorf("%s to %v: the peer got %q, %v", name, to, b[:n], err)
				}
			}
		}
		if err := p.WriteTo(four, []byte("x"), poll.Ends{Peer: netip.MustParseAddrPort("[::1]:9")}); err == nil ||
			err == poll.ErrAgain {
			t.Errorf("an IPv4 socket sent to IPv6: %v", err)
		}
	})
}

// TestLinkLocal answers a link-local peer at the address it came from, and at the same address with the link's name.
func TestLinkLocal(t *testing.T) {
	address, link := linkLocal(t)
	overEach(t, func(t *testing.T, p *poller) {
		zoned := address.WithZone(link.Name)
		h, addr := p.packetAt("udp6", "[::]:0") // bound to no link, so that it depends on the address alone
		remote := p.remote("udp6", netip.AddrPortFrom(zoned, 0).String())
		if _, err := remote.WriteToUDPAddrPort([]byte("x"), netip.AddrPortFrom(zoned, addr.Port())); err != nil {
			t.Fatal(err)
		}
		p.untilReadable(h)
		_, between, err := p.ReadFrom(h, make([]byte, 10))
		from := between.Peer
		if err != nil || from.Addr().WithZone("") != address || from.Addr().Zone() == "" {
			t.Fatalf("from %v, %v, want %v with its link", from, err, address)
		}
		named := netip.AddrPortFrom(zoned, from.Port())
		parsed := netip.MustParseAddrPort(from.String())
		for _, to := range []poll.Ends{
			between, {Peer: from}, {Peer: named}, {Peer: parsed}, {Peer: from, Local: zoned},
		} {
			if err := p.WriteTo(h, []byte("y"), to); err != nil {
				t.Errorf("to %v: %v", to, err)
				continue
			}
			if _, _, err := remote.ReadFromUDPAddrPort(make([]byte, 10)); err != nil {
				t.Errorf("to %v: the peer got %v", to, err)
			}
		}
	})
}

// linkLocal finds a link-local address of this host.
func linkLocal(t *testing.T) (netip.Addr, net.Interface) {
	t.Helper()
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		addrs, err := link.Addrs()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range addrs {
			prefix, err := netip.ParsePrefix(a.String())
			if err == nil && prefix.Addr().Is6() && prefix.Addr().IsLinkLocalUnicast() && link.Flags&net.FlagUp != 0 {
				return prefix.Addr().WithZone(""), link
			}
		}
	}
	t.Skip("no link-local IPv6 address here")
	return netip.Addr{}, net.Interface{}
}
