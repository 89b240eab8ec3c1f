//go:build unix

package master

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/internal/channel"
	"github.com/lineman-go/lineman/internal/processtest"
)

// hand duplicates sockets to descriptors in a row, as a service manager does: blocking, and for programs that are
// executed.
func hand(t *testing.T, sockets ...interface{ File() (*os.File, error) }) (first int) {
	t.Helper()
	const above = 300 // what the test itself has open
	for i, s := range sockets {
		f, err := s.File()
		if err != nil {
			t.Fatal(err)
		}
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD, above)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		if fd != above+i {
			t.Fatalf("descriptor %d, want %d", fd, above+i)
		}
		if err := unix.SetNonblock(fd, false); err != nil {
			t.Fatal(err)
		}
	}
	return above
}

// take is activated with an environment, of which it returns the rest.
func take(first int, environment map[string]string) ([]Inherited, map[string]string, error) {
	rest := maps.Clone(environment)
	all, err := activated(first, func(name string) string { return rest[name] }, func(name string) error {
		delete(rest, name)
		return nil
	})
	return all, rest, err
}

// mine is the environment of a service with so many sockets.
func mine(count any) map[string]string {
	return map[string]string{
		"LISTEN_PID": fmt.Sprint(os.Getpid()), "LISTEN_FDS": fmt.Sprint(count), "LISTEN_FDNAMES": "a:b", "HOME": "/",
	}
}

func TestActivated(t *testing.T) {
	tcp, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	local, err := net.ListenUnix("unix", &net.UnixAddr{Name: processtest.SocketFile(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	first := hand(t, tcp, udp, local)
	all, rest, err := take(first, mine(3))
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(rest, map[string]string{"HOME": "/"}) {
		t.Errorf("the environment is %v", rest)
	}
	want := []Inherited{
		{FD: first, Network: "tcp", Address: tcp.Addr().String()},
		{FD: first + 1, Network: "udp", Address: udp.LocalAddr().String()},
		{FD: first + 2, Network: "unix", Address: local.Addr().String()},
	}
	if !slices.Equal(all, want) {
		t.Errorf("got %v, want %v", all, want)
	}
	for _, in := range all {
		if got := in.addr(); got.Network() != in.Network || got.String() != in.Address {
			t.Errorf("the address of %v is %v", in, got)
		}
		if flags, err := unix.FcntlInt(uintptr(in.FD), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%v goes to other programs: %v", in, err)
		}
		if flags, err := unix.FcntlInt(uintptr(in.FD), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("%v blocks: %v", in, err)
		}
	}
}

func TestActivatedIPv6(t *testing.T) {
	for network, dual := range map[string]bool{"tcp6": false, "tcp": true} {
		ln, err := net.Listen(network, "[::]:0")
		if err != nil {
			t.Skip(err)
		}
		defer ln.Close()
		t.Run(network, func(t *testing.T) {
			all, _, err := take(hand(t, ln.(*net.TCPListener)), mine(1))
			if err != nil {
				t.Fatal(err)
			}
			port := ln.Addr().(*net.TCPAddr).Port
			if want := fmt.Sprintf("[::]:%d", port); all[0].Network != "tcp" || all[0].Address != want {
				t.Errorf("got %v, want %s", all[0], want)
			}
			if got := all[0].Matches("tcp", fmt.Sprintf("0.0.0.0:%d", port)); got != dual {
				t.Errorf("all addresses of IPv4 are taken: %v, want %v", got, dual)
			}
		})
	}
}

// TestActivatedNot has the environment be another process's, or nobody's.
func TestActivatedNot(t *testing.T) {
	other := mine(3)
	other["LISTEN_PID"] = fmt.Sprint(os.Getppid())
	for _, environment := range []map[string]string{{}, {"LISTEN_FDS": "3"}, other} {
		all, rest, err := take(300, environment)
		if len(all) > 0 || err != nil || !maps.Equal(rest, environment) {
			t.Errorf("%v: got %v, %v", environment, all, err)
		}
	}
	if all, _, err := take(300, mine(0)); len(all) > 0 || err != nil {
		t.Errorf("got %v, %v of no sockets", all, err)
	}
}

func TestActivatedWrong(t *testing.T) {
	for _, count := range []string{"", "-1", "some"} {
		if _, _, err := take(300, mine(count)); err == nil || !strings.Contains(err.Error(), "LISTEN_FDS") {
			t.Errorf("%q: %v", count, err)
		}
	}
	ln, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	connected, err := net.DialTCP("tcp4", nil, ln.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer connected.Close()
	datagrams, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: processtest.SocketFile(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer datagrams.Close()
	plain, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	for want, s := range map[string]interface{ File() (*os.File, error) }{
		"does not listen": connected, "neither a stream nor UDP": datagrams, "non-socket": duplicate{plain},
	} {
		t.Run(want, func(t *testing.T) {
			first := hand(t, s)
			_, _, err := take(first, mine(1))
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), fmt.Sprint(first)) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, _, err := take(900, mine(1)); err == nil {
		t.Error("a descriptor that is not open was taken")
	}
}

// duplicate is a plain file that hand takes.
type duplicate struct{ file *os.File }

func (d duplicate) File() (*os.File, error) { return os.Open(d.file.Name()) }

func TestMatches(t *testing.T) {
	tcp := func(address string) Inherited { return Inherited{Network: "tcp", Address: address} }
	all4, all6, one4, one6 := tcp("0.0.0.0:80"), tcp("[::]:80"), tcp("127.0.0.1:80"), tcp("[::1]:80")
	dual := all6
	dual.dual = true
	local := Inherited{Network: "unix", Address: "/run/app.sock"}
	abstract := Inherited{Network: "unix", Address: "@app"}
	for _, c := range []struct {
		in      Inherited
		network string
		address string
		want    bool
	}{
		{all4, "tcp", "0.0.0.0:80", true},
		{all4, "tcp", ":80", true},
		{all4, "tcp", ":http", true},
		{all4, "tcp", "[::]:80", false},
		{all4, "tcp", "127.0.0.1:80", false},
		{all4, "tcp", "0.0.0.0:81", false},
		{all4, "tcp", "0.0.0.0", false},
		{all4, "tcp", ":none-such", false},
		{all4, "tcp", "", false},
		{all4, "udp", "0.0.0.0:80", false},
		{all4, "unix", "0.0.0.0:80", false},
		{all6, "tcp", "[::]:80", true},
		{all6, "tcp", ":80", true},
		{all6, "tcp", "0.0.0.0:80", false},
		{dual, "tcp", "[::]:80", true},
		{dual, "tcp", "0.0.0.0:80", true},
		{dual, "tcp", "127.0.0.1:80", false},
		{one4, "tcp", "127.0.0.1:80", true},
		{one4, "tcp", "[::ffff:127.0.0.1]:80", true},
		{one4, "tcp", ":80", false},
		{one4, "tcp", "0.0.0.0:80", false},
		{one4, "tcp", "localhost:80", true},
		{one4, "tcp", "localhost:81", false},
		{one6, "tcp", "[::1]:80", true},
		{one6, "tcp", "127.0.0.1:80", false},
		{Inherited{Network: "udp", Address: "0.0.0.0:80"}, "udp", ":80", true},
		{local, "unix", "/run/app.sock", true},
		{local, "unix", "/run/../run/app.sock", true},
		{local, "unix", "/run/other.sock", false},
		{local, "unix", "app.sock", false},
		{local, "tcp", "/run/app.sock", false},
		{abstract, "unix", "@app", true},
		{abstract, "unix", "app", false},
	} {
		if got := c.in.Matches(c.network, c.address); got != c.want {
			t.Errorf("%v matches %s %q: %v, want %v", c.in, c.network, c.address, got, c.want)
		}
	}
}

func TestMatchesRelative(t *testing.T) {
	absolute, err := filepath.Abs("app.sock")
	if err != nil {
		t.Fatal(err)
	}
	in := Inherited{Network: "unix", Address: absolute}
	if !in.Matches("unix", "app.sock") || !in.Matches("unix", "./app.sock") {
		t.Errorf("%s is not app.sock", absolute)
	}
}

// TestMatchesLocalhost takes each address that the name has.
func TestMatchesLocalhost(t *testing.T) {
	all, err := net.LookupHost("localhost")
	if err != nil {
		t.Skip(err)
	}
	for _, host := range all {
		at := netip.MustParseAddr(host).WithZone("").String()
		in := Inherited{Network: "tcp", Address: net.JoinHostPort(at, "80")}
		if !in.Matches("tcp", "localhost:80") {
			t.Errorf("%v is not localhost:80", in)
		}
	}
}

// TestHostFamily has an address of IPv4 opened for IPv4 alone, also once port 0 has become one.
func TestHostFamily(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		target := "0.0.0.0:0"
		for range 2 {
			s, err := (&Host{}).open(channel.Address{Network: network, Target: target, ReusePort: true})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			target = s.Addr().String()
			if at := netip.MustParseAddrPort(target); !at.Addr().Is4() {
				t.Errorf("%s: it listens on %v", network, at)
			}
		}
	}
}
