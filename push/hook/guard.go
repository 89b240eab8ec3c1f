package hook

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
)

// ErrPrivate is the error of a request to an address that is none of the internet's, unless that is allowed.
var ErrPrivate = errors.New("hook: the address is not public: say private: true if the hook may be there")

// guard is net.Dialer.Control: it sees the address that is about to be connected to, so that it does not matter which
// name it belongs to, and what that name stood for a moment ago.
func guard(network, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !strings.HasPrefix(network, "tcp") || !isPublic(at.Addr()) {
		return fmt.Errorf("%w: %s", ErrPrivate, address)
	}
	return nil
}

// special are the addresses of no single host of the internet (RFC 6890, and the registries of IANA that it begins),
// and those at which machines of a cloud find who they are and what they may do.
var special = prefixes(
	"0.0.0.0/8",         // this network
	"10.0.0.0/8",        // private (RFC 1918)
	"100.64.0.0/10",     // carrier-grade NAT (RFC 6598); metadata of Alibaba Cloud
	"127.0.0.0/8",       // loopback
	"168.63.129.16/32",  // metadata of Azure
	"169.254.0.0/16",    // link-local (RFC 3927); metadata of most clouds
	"172.16.0.0/12",     // private
	"192.0.0.0/24",      // IETF protocol assignments; metadata of Oracle Cloud
	"192.0.2.0/24",      // documentation (RFC 5737)
	"192.88.99.0/24",    // 6to4 relays (RFC 7526)
	"192.168.0.0/16",    // private
	"198.18.0.0/15",     // benchmarks (RFC 2544)
	"198.51.100.0/24",   // documentation
	"203.0.113.0/24",    // documentation
	"224.0.0.0/4",       // multicast
	"240.0.0.0/4",       // reserved; broadcast
	"2001::/23",         // IETF protocol assignments; Teredo (RFC 4380), which has an IPv4 address inside
	"2001:db8::/32",     // documentation (RFC 3849)
	"2002::/16",         // 6to4 (RFC 3056), which has an IPv4 address inside
	"3fff::/20",         // documentation (RFC 9637)
	"2620:4f:8000::/48", // AS112 (RFC 7534): nobody's
	"192.31.196.0/24",   // AS112
	"192.175.48.0/24",   // AS112
	"192.52.193.0/24",   // AMT relays (RFC 7450)
)

var (
	// globalUnicast is all of IPv6 that is given to hosts of the internet (RFC 4291): what is outside is refused, such
	// as loopback, link-local and unique local addresses, multicast, and IPv4 in the last 32 bits.
	globalUnicast = netip.MustParsePrefix("2000::/3")

	// nat64 has an IPv4 address in its last 32 bits, to which it leads (RFC 6052).
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(all ...string) (list []netip.Prefix) {
	for _, p := range all {
		list = append(list, netip.MustParsePrefix(p))
	}
	return list
}

// isPublic reports whether an address may be that of any host of the internet.
func isPublic(addr netip.Addr) bool {
	addr = addr.WithZone("").Unmap() // a prefix contains no address with a zone
	if nat64.Contains(addr) {
		b := addr.As16()
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	if !addr.IsValid() || addr.Is6() && !globalUnicast.Contains(addr) {
		return false
	}
	for _, p := range special {
		if p.Contains(addr) {
			return false
		}
	}
	return true
}

// isPublicHost reports whether the host of a URL is the address of a host of the internet, or a name. A name that ends
// in a number is an address to some, such as 127.1.
func isPublicHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return isPublic(addr)
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	last := name[strings.LastIndexByte(name, '.')+1:]
	return last != "localhost" && last != "" && (last[0] < '0' || last[0] > '9')
}
