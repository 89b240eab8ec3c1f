package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// ports can be opened, or a server that runs has them.
func ports(m *Machine, o *Options) (all []Finding) {
	for _, d := range o.Ports {
		if d.Addr != "" {
			all = append(all, d.try(m)...)
		}
	}
	return all
}

func (d Port) try(m *Machine) []Finding {
	name := "port of --" + d.Flag
	host, port, _ := net.SplitHostPort(d.Addr) // the settings were checked
	err := m.Listen(d.Addr)
	switch {
	case err == nil:
		return ok(name, d.Addr+" can be opened")
	case errors.Is(err, fs.ErrPermission):
		return fail(name, d.Addr+": ports below 1024 are for root",
			"sudo setcap cap_net_bind_service=+ep $(command -v lineman), or "+
				"AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fail(name, fmt.Sprintf("%s: %s is no address of this machine", d.Addr, host),
			fmt.Sprintf("ip -brief address lists them; for all: lineman start --%s :%s", d.Flag, port))
	case !errors.Is(err, syscall.EADDRINUSE):
		return fail(name, err.Error(), "lineman start --"+d.Flag+" HOST:PORT")
	}
	n := number(port)
	other := fmt.Sprintf("lineman start --%s %s", d.Flag, net.JoinHostPort(host, strconv.Itoa(n%65535+1)))
	who := m.holder(n)
	switch {
	case who == nil:
		return fail(name, d.Addr+" is taken; by whom this user cannot see",
			fmt.Sprintf("%s tells; another port: %s", m.whoListens(n), other))
	case who.name == m.Program && m.Answers(who.folder, who.name):
		return ok(name, fmt.Sprintf("%s: a server that runs has it: pid %d, in %s", d.Addr, who.pid, who.folder))
	}
	return fail(name, fmt.Sprintf("%s is taken by %s, pid %d", d.Addr, who.name, who.pid), "another port: "+other)
}

// whoListens is a command that tells who listens on a port.
func (m *Machine) whoListens(port int) string {
	switch m.OS {
	case "linux":
		return fmt.Sprintf("sudo ss -ltnp 'sport = :%d'", port)
	case "windows":
		return fmt.Sprintf("netstat -ano | findstr :%d", port)
	}
	return fmt.Sprintf("sudo lsof -nP -iTCP:%d -sTCP:LISTEN", port)
}

// holder is a process that listens on a port.
type holder struct {
	pid    int
	name   string
	folder string // that it works in
}

// holder is nil where it cannot be told.
func (m *Machine) holder(port int) *holder {
	sockets := m.sockets(port)
	if len(sockets) == 0 {
		return nil
	}
	names, _ := m.ReadDir("/proc") // where there is none, nobody is found
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || !m.holds(name, sockets) {
			continue
		}
		process := path.Join("/proc", name)
		folder, _ := m.ReadLink(path.Join(process, "cwd")) // may be another user's
		line, _ := m.text(path.Join(process, "cmdline"))
		program, _, _ := strings.Cut(line, "\x00")
		return &holder{pid, path.Base(program), folder}
	}
	return nil
}

// sockets are what links of open files say for the sockets that listen on a port.
func (m *Machine) sockets(port int) (all []string) {
	const listening, end = "0A", 10
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := m.text(file) // there need be only one of them
		for _, line := range strings.Split(text, "\n") {
			f := strings.Fields(line) // sl local_address rem_address st … inode
			if len(f) < end || f[3] != listening {
				continue
			}
			if _, hex, _ := strings.Cut(f[1], ":"); strings.EqualFold(hex, fmt.Sprintf("%04X", port)) {
				all = append(all, "socket:["+f[9]+"]")
			}
		}
	}
	return all
}

// holds reports whether a process has one of some sockets open.
func (m *Machine) holds(pid string, sockets []string) bool {
	folder := path.Join("/proc", pid, "fd")
	names, _ := m.ReadDir(folder) // another user's process hides them
	return slices.ContainsFunc(names, func(name string) bool {
		link, err := m.ReadLink(path.Join(folder, name))
		return err == nil && slices.Contains(sockets, link)
	})
}
