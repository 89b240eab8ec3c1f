//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/bench/census"
)

const (
	serverCore = 0
	clientCore = 1
	clockTick  = 10 * time.Millisecond // of /proc/PID/stat
)

// program is a server to be started. Its protocols, separated by commas, get as many ports.
type program struct {
	name    string
	version string // empty: not known
	command func(protos string, ports []string) ([]string, error)
	counts  bool // it tells what it holds: see census

	supervised bool     // its only child serves
	env        []string // beside this process's
	cores      int      // that it may use; 0: one
	most       int      // connections that it takes; 0: any number
	folders    string   // where it is given folders to run in
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

func (p *program) start(protos string) (*running, error) {
	ports, err := freePorts(strings.Count(protos, ",") + 1)
	if err != nil {
		return nil, err
	}
	return p.startOn(protos, ports, "")
}

// startOn starts it on ports, in a folder; an empty one means in a new one. It ends with the thread that calls this.
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
	cores := max(1, p.cores)
	r.cmd.Env = append(append(os.Environ(), fmt.Sprint("GOMAXPROCS=", cores)), p.env...)
	if r.cmd.Dir = folder; folder == "" {
		if r.cmd.Dir, err = os.MkdirTemp(p.folders, "run-"); err != nil { // where it leaves its files
			return nil, err
		}
	}
	r.cmd.Stderr, r.cmd.SysProcAttr = os.Stderr, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.says = bufio.NewReader(out)
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	if err := r.settle(p, protos); err != nil {
		r.stop()
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	return r, nil
}

// settle waits until the program answers, and puts it on its core.
func (r *running) settle(p *program, protos string) (err error) {
	if err := pin(r.cmd.Process.Pid, serverCores(p.cores)...); err != nil { // and what it will start
		return err
	}
	for i, addr := range r.addrs {
		await := answers
		if strings.Split(protos, ",")[i] == "udp" {
			await = echoesDatagrams
		}
		if err := await(addr); err != nil {
			return err
		}
	}
	r.pid = r.cmd.Process.Pid
	if p.supervised {
		r.pid, err = child(r.pid)
	}
	return err
}

// child waits for the only child of a process.
func child(pid int) (of int, err error) {
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); time.Sleep(time.Millisecond) {
		if of, err = childNow(pid); err == nil {
			break
		}
	}
	return of, err
}

func childNow(pid int) (int, error) {
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

// freePorts are ports that nobody listened on a moment ago. They are below those that the system gives to clients, of
// which there are many thousands here.
func freePorts(n int) (ports []string, err error) {
	const least = 10000
	below := least + 20000
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		if first, err := strconv.Atoi(strings.Fields(string(text))[0]); err == nil && first > least {
			below = first
		}
	}
	for range 100 * n {
		port := strconv.Itoa(least + rand.IntN(below-least))
		probe, listenErr := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
		if listenErr != nil {
			err = listenErr
			continue
		}
		defer probe.Close() // all together, or one would come twice
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, err
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

// echoesDatagrams waits until a datagram comes back.
func echoesDatagrams(addr string) error {
	c, err := net.Dial("udp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	last := error(nil)
	for range 50 {
		if err := c.SetDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			return err
		}
		_, _ = c.Write([]byte("?")) // fails as long as nobody listens
		if _, last = c.Read(make([]byte, 1)); last == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
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
	_ = unix.Kill(r.pid, unix.SIGKILL)
	if _, err := unix.Wait4(r.pid, nil, 0, nil); err == nil { // see adopt
		return
	}
	for unix.Kill(r.pid, 0) == nil {
		time.Sleep(time.Millisecond)
	}
}

// adopt makes orphans of servers that are stopped children of this process, which waits for them then: those who do it
// otherwise may take a second.
func adopt() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// serverCores are those that a server may use, the first of which has no client; 0 means one.
func serverCores(n int) (cores []int) {
	for i := range max(1, n) {
		cores = append(cores, serverCore+i)
	}
	return cores
}

// pin moves every thread of a process to some cores.
func pin(pid int, cores ...int) error {
	var set unix.CPUSet
	for _, core := range cores {
		set.Set(core)
	}
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return err
	}
	for _, t := range tasks {
		id, _ := strconv.Atoi(t.Name())
		if err := unix.SchedSetaffinity(id, &set); err != nil && err != unix.ESRCH {
			return fmt.Errorf("pin to cores %v: %w", cores, err)
		}
	}
	return nil
}

// cpu is the processor time that a process has used, over all and outside the kernel.
type cpu struct{ total, user time.Duration }

// cpu is what the process has used so far. The part outside the kernel is counted in ticks, so it is rough in a short
// time.
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
	if err != nil {
		return c, err
	}
	c = cpu{time.Duration(user+system) * clockTick, time.Duration(user) * clockTick}
	if exact := r.onProcessor(); exact > 0 {
		c.total = exact
	}
	return c, nil
}

// onProcessor is how long the threads have been on a processor, to the nanosecond; 0 if the kernel does not tell.
func (r *running) onProcessor() (sum time.Duration) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", r.pid))
	if err != nil {
		return 0
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a thread that has ended
		}
		first, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0
		}
		sum += time.Duration(n)
	}
	return sum
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
