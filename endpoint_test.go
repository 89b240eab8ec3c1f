package lineman_test

import (
	"net/netip"
	"testing"

	"github.com/lineman-go/lineman"
)

// TestEndpoint has a connection remember the address of its peer whole, and nothing of the one before.
func TestEndpoint(t *testing.T) {
	var addrs []netip.AddrPort
	for _, a := range []string{
		"192.0.2.1:80", "[2001:db8::1]:65535", "[fe80::1%2]:80", "[fe80::1%eth0]:80", "[fe80::1]:80", "0.0.0.0:0",
		"[::]:0",
	} {
		addrs = append(addrs, netip.MustParseAddrPort(a), netip.AddrPort{})
	}
	for i, got := range lineman.Remembered(addrs...) {
		if got != addrs[i] {
			t.Errorf("%v, want %v", got, addrs[i])
		}
	}
}

// TestSizes holds what an idle WebSocket pays for its connection: the classes of sizes in which memory is given out.
func TestSizes(t *testing.T) {
	if conn, session := lineman.Size(); conn > 192 || session > 24 {
		t.Errorf("a connection takes %d bytes and its session %d, want 192 and 24 at most", conn, session)
	}
}
