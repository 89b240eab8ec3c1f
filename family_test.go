package lineman_test

import (
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// answers reports whether somebody listens on a port of a host. A datagram that nobody takes comes back.
func answers(t *testing.T, network, host string, port int) bool {
	t.Helper()
	c, err := net.DialTimeout(network, net.JoinHostPort(host, strconv.Itoa(port)), patience)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("word\n")); err != nil {
		t.Fatal(err)
	}
	n, err := c.Read(make([]byte, 16))
	if err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatal(err)
	}
	return n > 0
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
				w := &lineman.Worker{Addr: scheme + "://" + tt.host + ":0", ReusePort: reuse, Events: lineman.Events{OnMessage: echo}}
				s := linemantest.Start(t, w)
				host, service, err := net.SplitHostPort(s.Addr(w).String())
				if err != nil || host != tt.shown {
					t.Errorf("%s listens on %v", w.Addr, s.Addr(w))
				}
				port, _ := strconv.Atoi(service) // SplitHostPort has found one
				network := strings.Replace(scheme, "text", "tcp", 1)
				if four, six := answers(t, network, "127.0.0.1", port), answers(t, network, "::1", port); four != tt.four || six != tt.six {
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
			if got, ok := a.(*net.TCPAddr); !ok || got.IP.To4() == nil || !strings.HasPrefix(got.String(), "127.0.0.1:") {
				t.Errorf("%s: an end is %v", host, a)
			}
		}
		_ = c.Close()
		next(t, d.closes, "OnClose")
	}
}
