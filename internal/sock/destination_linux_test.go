package sock_test

import (
	"bytes"
	"net"
	"testing"
	"time"

	"github.com/lineman-go/lineman/internal/sock"
)

// TestDestination has the kernel know of each datagram, from the first one on, which address it was sent to.
func TestDestination(t *testing.T) {
	for address, want := range map[string]bool{"0.0.0.0:0": true, ":0": true, "[::]:0": true, "127.0.0.1:0": false} {
		pc, err := sock.ListenPacket("udp", address, sock.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer pc.Close()
		u := pc.(*net.UDPConn)
		if err := u.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		to := net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: u.LocalAddr().(*net.UDPAddr).Port}
		if want {
			to.IP = net.IPv4(127, 0, 0, 2)
		}
		if _, err := u.WriteTo([]byte("x"), &to); err != nil {
			t.Fatal(err)
		}
		told := make([]byte, 128)
		_, n, _, _, err := u.ReadMsgUDPAddrPort(make([]byte, 8), told)
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(told[:n], to.IP.To4()); got != want {
			t.Errorf("%s: told of %v: %v, want %v", address, to.IP, got, want)
		}
	}
}
