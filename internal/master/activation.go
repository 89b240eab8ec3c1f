//go:build unix

package master

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Inherited is a socket that a service manager has opened: socket activation, sd_listen_fds(3).
type Inherited struct {
	FD      int
	Network string // tcp, udp or unix
	Address string // an IP address and a port, or a path

	dual bool // it is of IPv6, and takes IPv4 too
}

// firstInherited is the number of the first descriptor.
const firstInherited = 3

// Activated are the sockets that the environment tells of; none if it tells another process. It takes the telling
// variables out of the environment and keeps the descriptors out of other programs. It is an error if one of them is
// not a listening stream socket or a datagram socket of UDP.
func Activated(getenv func(string) string, unsetenv func(string) error) ([]Inherited, error) {
	return activated(firstInherited, getenv, unsetenv)
}

func activated(first int, getenv func(string) string, unsetenv func(string) error) ([]Inherited, error) {
	if getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	told := getenv("LISTEN_FDS")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if err := unsetenv(name); err != nil {
			return nil, fmt.Errorf("lineman: socket activation: %w", err)
		}
	}
	count, err := strconv.Atoi(told)
	if err != nil || count < 0 {
		return nil, fmt.Errorf("lineman: socket activation: LISTEN_FDS is %q: want a number", told)
	}
	var all []Inherited
	for fd := first; fd < first+count; fd++ {
		in, err := inherit(fd)
		if err != nil {
			return nil, fmt.Errorf("lineman: socket activation: descriptor %d: %w", fd, err)
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
	listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return Inherited{}, err
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return Inherited{}, err
	}
	in := Inherited{FD: fd, Network: "tcp"}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		in.Address = netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)).String()
	case *unix.SockaddrInet6:
		in.Address = netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port)).String()
		only, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		in.dual = err == nil && only == 0
	case *unix.SockaddrUnix:
		in.Network, in.Address = "unix", sa.Name
	default:
		return Inherited{}, errors.New("its addresses are of no known kind")
	}
	switch {
	case kind == unix.SOCK_STREAM && listens != 0:
		return in, nil
	case kind == unix.SOCK_DGRAM && in.Network == "tcp":
		in.Network = "udp"
		return in, nil
	case kind == unix.SOCK_STREAM:
		return Inherited{}, errors.New("it does not listen: want Accept=no")
	}
	return Inherited{}, errors.New("it is neither a stream nor UDP: want ListenStream, or ListenDatagram with a port")
}

// Matches reports whether the socket is the one that a worker's address asks for, as net.Listen understands addresses.
// A host's name is looked up, and each address that it has is one that is asked for. All addresses of IPv4 are asked
// for of a socket of all addresses of IPv6 as well, if that takes them: beside it nobody else can have them.
func (i Inherited) Matches(network, address string) bool {
	switch {
	case i.Network != network:
		return false
	case network != "unix":
		return i.matchesPort(network, address)
	case strings.HasPrefix(address, "@"):
		return i.Address == address
	}
	absolute, err := filepath.Abs(address)
	return err == nil && i.Address == absolute
}

func (i Inherited) matchesPort(network, address string) bool {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	own, err := netip.ParseAddrPort(i.Address)
	if err != nil {
		return false
	}
	port, err := net.LookupPort(network, service)
	if err != nil || port != int(own.Port()) {
		return false
	}
	if host == "" {
		return own.Addr().IsUnspecified()
	}
	return slices.ContainsFunc(addressesOf(host), func(asked netip.Addr) bool {
		return asked == own.Addr().Unmap() || i.dual && own.Addr().IsUnspecified() && asked == netip.IPv4Unspecified()
	})
}

// lookupTime bounds the wait for the addresses of a host.
const lookupTime = 5 * time.Second

// addressesOf are the addresses of a host, without zones; none if it has none.
func addressesOf(host string) []netip.Addr {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap().WithZone("")}
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTime)
	defer cancel()
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil // listening there will say so
	}
	for i, a := range all {
		all[i] = a.Unmap().WithZone("")
	}
	return all
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
