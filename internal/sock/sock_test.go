package sock_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/internal/sock"
)

// listen opens a stream listener that the end of the test closes, and that nobody waits for longer than 20 seconds.
func listen(t *testing.T, network, address string, o sock.Options) net.Listener {
	t.Helper()
	ln, err := sock.Listen(network, address, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() }) // a test may have closed it
	if err := ln.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return ln
}

// exchange connects to ln and has one word arrive.
func exchange(t *testing.T, ln net.Listener) {
	t.Helper()
	c, err := net.Dial(ln.Addr().Network(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	if _, err := io.WriteString(c, "word"); err != nil {
		t.Fatal(err)
	}
	var got [4]byte
	if _, err := io.ReadFull(accepted, got[:]); err != nil || string(got[:]) != "word" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestListenTCP(t *testing.T) {
	ln := listen(t, "tcp", "127.0.0.1:0", sock.Options{})
	exchange(t, ln)
	_, err := sock.Listen("tcp", ln.Addr().String(), sock.Options{})
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("the address is taken: %v", err)
	}
	if _, err := sock.Listen("tcp", ln.Addr().String(), sock.Options{ReusePort: true}); err == nil {
		t.Error("a port whose owner does not share it was shared")
	}
}

func TestListenPacket(t *testing.T) {
	pc, err := sock.ListenPacket("udp", "127.0.0.1:0", sock.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	c, err := net.Dial("udp", pc.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "word"); err != nil {
		t.Fatal(err)
	}
	var got [8]byte
	n, from, err := pc.ReadFrom(got[:])
	if err != nil || string(got[:n]) != "word" || from.String() != c.LocalAddr().String() {
		t.Errorf("got %q from %v, %v", got[:n], from, err)
	}
	if _, err := sock.ListenPacket("udp", pc.LocalAddr().String(), sock.Options{}); !errors.Is(err,
		syscall.EADDRINUSE) {
		t.Errorf("the address is taken: %v", err)
	}
}

func TestBadAddress(t *testing.T) {
	for _, address := range []string{"127.0.0.1:99999", "no.such.host.invalid:1", "127.0.0.1"} {
		if ln, err := sock.Listen("tcp", address, sock.Options{}); err == nil {
			ln.Close()
			t.Errorf("%s was listened on", address)
		} else if !strings.Contains(err.Error(), strings.Split(address, ":")[0]) &&
			!strings.Contains(err.Error(), "99999") {
			t.Errorf("%s: the error does not name it: %v", address, err)
		}
	}
}

// TestFamily has an address of IPv4 mean IPv4 alone.
func TestFamily(t *testing.T) {
	for _, host := range []string{"0.0.0.0", "127.0.0.1", "[::ffff:0.0.0.0]", "[::ffff:127.0.0.1]"} {
		ln := listen(t, "tcp", host+":0", sock.Options{})
		pc, err := sock.ListenPacket("udp", host+":0", sock.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer pc.Close()
		for _, a := range []net.Addr{ln.Addr(), pc.LocalAddr()} {
			if got := netip.MustParseAddrPort(a.String()); !got.Addr().Is4() {
				t.Errorf("%s: it is %v", host, a)
			}
		}
	}
}
