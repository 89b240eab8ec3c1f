//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	serverCore = 0
	clientCore = 1
)

// servers are the processes of what is measured, each with a port.
type servers struct {
	name   string
	ports  []string
	roots  []*exec.Cmd // what was started here; a master has children
	folder string      // of the files of Lineman
	log    *os.File    // what they say
}

// startLineman starts one master with a process for each port.
func startLineman(bin, folder string, n int, pings time.Duration) (*servers, error) {
	ports, err := freePorts(n)
	if err != nil {
		return nil, err
	}
	s := &servers{name: "Lineman", ports: ports, folder: folder}
	if s.log, err = os.Create(filepath.Join(folder, "log")); err != nil {
		return nil, err
	}
	return s, s.start(s.command(bin, pings, "start"))
}

// command is a command of the program server.
func (s *servers) command(bin string, pings time.Duration, name string) *exec.Cmd {
	return exec.Command(bin, "-ports", strings.Join(s.ports, ","), "-folder", s.folder, "-pings", pings.String(), name)
}

// startFloor starts a raw loop for each port.
func startFloor(bin string, n int) (*servers, error) {
	ports, err := freePorts(n)
	if err != nil {
		return nil, err
	}
	s := &servers{name: "floor", ports: ports, log: os.Stderr}
	for _, port := range ports {
		if err := s.start(exec.Command(bin, "-proto", "wsbc", "-port", port)); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *servers) start(cmd *exec.Cmd) error {
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := startOn(serverCore, cmd); err != nil {
		return err
	}
	s.roots = append(s.roots, cmd)
	return nil
}

// startOn starts a process on one core, if there are several. It is killed when this one ends.
func startOn(core int, cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if runtime.NumCPU() < 2 {
		return cmd.Start()
	}
	runtime.LockOSThread() // a process begins on the cores of the thread that starts it
	defer runtime.UnlockOSThread()
	var before, only unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	only.Set(core)
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		return fmt.Errorf("pin to core %d: %w", core, err)
	}
	err := cmd.Start()
	_ = unix.SchedSetaffinity(0, &before) // it was allowed a moment ago
	return err
}

// begun waits until every process has begun to serve. A port of Lineman is the master's, and open before.
func (s *servers) begun(ctx context.Context) error {
	for _, port := range s.ports {
		err := eventually(ctx, func() (bool, error) {
			if s.folder != "" {
				answer, err := push(s.lines(port), 0)
				return err == nil && answer == "0", nil
			}
			c, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err != nil {
				return false, nil
			}
			return true, c.Close()
		})
		if err != nil {
			return fmt.Errorf("%s: port %s: %w", s.name, port, err)
		}
	}
	return nil
}

// pids are the processes that were started, and their children.
func (s *servers) pids() (all []int, err error) {
	for _, root := range s.roots {
		all = append(all, root.Process.Pid)
		lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", root.Process.Pid))
		if err != nil {
			return nil, err
		}
		for _, name := range lists {
			b, err := os.ReadFile(name)
			if err != nil {
				continue // the thread has ended
			}
			for _, child := range strings.Fields(string(b)) {
				pid, err := strconv.Atoi(child)
				if err != nil {
					return nil, err
				}
				all = append(all, pid)
			}
		}
	}
	return all, nil
}

// memory is the user memory of all processes, in bytes.
func (s *servers) memory() (sum uint64, err error) {
	pids, err := s.pids()
	for _, pid := range pids {
		one, err := userMemory(pid)
		if err != nil {
			return 0, err
		}
		sum += one
	}
	return sum, err
}

// cpu is the processor time that all processes have used so far, in user space and in the kernel, to the nanosecond.
func (s *servers) cpu() (sum time.Duration, err error) {
	pids, err := s.pids()
	for _, pid := range pids {
		var used unix.Timespec
		if err := unix.ClockGettime(processClock(pid), &used); err != nil {
			return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
		}
		sum += time.Duration(used.Nano())
	}
	return sum, err
}

// processClock is the clock of a process's processor time: what clock_getcpuclockid gives.
func processClock(pid int) int32 {
	const scheduler = 2 // CPUCLOCK_SCHED
	return int32(^pid<<3 | scheduler)
}

// says is the end of what the servers have said, for who looks for why something failed.
func (s *servers) says() string {
	b, err := os.ReadFile(s.log.Name())
	if err != nil || s.log == os.Stderr {
		return ""
	}
	return string(b[max(0, len(b)-2000):])
}

// kill ends all processes, and returns when they have gone.
func (s *servers) kill() {
	pids, _ := s.pids()                         // of what has ended already there is nothing to kill
	for _, pid := range slices.Backward(pids) { // a master last, or the others would say that it has gone
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	for _, root := range s.roots {
		_ = root.Wait()
	}
	for _, pid := range pids {
		for until := time.Now().Add(30 * time.Second); syscall.Kill(pid, 0) == nil && time.Now().Before(until); {
			time.Sleep(10 * time.Millisecond)
		}
	}
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

// eventually asks now and then until the answer is yes, or ctx is done.
func eventually(ctx context.Context, ask func() (bool, error)) error {
	for {
		if yes, err := ask(); yes || err != nil {
			return err
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// wait waits, unless ctx is done before.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
