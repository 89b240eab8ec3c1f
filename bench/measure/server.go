//go:build linux

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	serverCore = 0
	clientCore = 1
	clockTick  = 10 * time.Millisecond // of /proc/PID/stat
)

// server is a program that is measured.
type server struct {
	name string
	args func(proto string, port int) []string
}

// running is a server's process, alone on its core.
type running struct {
	cmd  *exec.Cmd
	addr string
}

// build makes the programs of this module in dir, and goepoll of the baseline if there is one.
func build(dir, baseline string) ([]server, error) {
	var servers []server
	add := func(name, from, pkg string, args func(bin, proto string, port int) []string) error {
		bin := filepath.Join(dir, name)
		cmd := exec.Command("go", "build", "-o", bin, pkg)
		cmd.Dir = from
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w: %s", name, err, out)
		}
		servers = append(servers, server{name, func(proto string, port int) []string { return args(bin, proto, port) }})
		return nil
	}
	flags := func(bin, proto string, port int) []string {
		return []string{bin, "-proto", proto, "-port", strconv.Itoa(port)}
	}
	if baseline != "" {
		if err := add("goepoll", baseline, ".", func(bin, proto string, port int) []string { return []string{bin, proto, strconv.Itoa(port)} }); err != nil {
			return nil, err
		}
	}
	if err := add("floor", ".", "./floor", flags); err != nil {
		return nil, err
	}
	return servers, add("subject", ".", "./subject", flags)
}

func (s server) start(proto string) (*running, error) {
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := probe.Addr().(*net.TCPAddr)
	probe.Close()
	args := s.args(proto, addr.Port)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &running{cmd: cmd, addr: addr.String()}
	if err := pin(cmd.Process.Pid, serverCore); err != nil {
		r.stop()
		return nil, err
	}
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", r.addr); err == nil {
			c.Close()
			return r, nil
		}
	}
	r.stop()
	return nil, fmt.Errorf("%s does not listen on %s", s.name, r.addr)
}

// stop ends the process at once: nothing of it is wanted any more.
func (r *running) stop() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
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

// cpu is what the process has used so far, user and system.
func (r *running) cpu() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * clockTick
}

// memory is the process's own memory in bytes: what no other process shares, without files.
func (r *running) memory() int {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", r.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "RssAnon:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib << 10
		}
	}
	return 0
}
