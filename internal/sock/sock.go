// Package sock opens listening sockets with the options that a long-lived service wants.
package sock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Options are what a listener may be given. The zero value is an ordinary one.
type Options struct {
	ReusePort bool // several sockets may listen on the address; the kernel shares connections out
	// permissions of a Unix socket's file, on Linux from its first instant; 0 leaves what the umask gives
	Mode  fs.FileMode
	Owner string // user name or id, optionally ":group", of a Unix socket's file; "" leaves it
}

// Listen opens a stream listener. The network is tcp, tcp4, tcp6 or unix. With tcp an IPv4 address as the host means
// IPv4 alone, also 0.0.0.0; [::] and an empty host mean both families, where the system has both. An address that is
// taken is syscall.EADDRINUSE on every system.
func Listen(network, address string, o Options) (net.Listener, error) {
	if network == "unix" {
		return listenUnix(address, o)
	}
	lc := net.ListenConfig{Control: control(o, true), KeepAliveConfig: keepAlive}
	// Programs of Go 1.24 and later would listen with Multipath TCP, whose sockets older kernels refuse the options of
	// keep-alive, and whose connections cost more.
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(context.Background(), familyOf(network, address), address)
	return ln, known(err)
}

// ListenPacket opens a datagram socket. The network is udp, udp4 or udp6; with udp hosts mean what they do for Listen.
func ListenPacket(network, address string, o Options) (net.PacketConn, error) {
	lc := net.ListenConfig{Control: control(o, false)}
	pc, err := lc.ListenPacket(context.Background(), familyOf(network, address), address)
	return pc, known(err)
}

// familyOf is the network that an address asks for. Package net would take 0.0.0.0 for all addresses of IPv6 as well,
// past a firewall that was made for IPv4.
func familyOf(network, address string) string {
	if network != "tcp" && network != "udp" {
		return network
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return network // listening there will say so
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().Is4() {
		return network + "4"
	}
	return network
}

// keepAlive finds a peer that vanished without a word after two minutes. Many probes end no connection that is well:
// thousands that came at once are probed at once, and loopback drops what is more than its queue holds, 1000 on Linux.
// So each round of probes is answered by so many, which are then quiet for a minute.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 2 * time.Second, Count: 30}

func control(o Options, stream bool) func(network, address string, c syscall.RawConn) error {
	return func(network, address string, c syscall.RawConn) error {
		var optErr error
		err := c.Control(func(fd uintptr) {
			if o.ReusePort {
				optErr = setReusePort(fd)
			}
			switch {
			case optErr != nil:
			case stream:
				optErr = setInherited(fd)
			default:
				setDestination(fd, network, address)
			}
		})
		return errors.Join(err, optErr)
	}
}

// NoSocketError is the place of a Unix socket that something else has. It matches syscall.EADDRINUSE.
type NoSocketError struct{ Mode fs.FileMode }

func (e *NoSocketError) Error() string {
	return fmt.Sprintf("it is no socket (%v): remove it, or name a place that nothing has", e.Mode)
}

func (e *NoSocketError) Unwrap() error { return syscall.EADDRINUSE }

// listenUnix replaces the file that a dead process left behind and refuses one that somebody still listens on.
func listenUnix(path string, o Options) (net.Listener, error) {
	ln, err := createUnix(path, o.Mode)
	if errors.Is(known(err), syscall.EADDRINUSE) && stale(path) {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
		ln, err = createUnix(path, o.Mode)
	}
	if err != nil {
		if info, statErr := os.Lstat(path); statErr == nil && info.Mode().Type() != fs.ModeSocket {
			return nil, &NoSocketError{Mode: info.Mode()}
		}
		return nil, known(err)
	}
	if err := dress(path, o); err != nil {
		ln.Close()
		return nil, err
	}
	return ln, nil
}

// createUnix listens at path. Where the system can do that, the file lets nobody in for an instant whom its mode keeps
// out; dress lets in whom the umask kept out.
func createUnix(path string, mode fs.FileMode) (net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		if mode == 0 {
			return nil
		}
		var modeErr error
		err := c.Control(func(fd uintptr) { modeErr = setMode(fd, mode) })
		return errors.Join(err, modeErr)
	}}
	return lc.Listen(context.Background(), "unix", path)
}

// Remove removes the file of a Unix socket. What else may lie at the path by now is left alone; an abstract socket,
// whose name begins with "@", has none.
func Remove(path string) {
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == fs.ModeSocket {
		_ = os.Remove(path) // gone already is as good
	}
}

// stale reports whether path is a socket that refuses connections.
func stale(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return false
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
	}
	return errors.Is(known(err), syscall.ECONNREFUSED)
}

func dress(path string, o Options) error {
	if o.Mode != 0 {
		if err := os.Chmod(path, o.Mode.Perm()); err != nil {
			return err
		}
	}
	if o.Owner == "" {
		return nil
	}
	uid, gid, _, err := Lookup(o.Owner)
	if err != nil {
		return err
	}
	return os.Chown(path, uid, gid)
}

// Lookup finds the ids of "user" or "user:group", by name or number, and of the groups that the user is in; without a
// group it is the user's own.
func Lookup(owner string) (uid, gid int, groups []int, err error) {
	name, group, hasGroup := strings.Cut(owner, ":")
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			return 0, 0, nil, fmt.Errorf("sock: no user %q", name)
		}
	}
	groupID := u.Gid
	if hasGroup {
		g, err := user.LookupGroup(group)
		if err != nil {
			if g, err = user.LookupGroupId(group); err != nil {
				return 0, 0, nil, fmt.Errorf("sock: no group %q", group)
			}
		}
		groupID = g.Gid
	}
	if uid, err = strconv.Atoi(u.Uid); err != nil {
		return 0, 0, nil, fmt.Errorf("sock: user %q has no numeric id on this system", name)
	}
	if gid, err = strconv.Atoi(groupID); err != nil {
		return 0, 0, nil, fmt.Errorf("sock: group of %q has no numeric id on this system", owner)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return uid, gid, []int{gid}, nil // a system without a list of groups
	}
	for _, id := range ids {
		if n, err := strconv.Atoi(id); err == nil {
			groups = append(groups, n)
		}
	}
	return uid, gid, groups, nil
}
