package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// network is a switch with machines on it. Each is a network namespace: nobody outside sees it, and every port of it is
// free.
type network struct {
	*machine // the switch, which is a machine too: it has an address, and what runs there reaches the others
	machines []*machine
}

// machine is a network namespace with a cable to the switch.
type machine struct {
	t     *testing.T
	name  string   // of the namespace
	at    string   // its address
	cable string   // the end at the switch
	file  *os.File // the namespace
	on    *network
}

// namespaces begins the names of those that this test makes. The process that made one follows.
const namespaces = "lineman-e2e-"

// newNetwork makes a network for the time of the test. It skips where that is not possible.
func newNetwork(t *testing.T, machines int) *network {
	t.Helper()
	need(t, "ip")
	if os.Getuid() != 0 {
		missing(t, "only root makes network namespaces")
	}
	sweep(t)
	n := &network{}
	n.machine = n.add(t, "switch", "10.0.0.1")
	n.ip("link", "add", "switch", "address", "02:00:00:00:00:01", "type", "bridge") // else it has that of a cable
	n.ip("link", "set", "switch", "up")
	n.ip("addr", "add", n.at+"/24", "dev", "switch")
	for i := range machines {
		m := n.add(t, fmt.Sprint("node", i+1), fmt.Sprint("10.0.0.", 11+i))
		n.machines = append(n.machines, m)
		m.cable = fmt.Sprint("cable", i+1)
		n.ip("link", "add", m.cable, "type", "veth", "peer", "name", "eth0", "netns", m.name)
		m.heal()
		n.ip("link", "set", m.cable, "up")
		m.ip("addr", "add", m.at+"/24", "dev", "eth0")
	}
	return n
}

// add makes a namespace.
func (n *network) add(t *testing.T, name, at string) *machine {
	t.Helper()
	m := &machine{t: t, name: fmt.Sprint(namespaces, os.Getpid(), "-", t.Name(), "-", name), at: at, on: n}
	if out, err := exec.Command("ip", "netns", "add", m.name).CombinedOutput(); err != nil {
		missing(t, fmt.Sprintf("no network namespace can be made: %v: %s", err, out))
	}
	t.Cleanup(func() { remove(t, m.name) })
	var err error
	if m.file, err = os.Open("/run/netns/" + m.name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.file.Close() })
	m.ip("link", "set", "lo", "up")
	return m
}

// sweep removes what a run that was killed has left.
func sweep(t *testing.T) {
	t.Helper()
	left, _ := filepath.Glob("/run/netns/" + namespaces + "*")
	for _, path := range left {
		name, pid := filepath.Base(path), 0
		if _, err := fmt.Sscanf(name, namespaces+"%d-", &pid); err == nil && syscall.Kill(pid, 0) == syscall.ESRCH {
			t.Logf("%s was left by an earlier run", name)
			remove(t, name)
		}
	}
}

// remove ends what runs in a namespace, and removes it.
func remove(t *testing.T, name string) {
	signal(t, name, syscall.SIGKILL)
	if out, err := exec.Command("ip", "netns", "del", name).CombinedOutput(); err != nil {
		t.Errorf("the namespace %s is left: %v: %s", name, err, out)
	}
}

// signal sends a signal to every process in a namespace, and returns how many there are.
func signal(t *testing.T, name string, s syscall.Signal) int {
	out, err := exec.Command("ip", "netns", "pids", name).Output()
	if err != nil {
		t.Errorf("processes of %s: %v", name, err)
	}
	pids := strings.Fields(string(out))
	for _, text := range pids {
		pid := 0
		if _, err := fmt.Sscan(text, &pid); err == nil && pid != os.Getpid() {
			_ = syscall.Kill(pid, s) // it may have ended
		}
	}
	return len(pids)
}

// ip runs the command of that name in the machine's namespace.
func (m *machine) ip(args ...string) {
	m.t.Helper()
	if out, err := exec.Command("ip", append([]string{"-n", m.name}, args...)...).CombinedOutput(); err != nil {
		m.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// unplug takes the link down: the machine knows at once that it reaches nobody.
func (m *machine) unplug() { m.ip("link", "set", "eth0", "down") }

// silence has everything that the machine sends, and what is sent to it, be lost without a word.
func (m *machine) silence() { m.on.ip("link", "set", m.cable, "nomaster") }

// heal undoes both.
func (m *machine) heal() {
	m.ip("link", "set", "eth0", "up")
	m.on.ip("link", "set", m.cable, "master", "switch")
}

// signal sends a signal to every process of the machine.
func (m *machine) signal(s syscall.Signal) int { return signal(m.t, m.name, s) }

// inside runs a function in the machine's network: what it dials and starts belongs there for good.
func (m *machine) inside(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	outside, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		panic(err)
	}
	defer outside.Close()
	if err := enter(m.file); err != nil {
		panic(err)
	}
	defer func() {
		if err := enter(outside); err != nil {
			panic(err) // the thread would go on in the wrong network
		}
	}()
	f()
}

// dial connects to a port of the machine, from the machine itself.
func (m *machine) dial(port string) (c net.Conn, err error) {
	m.inside(func() { c, err = net.DialTimeout("tcp", "127.0.0.1:"+port, patience) })
	if err == nil {
		err = c.SetDeadline(time.Now().Add(10 * patience)) // no test is to hang
	}
	return c, err
}

// launch runs a command on the machine, until the end of the test.
func (m *machine) launch(cmd *exec.Cmd) (p *program) {
	m.inside(func() { p = launch(m.t, cmd) })
	return p
}

// run runs a command on the machine and returns what it printed.
func (m *machine) run(cmd *exec.Cmd) (string, error) {
	var out, said strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &said
	var err error
	m.inside(func() { err = cmd.Start() })
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(said.String()))
	}
	return out.String(), err
}
