package doctor

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// tables are the listening sockets of a machine: 127.0.0.1:1234 is 4242, [::]:1234 is 4343. 77 is a connection from
// that port.
var tables = files{
	"/proc/net/tcp": "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout " +
		"inode\n   0: 0100007F:04D2 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 77 1 " +
		"0000000000000000 20 4 30 10 -1\n   1: 0100007F:04D2 00000000:0000 0A 00000000:00000000 00:00000000 " +
		"00000000  1000        0 4242 1 0000000000000000 100 0 0 10 0\n",
	"/proc/net/tcp6": "  sl  local_address                         remote_address                        st tx_queue " +
		"rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
		"   0: 00000000000000000000000000000000:04D2 00000000000000000000000000000000:0000 0A 00000000:00000000 " +
		"00:00000000 00000000  1000        0 4343 1 0\ncut\n",
}

// process adds one with an open file.
func process(pid int, program, link string) files {
	folder := fmt.Sprintf("/proc/%d/", pid)
	f := files{
		"/proc/net/tcp": tables["/proc/net/tcp"], "/proc/net/tcp6": tables["/proc/net/tcp6"],
		folder + "cmdline": program + "\x00start\x00", folder + "cwd": "-> /srv/live", folder + "fd/0": "-> /dev/null",
		folder + "fd/3": "-> " + link,
	}
	return f
}

func TestPorts(t *testing.T) {
	listen := func(err error) func(*Machine, *Options) {
		return func(m *Machine, _ *Options) {
			m.Listen = func(string) error { return &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", err)} }
		}
	}
	answered := func(m *Machine, o *Options) {
		listen(syscall.EADDRINUSE)(m, o)
		m.Answers = func(folder, name string) bool { return folder == "/srv/live" && name == "lineman" }
	}
	mac := func(m *Machine, o *Options) {
		listen(syscall.EADDRINUSE)(m, o)
		m.OS = "darwin"
	}
	try(t, ports,
		trial{name: "free", verdict: OK, found: "port of --listen 127.0.0.1:1234 can be opened"},
		trial{name: "privileged", change: listen(syscall.EACCES), verdict: Fail, found: "are for root",
			fix: "cap_net_bind_service"},
		trial{name: "elsewhere", change: listen(syscall.EADDRNOTAVAIL), verdict: Fail,
			found: "127.0.0.1 is no address of this machine", fix: "lineman start --listen :1234"},
		trial{name: "otherwise", change: listen(syscall.ENOBUFS), verdict: Fail, found: "buffer",
			fix: "--listen HOST:PORT"},
		trial{name: "taken by a program", files: process(12, "/usr/sbin/nginx", "socket:[4242]"), change: answered,
			verdict: Fail, found: "is taken by nginx, pid 12", fix: "lineman start --listen 127.0.0.1:1235"},
		trial{name: "taken by one for IPv6", files: process(12, "nginx", "socket:[4343]"), change: answered,
			verdict: Fail, found: "is taken by nginx, pid 12"},
		trial{name: "taken by a server that runs", files: process(12, "./lineman", "socket:[4242]"), change: answered,
			verdict: OK, found: "a server that runs has it: pid 12, in /srv/live"},
		trial{name: "taken by one that only looks so", files: process(12, "./lineman", "socket:[4242]"),
			change: listen(syscall.EADDRINUSE), verdict: Fail, found: "is taken by lineman, pid 12"},
		trial{name: "taken by one that has a connection only", files: process(12, "nginx", "socket:[77]"),
			change: answered, verdict: Fail, found: "by whom this user cannot see",
			fix: "sudo ss -ltnp 'sport = :1234' tells"},
		trial{name: "taken where nothing can be seen", change: mac, verdict: Fail, found: "cannot see",
			fix: "sudo lsof -nP -iTCP:1234"},
	)
}

// TestHolder finds this process by a port that it has.
func TestHolder(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("who has a port is told by /proc")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	m, at := This(), l.Addr().(*net.TCPAddr)
	if who := m.holder(at.Port); who == nil || who.pid != os.Getpid() {
		t.Errorf("the holder of port %d is %+v, want pid %d", at.Port, who, os.Getpid())
	}
	found := Port{"listen", at.String()}.try(m)
	if len(found) != 1 || found[0].Verdict != Fail ||
		!strings.Contains(found[0].Found, fmt.Sprintf("pid %d", os.Getpid())) {
		t.Errorf("%+v", found)
	}
}

// TestThis examines this machine, whatever it is like.
func TestThis(t *testing.T) {
	o := wanted()
	o.Ports[0].Addr = "127.0.0.1:0"
	for _, f := range Examine(This(), o) {
		if f.Check == "" || f.Found == "" || (f.Verdict == OK) != (f.Fix == "") {
			t.Errorf("%+v", f)
		}
		if strings.HasPrefix(f.Check, "port") && f.Verdict != OK {
			t.Errorf("%+v", f)
		}
	}
}
