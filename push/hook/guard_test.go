package hook

import (
	"errors"
	"net"
	"net/netip"
	"testing"
)

// TestGuard has a name for each kind of address that is refused, and some that are not.
func TestGuard(t *testing.T) {
	for name, c := range map[string]struct {
		addr   string
		public bool
	}{
		"public":                           {"8.8.8.8", true},
		"public, IPv6":                     {"2606:4700::1111", true},
		"public, mapped":                   {"::ffff:8.8.8.8", true},
		"public, by NAT64":                 {"64:ff9b::8.8.8.8", true},
		"beside 10/8":                      {"11.0.0.0", true},
		"beside 172.16/12":                 {"172.32.0.0", true},
		"beside 100.64/10":                 {"100.128.0.0", true},
		"none":                             {"0.0.0.0", false},
		"this network":                     {"0.1.2.3", false},
		"loopback":                         {"127.0.0.1", false},
		"other loopback":                   {"127.255.255.254", false},
		"10":                               {"10.0.0.1", false},
		"172.16":                           {"172.31.255.255", false},
		"192.168":                          {"192.168.1.1", false},
		"link-local":                       {"169.254.1.1", false},
		"metadata of AWS, Google, Azure":   {"169.254.169.254", false},
		"metadata of Alibaba":              {"100.100.100.200", false},
		"metadata of Oracle":               {"192.0.0.192", false},
		"wire server of Azure":             {"168.63.129.16", false},
		"carrier-grade NAT":                {"100.64.0.1", false},
		"benchmarks":                       {"198.19.255.255", false},
		"documentation":                    {"192.0.2.1", false},
		"multicast":                        {"224.0.0.1", false},
		"reserved":                         {"240.0.0.1", false},
		"broadcast":                        {"255.255.255.255", false},
		"none, IPv6":                       {"::", false},
		"loopback, IPv6":                   {"::1", false},
		"loopback, mapped":                 {"::ffff:127.0.0.1", false},
		"loopback, mapped, in hexadecimal": {"::ffff:7f00:1", false},
		"loopback, compatible":             {"::127.0.0.1", false},
		"loopback, translated":             {"::ffff:0:127.0.0.1", false},
		"private, by NAT64":                {"64:ff9b::10.0.0.1", false},
		"metadata, by NAT64":               {"64:ff9b::a9fe:a9fe", false},
		"NAT64 of a network":               {"64:ff9b:1::808:808", false},
		"6to4 of loopback":                 {"2002:7f00:1::1", false},
		"6to4 of all":                      {"2002:808:808::1", false},
		"Teredo":                           {"2001:0:4136:e378:8000:63bf:3fff:fdd2", false},
		"ORCHID":                           {"2001:20::1", false},
		"documentation, IPv6":              {"2001:db8::1", false},
		"documentation, new":               {"3fff::1", false},
		"unique local":                     {"fd00::1", false},
		"metadata of AWS, IPv6":            {"fd00:ec2::254", false},
		"metadata of Google, IPv6":         {"fd20:ce::254", false},
		"link-local, IPv6":                 {"fe80::1", false},
		"link-local with a zone":           {"fe80::1%eth0", false},
		"loopback with a zone":             {"::1%lo", false},
		"mapped loopback with a zone":      {"::ffff:127.0.0.1%1", false},
		"public with a zone":               {"2606:4700::1111%eth0", true},
		"6to4 with a zone":                 {"2002:7f00:1::1%1", false},
		"site-local":                       {"fec0::1", false},
		"multicast, IPv6":                  {"ff02::1", false},
		"discard":                          {"100::1", false},
		"segment routing":                  {"5f00::1", false},
	} {
		if got := isPublic(netip.MustParseAddr(c.addr)); got != c.public {
			t.Errorf("%s: %s is public: %t", name, c.addr, got)
		}
		err := guard("tcp4", net.JoinHostPort(c.addr, "443"), nil)
		if (err == nil) != c.public || err != nil && !errors.Is(err, ErrPrivate) {
			t.Errorf("%s: %v", name, err)
		}
		if got := isPublicHost(c.addr); got != c.public {
			t.Errorf("%s: the host %s is public: %t", name, c.addr, got)
		}
	}
	if isPublic(netip.Addr{}) {
		t.Error("no address is public")
	}
	for _, c := range [][2]string{{"udp4", "8.8.8.8:53"}, {"unix", "/run/x.sock"}, {"tcp4", "name:1"}, {"tcp4", ""}} {
		if guard(c[0], c[1], nil) == nil {
			t.Errorf("%s %s is let through", c[0], c[1])
		}
	}
	for host, public := range map[string]bool{
		"app.example.com": true, "app.example.com.": true, "app": true, "localhost": false, "LocalHost.": false,
		"a.localhost": false, "127.1": false, "0x7f000001": false, "2130706433": false, "0177.0.0.1": false, "": false,
		".": false, "1.2.3.4.": false,
	} {
		if isPublicHost(host) != public {
			t.Errorf("the host %q is public: %t", host, !public)
		}
	}
}

// FuzzGuard compares with what package net knows of addresses, and has an address be as public in each way of writing
// it.
func FuzzGuard(f *testing.F) {
	for _, addr := range []string{
		"8.8.8.8", "::ffff:10.0.0.1", "2002:a00:1::", "64:ff9b::a00:1", "fe80::1", "2606:4700::",
	} {
		a := netip.MustParseAddr(addr)
		f.Add(a.AsSlice(), "")
	}
	f.Add(netip.MustParseAddr("::1").AsSlice(), "lo")
	f.Fuzz(func(t *testing.T, bytes []byte, zone string) {
		addr, ok := netip.AddrFromSlice(bytes)
		if !ok {
			return
		}
		got := isPublic(addr)
		if ip := net.IP(addr.AsSlice()); got && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() ||
			ip.IsMulticast() || ip.IsUnspecified() || ip.IsInterfaceLocalMulticast()) {
			t.Errorf("%s is public", addr)
		}
		if addr.Is4() {
			if mapped := netip.AddrFrom16(addr.As16()); isPublic(mapped) != got {
				t.Errorf("%s is public: %t, and %s is not", addr, got, mapped)
			}
			b := nat64.Addr().As16()
			copy(b[12:], addr.AsSlice())
			if by := netip.AddrFrom16(b); isPublic(by) != got {
				t.Errorf("%s is public: %t, and %s is not", addr, got, by)
			}
		}
		if addr.Is6() && isPublic(addr.WithZone(zone)) != got {
			t.Errorf("%s is public: %t, and with the zone %q it is not", addr, got, zone)
		}
	})
}
