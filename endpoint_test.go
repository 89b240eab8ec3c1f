package lineman_test

import (
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
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

// TestRemoteAddrPort has the address of a peer as a value be what RemoteAddr tells. It allocates nothing. On a Unix
// socket there is none.
func TestRemoteAddrPort(t *testing.T) {
	tcp := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	unix := &lineman.Worker{Addr: "text+unix://" + filepath.Join(t.TempDir(), "s")}
	for _, w := range []*lineman.Worker{tcp, unix} {
		conns := make(chan *lineman.Conn, 1)
		w.OnConnect = func(c *lineman.Conn) { conns <- c }
		s := linemantest.Start(t, w)
		client := dial(t, s.Addr(w))
		c := next(t, conns, "the connection")
		at, want := c.RemoteAddrPort(), client.LocalAddr().String()
		switch {
		case w == unix && at.IsValid():
			t.Errorf("%v on a Unix socket", at)
		case w == tcp && (at.String() != want || c.RemoteAddr().String() != want):
			t.Errorf("%v and %v, want %v", at, c.RemoteAddr(), want)
		}
		linemantest.NoAllocations(t, func() { at = c.RemoteAddrPort() })
	}
}

// TestSizes holds what an idle WebSocket pays for its connection: the classes of sizes in which memory is given out.
func TestSizes(t *testing.T) {
	if conn, session := lineman.Size(); conn > 176 || session > 24 {
		t.Errorf("a connection takes %d bytes and its session %d, want 176 and 24 at most", conn, session)
	}
}
