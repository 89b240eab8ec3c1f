package lineman_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// answers reports whether who says name listens on a port of a host. Somebody else may have that port of the other
// family.
func answers(network, host, port, name string) bool {
	c, err := net.DialTimeout(network, net.JoinHostPort(host, port), patience)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("who\n")); err != nil {
		return false
	}
	b := make([]byte, 64)
	n, err := c.Read(b) // a datagram that nobody takes comes back
	return err == nil && strings.TrimSpace(string(b[:n])) == name
}

// TestFamily has an address of IPv4 mean IPv4 alone, in whatever form, and an address of no family mean both.
func TestFamily(t *testing.T) {
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	}
	ln.Close()
	for _, tt := range []struct {
		host, shown string
		four, six   bool
	}{
		{"0.0.0.0", "0.0.0.0", true, false},
		{"127.0.0.1", "127.0.0.1", true, false},
		{"[::ffff:0.0.0.0]", "0.0.0.0", true, false},
		{"[::ffff:127.0.0.1]", "127.0.0.1", true, false},
		{"[::ffff:7f00:1]", "127.0.0.1", true, false},
		{"[::]", "::", true, true},
		{"", "::", true, true},
		{"[::1]", "::1", false, true},
	} {
		for _, scheme := range []string{"text", "udp"} {
			for _, reuse := range []bool{false, true} {
				if reuse && os.PathSeparator == '\\' {
					continue // Windows has no SO_REUSEPORT
				}
				name := fmt.Sprint(scheme, " of this test ", rand.Uint64())
				w := &lineman.Worker{Addr: scheme + "://" + tt.host + ":0", ReusePort: reuse}
				w.OnMessage = func(c *lineman.Conn, _ []byte) { _ = c.Send([]byte(name)) }
				s := linemantest.Start(t, w)
				host, port, err := net.SplitHostPort(s.Addr(w).String())
				if err != nil || host != tt.shown {
					t.Errorf("%s listens on %v", w.Addr, s.Addr(w))
				}
				network := strings.Replace(scheme, "text", "tcp", 1)
				four, six := answers(network, "127.0.0.1", port, name), answers(network, "::1", port, name)
				if four != tt.four || six != tt.six {
					t.Errorf("%s answers by IPv4: %v, by IPv6: %v", w.Addr, four, six)
				}
				if err := s.Stop(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// TestDialFamily has a dialed address of IPv4 mean IPv4: RemoteAddr and LocalAddr are of it.
func TestDialFamily(t *testing.T) {
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "server"}
	s := linemantest.Start(t, w)
	_, port, _ := net.SplitHostPort(s.Addr(w).String())
	for _, host := range []string{"127.0.0.1", "0.0.0.0", "[::ffff:127.0.0.1]"} {
		d := newDialed()
		c := dialFrom(t, s, w, "text://"+host+":"+port, d.Dialer)
		next(t, d.connects, "OnConnect")
		for _, a := range []net.Addr{c.LocalAddr(), c.RemoteAddr()} {
			if got, ok := a.(*net.TCPAddr); !ok || got.IP.To4() == nil ||
				!strings.HasPrefix(got.String(), "127.0.0.1:") {
				t.Errorf("%s: an end is %v", host, a)
			}
		}
		_ = c.Close()
		next(t, d.closes, "OnClose")
	}
}
