//go:build unix

package master

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Inherited is a socket that a service manager has opened: socket activation, sd_listen_fds(3).
type Inherited struct {
	FD      int
	Network string // tcp, udp or unix
	Address string
}

// firstInherited is the number of the first descriptor.
const firstInherited = 3

// Activated are the sockets that the environment tells of. It takes the telling variables out of the environment, and keeps the
// descriptors out of other programs.
func Activated(getenv func(string) string, unsetenv func(string) error) ([]Inherited, error) {
	if getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	count, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || count < 0 {
		return nil, fmt.Errorf("lineman: LISTEN_FDS is %q: want a number", getenv("LISTEN_FDS"))
	}
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if err := unsetenv(name); err != nil {
			return nil, fmt.Errorf("lineman: %w", err)
		}
	}
	var all []Inherited
	for fd := firstInherited; fd < firstInherited+count; fd++ {
		in, err := inherit(fd)
		if err != nil {
			return nil, fmt.Errorf("lineman: descriptor %d of the service manager: %w", fd, err)
		}
		all = append(all, in)
	}
	return all, nil
}

// inherit finds out what a descriptor is.
func inherit(fd int) (Inherited, error) {
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return Inherited{}, err
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return Inherited{}, err
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return Inherited{}, err
	}
	in := Inherited{FD: fd, Network: "tcp"}
	if kind == unix.SOCK_DGRAM {
		in.Network = "udp"
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		in.Address = netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)).String()
	case *unix.SockaddrInet6:
		in.Address = netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port)).String()
	case *unix.SockaddrUnix:
		in.Network, in.Address = "unix", sa.Name
	}
	return in, nil
}

// Matches reports whether the socket is the one that a worker's address asks for.
func (i Inherited) Matches(network, address string) bool {
	if i.Network != network {
		return false
	}
	if network == "unix" {
		return i.Address == address
	}
	own, err := netip.ParseAddrPort(i.Address)
	if err != nil {
		return false
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || port != strconv.Itoa(int(own.Port())) {
		return false
	}
	if host == "" {
		return own.Addr().IsUnspecified()
	}
	asked, err := netip.ParseAddr(host)
	if err != nil {
		ip, err := net.ResolveIPAddr("ip", host)
		return err == nil && ip.String() == own.Addr().String()
	}
	return asked.Unmap() == own.Addr().Unmap()
}

func (i Inherited) addr() net.Addr {
	if i.Network == "unix" {
		return &net.UnixAddr{Net: "unix", Name: i.Address}
	}
	at := netip.MustParseAddrPort(i.Address) // inherit has formatted it
	if i.Network == "udp" {
		return net.UDPAddrFromAddrPort(at)
	}
	return net.TCPAddrFromAddrPort(at)
}
