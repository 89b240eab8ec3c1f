package master

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// tracer holds the signals of this process's parent as a debugger does: each stops the thread that it comes to, and the
// tracer says whether it is to have it. What a tracer has let go is as it was before, also if the tracer dies.
//
// Nothing else would do. By exec a program loses its handlers, and a mask does not keep what ends a program in Go, as
// the runtime unblocks it at its start, before it has a handler.
type tracer struct {
	parent  int
	signals []syscall.Signal // to hold
	held    []syscall.Signal // that have come
	threads map[int]bool     // of the parent that are traced
	leaving bool             // none is to be traced any more
}

// HoldSignals holds those signals that come to this process's parent, also while that becomes another program: until
// the other end of a socket is closed, or a time is over. Then the parent gets them. begun is called as soon as none is
// missed. It is an error if the system does not let this process do that; then nothing is held.
func HoldSignals(signals []os.Signal, within time.Duration, until *os.File, begun func()) error {
	defer until.Close()
	t := &tracer{parent: os.Getppid(), threads: make(map[int]bool)}
	if !isMadeBy(t.parent, until) {
		return errors.New("lineman: signals are not held: who wants that has gone")
	}
	for _, s := range signals {
		t.signals = append(t.signals, s.(syscall.Signal))
	}
	signal.Ignore(signals...) // they may be meant for all processes of a group
	changes := make(chan os.Signal, 1)
	signal.Notify(changes, syscall.SIGCHLD)
	defer signal.Stop(changes)
	runtime.LockOSThread() // a tracer is a thread
	defer runtime.UnlockOSThread()
	defer t.give()
	if err := t.seize(); err != nil {
		t.leave()
		t.run(changes, nil)
		return err
	}
	begun()
	fd := int(until.Fd())
	late := time.AfterFunc(within, func() { _ = unix.Shutdown(fd, unix.SHUT_RD) }) // it is a socket
	defer late.Stop()
	over := make(chan struct{})
	go func() {
		defer close(over)
		_, _ = until.Read(make([]byte, 1)) // whatever ends it
	}()
	t.run(changes, over)
	return nil
}

// isMadeBy reports whether a process has made a socket. A child whose parent has died has another one.
func isMadeBy(pid int, socket *os.File) bool {
	maker, err := unix.GetsockoptUcred(int(socket.Fd()), unix.SOL_SOCKET, unix.SO_PEERCRED)
	return err == nil && int(maker.Pid) == pid
}

// leaveTime bounds how long threads are waited for that are to be let go. The others are when this process ends.
const leaveTime = 2 * time.Second

// run has threads go on that have stopped until no thread is traced any more. It leaves them when over is closed.
func (t *tracer) run(changes <-chan os.Signal, over <-chan struct{}) {
	var late <-chan time.Time
	for t.look(); len(t.threads) > 0; t.look() {
		select {
		case <-changes:
		case <-over:
			over, late = nil, time.After(leaveTime)
			t.leave()
		case <-late:
			return
		}
	}
}

// seize begins to trace all threads. A thread that a traced one starts is traced from its first instruction on.
func (t *tracer) seize() error {
	for again := true; again; {
		again = false
		folders, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", t.parent))
		if err != nil {
			return err
		}
		for _, folder := range folders {
			id, err := strconv.Atoi(filepath.Base(folder))
			if err != nil || t.threads[id] {
				continue
			}
			switch err := ptrace(unix.PTRACE_SEIZE, id, unix.PTRACE_O_TRACECLONE|unix.PTRACE_O_TRACEEXEC); {
			case err == nil, isTracedHere(folder):
				t.threads[id], again = true, true
			case err != unix.ESRCH && !Gone(id):
				return fmt.Errorf("lineman: signals are not held: %w", os.NewSyscallError("ptrace", err))
			}
		}
	}
	return nil
}

// isTracedHere reports whether this thread traces another one.
func isTracedHere(folder string) bool {
	status, _ := os.ReadFile(filepath.Join(folder, "status")) // without it, it has ended
	return strings.Contains(string(status), fmt.Sprintf("\nTracerPid:\t%d\n", unix.Gettid()))
}

// look has each thread that has stopped go on: traced, or not any more. One of them may have told of another one.
func (t *tracer) look() {
	for more := true; more; {
		more = false
		for id := range t.threads {
			status, stopped := t.await(id)
			if !stopped {
				continue
			}
			more = true
			request, s := t.judge(id, status)
			if t.leaving {
				request = unix.PTRACE_DETACH
				delete(t.threads, id)
			}
			_ = ptrace(request, id, uintptr(s)) // it has been killed
		}
	}
}

// await is why a thread has stopped, if it has. One that has ended is forgotten.
func (t *tracer) await(id int) (status unix.WaitStatus, stopped bool) {
	got, err := unix.Wait4(id, &status, unix.WNOHANG|unix.WALL, nil)
	for err == unix.EINTR {
		got, err = unix.Wait4(id, &status, unix.WNOHANG|unix.WALL, nil)
	}
	if err != nil || got == id && !status.Stopped() {
		delete(t.threads, id) // by exec too, all but one end
		return status, false
	}
	return status, got == id
}

// judge tells how a thread is to go on that has stopped, and with which signal; 0 is none.
func (t *tracer) judge(id int, status unix.WaitStatus) (request int, s syscall.Signal) {
	s = status.StopSignal()
	switch uint32(status) >> 16 {
	case 0:
		if slices.Contains(t.signals, s) {
			t.held = append(t.held, s)
			s = 0
		}
		return unix.PTRACE_CONT, s
	case unix.PTRACE_EVENT_CLONE:
		if started, err := unix.PtraceGetEventMsg(id); err == nil {
			t.threads[int(started)] = true
		}
	case unix.PTRACE_EVENT_STOP:
		if s != syscall.SIGTRAP { // SIGSTOP and the like: all threads wait for SIGCONT
			return unix.PTRACE_LISTEN, 0
		}
	}
	return unix.PTRACE_CONT, 0
}

// leave has each thread stop, and be traced no more from then on. It does not wait for one after the other: the first
// thread of a process that ends is the last one that can be waited for.
func (t *tracer) leave() {
	t.leaving = true
	for id := range t.threads {
		_ = unix.PtraceInterrupt(id) // it has ended
	}
}

// give sends what was held to whom it was meant for.
func (t *tracer) give() {
	for _, s := range t.held {
		if os.Getppid() == t.parent { // else it has ended
			_ = unix.Kill(t.parent, s) // likewise
		}
	}
}

func ptrace(request, thread int, data uintptr) error {
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(thread), 0, data, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// letTrace has a process be allowed to trace this one, 0 none, also where that is for its parents alone.
func letTrace(pid int) {
	_ = unix.Prctl(unix.PR_SET_PTRACER, uintptr(pid), 0, 0, 0) // it is for all of the same user
}

// givesRights reports whether a process of the program has more rights than who starts it. Who is traced does not get
// them.
func (i *Image) givesRights() bool {
	const capabilities = "security.capability"
	if i.info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
		return true
	}
	_, err := unix.Getxattr(i.Path(), capabilities, nil)
	return err == nil
}
