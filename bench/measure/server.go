//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/bench/census"
)

const (
	serverCore = 0
	clientCore = 1
	clockTick  = 10 * time.Millisecond // of /proc/PID/stat
)

// programs are what is measured, by name. One that cannot be had is not among them.
type programs map[string]*program

// program is a server to be started. Its protocols, separated by commas, get as many ports.
type program struct {
	name    string
	command func(protos string, ports []string) ([]string, error)
	counts  bool // it tells what it holds: see census

	supervised bool     // its only child serves
	env        []string // beside this process's
}

// running is a server's process, alone on its core.
type running struct {
	cmd    *exec.Cmd
	pid    int      // of the process that serves
	as     string   // the contender that it is
	addrs  []string // of its protocols
	counts bool
	says   *bufio.Reader

	pages   int      // that the push server has to know
	lines   net.Conn // to its port for lines, once it was asked
	answers *bufio.Reader
}

// roomForPages has the push server keep few descriptors for others than pages.
var roomForPages = []string{
	"LINEMAN_TEXT_CONNECTIONS=100", "LINEMAN_API_CONNECTIONS=16", "LINEMAN_ADMIN_CONNECTIONS=16",
}

// variants are settings of further push servers, by the name of the program.
var variants = map[string][]string{
	"lineman-strict":   {checks, "LINEMAN_TOKEN_REVOCATIONS=", "LINEMAN_LIMITS_PENDING=64KiB", "LINEMAN_PING=0s"},
	"lineman-channels": {keepsChannels, inMemory, saysMuch, "LINEMAN_PING=0s"},
	"lineman-uids":     {keepsUIDs, inMemory},
	"lineman-journal":  {keepsUIDs},
	"lineman-hears":    {speaks, saysMuch, "LINEMAN_EVENTS_MESSAGES=back end"},
	"lineman-storm":    {checks, "LINEMAN_TOKEN_REVOCATIONS=", keepsChannels, manyWait, allConnect},
	"lineman-forgets":  {checks, "LINEMAN_TOKEN_REVOCATIONS=", keepsChannels, manyWait, allConnect, inMemory},
}

const (
	checks        = "LINEMAN_TOKEN_SECRETS=" + tokenSecret
	keepsChannels = `LINEMAN_NAMESPACES={"default": {"subscribe": "all", "history": {"size": 1000}}}`
	speaks        = `LINEMAN_NAMESPACES={"default": {"subscribe": "all", "publish": "all", "publish_rate": 0}}`
	saysMuch      = "LINEMAN_LIMITS_MESSAGES_PER_CONNECTION=0"
	keepsUIDs     = "LINEMAN_HISTORY_UIDS_SIZE=100"
	inMemory      = "LINEMAN_HISTORY_JOURNAL=none"
	manyWait      = "LINEMAN_LIMITS_WAITING=12000" // who come at once wait for their hello to be looked at
	allConnect    = "LINEMAN_LIMITS_CONNECTIONS=12000"
)

// build makes the programs of this module in dir, goepoll of the baseline and another push server, if there are any.
func build(dir, baseline, before string) (programs, error) {
	cert, key, err := writeCertificate(dir)
	if err != nil {
		return nil, err
	}
	all := programs{}
	add := func(name, from, pkg string, arguments func(protos, ports string) []string) (*program, error) {
		bin := filepath.Join(dir, name)
		cmd := exec.Command("go", "build", "-o", bin, pkg)
		cmd.Dir = from
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build %s: %w: %s", name, err, out)
		}
		all[name] = &program{name: name, command: func(protos string, ports []string) ([]string, error) {
			return append([]string{bin}, arguments(protos, strings.Join(ports, ","))...), nil
		}}
		return all[name], nil
	}
	flags := func(protos, ports string) []string { return []string{"-proto", protos, "-port", ports} }
	secure := func(protos, ports string) []string { return append(flags(protos, ports), "-cert", cert, "-key", key) }
	if baseline != "" {
		if _, err := add("goepoll", baseline, ".",
			func(protos, ports string) []string { return []string{protos, ports} }); err != nil {
			return nil, err
		}
	}
	if _, err := add("floor", ".", "./floor", flags); err != nil {
		return nil, err
	}
	for _, name := range []string{"subject", "rival"} {
		p, err := add(name, ".", "./"+name, secure)
		if err != nil {
			return nil, err
		}
		p.counts = true
	}
	if err := all.addPushServers(add, before); err != nil {
		return nil, err
	}
	all["nginx"] = nginx(dir, cert, key)
	if redis := redisServer(); redis != nil {
		all["redis"] = redis
	}
	return all, nil
}

// addPushServers adds the push server with each of its settings, and that of another folder, unless it is empty.
func (all programs) addPushServers(
	add func(name, from, pkg string, arguments func(protos, ports string) []string) (*program, error), before string,
) error {
	start := func(_, ports string) []string {
		p := strings.Split(ports, ",")
		return []string{
			"start", "--listen", "127.0.0.1:" + p[0], "--text", "127.0.0.1:" + p[1],
			"--api", "127.0.0.1:0", "--admin", "127.0.0.1:0",
		}
	}
	if before != "" {
		other, err := add("lineman-before", before, "./cmd/lineman", start)
		if err != nil {
			return err
		}
		other.supervised, other.env = true, roomForPages
	}
	server, err := add("lineman", "..", "./cmd/lineman", start)
	if err != nil {
		return err
	}
	server.supervised, server.env = true, roomForPages
	for name, env := range variants {
		p := *server
		p.name, p.env = name, append(slices.Clone(roomForPages), env...)
		all[name] = &p
	}
	return nil
}

func (p *program) start(protos string) (*running, error) {
	ports, err := freePorts(strings.Count(protos, ",") + 1)
	if err != nil {
		return nil, err
	}
	return p.startOn(protos, ports, "")
}

// startOn starts it on ports, in a folder; an empty one means in a new one.
func (p *program) startOn(protos string, ports []string, folder string) (*running, error) {
	r := &running{counts: p.counts}
	for _, port := range ports {
		r.addrs = append(r.addrs, net.JoinHostPort("127.0.0.1", port))
	}
	args, err := p.command(protos, ports)
	if err != nil {
		return nil, err
	}
	r.cmd = exec.Command(args[0], args[1:]...)
	r.cmd.Env = append(append(os.Environ(), "GOMAXPROCS=1"), p.env...)
	if r.cmd.Dir = folder; folder == "" {
		if r.cmd.Dir, err = os.MkdirTemp(filepath.Dir(args[0]), "run-"); err != nil { // where it leaves its files
			return nil, err
		}
	}
	r.cmd.Stderr = os.Stderr
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.says = bufio.NewReader(out)
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	if err := r.settle(p); err != nil {
		r.stop()
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	return r, nil
}

// settle waits until the program answers, and puts it on its core.
func (r *running) settle(p *program) (err error) {
	if err := pin(r.cmd.Process.Pid, serverCore); err != nil { // and what it will start
		return err
	}
	for _, addr := range r.addrs {
		if err := answers(addr); err != nil {
			return err
		}
	}
	r.pid = r.cmd.Process.Pid
	if p.supervised {
		r.pid, err = child(r.pid)
	}
	return err
}

// child is the only child of a process.
func child(pid int) (int, error) {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return 0, err
	}
	var all []string
	for _, name := range lists {
		b, err := os.ReadFile(name)
		if err != nil {
			return 0, err
		}
		all = append(all, strings.Fields(string(b))...)
	}
	if len(all) != 1 {
		return 0, fmt.Errorf("process %d has %d children, want one", pid, len(all))
	}
	return strconv.Atoi(all[0])
}

// freePorts are ports that nobody listened on a moment ago.
func freePorts(n int) (ports []string, err error) {
	for range n {
		probe, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer probe.Close() // all together, or one would come twice
		ports = append(ports, strconv.Itoa(probe.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}

// answers waits until something listens.
func answers(addr string) error {
	var last error
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return c.Close()
		}
		last = err
	}
	return last
}

// stop ends the processes at once: nothing of them is wanted any more. Their ports are free when it returns.
func (r *running) stop() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
	if r.lines != nil {
		r.lines.Close()
	}
	if r.pid == 0 || r.pid == r.cmd.Process.Pid {
		return
	}
	for unix.Kill(r.pid, unix.SIGKILL) == nil {
		time.Sleep(time.Millisecond)
	}
}

// pin moves every thread of a process to one core.
func pin(pid, core int) error {
	var set unix.CPUSet
	set.Set(core)
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return err
	}
	for _, t := range tasks {
		id, _ := strconv.Atoi(t.Name())
		if err := unix.SchedSetaffinity(id, &set); err != nil && err != unix.ESRCH {
			return fmt.Errorf("pin to core %d: %w", core, err)
		}
	}
	return nil
}

// cpu is the processor time that a process has used, over all and outside the kernel.
type cpu struct{ total, user time.Duration }

// cpu is what the process has used so far.
func (r *running) cpu() (c cpu, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.pid))
	if err != nil {
		return c, err
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return c, err
	}
	system, err := strconv.Atoi(fields[12])
	return cpu{time.Duration(user+system) * clockTick, time.Duration(user) * clockTick}, err
}

// memory is the proportional set size of the process in bytes.
func (r *running) memory() (float64, error) {
	return r.told("smaps_rollup", "Pss:")
}

// peak is the largest resident set of the process so far, in bytes.
func (r *running) peak() (float64, error) { return r.told("status", "VmHWM:") }

// told is a size that a file of the process tells, in bytes.
func (r *running) told(file, name string) (float64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/%s", r.pid, file))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), name); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			return float64(kib << 10), err
		}
	}
	return 0, io.ErrUnexpectedEOF
}

// census has the process collect what is garbage and tell what it holds.
func (r *running) census() (c census.Census, err error) {
	if err := r.cmd.Process.Signal(unix.SIGUSR1); err != nil {
		return c, err
	}
	line, err := r.says.ReadBytes('\n')
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(line, &c)
}
