//go:build linux

package main

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// perAddress is how many connections to one server come from one address: with more, the kernel looks for a free port
// longer each time.
const perAddress = 10_000

// dialer is that of a connection by its number. Those that are known by their ports have one address.
func (how opening) dialer(number int) *net.Dialer {
	if how.known() || number < perAddress {
		return &net.Dialer{}
	}
	from := net.IPv4(127, 0, 0, byte(1+number/perAddress))
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Control: portLater}
}

func (how opening) known() bool {
	return how.query != nil || how.hello != nil || how.events != nil || how.first != nil || how.network != ""
}

// portLater has the kernel choose the port when it knows where a connection goes, by which there are many more.
func portLater(_, _ string, c syscall.RawConn) (err error) {
	controlErr := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	})
	if controlErr != nil {
		return controlErr
	}
	return err
}
