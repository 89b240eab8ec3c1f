//go:build unix

package master

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/internal/channel"
	"github.com/lineman-go/lineman/internal/sock"
)

// Host is the System of this machine.
type Host struct {
	args     []string
	variable string // tells a worker process the number of its channel
	null     *os.File
	patience time.Time    // until then, an address in use may become free
	reaping  sync.RWMutex // held for reading while a process that has ended is waited for

	mu        sync.Mutex // guards activated
	activated []Inherited
}

// NewHost makes the System that starts programs with these arguments, and hands out the sockets that a service manager
// gave.
func NewHost(args []string, variable string, activated []Inherited) (*Host, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, fmt.Errorf("lineman: %w", err)
	}
	return &Host{args: args, variable: variable, null: null, activated: activated}, nil
}

// Pair makes two ends of a stream.
func (h *Host) Pair() (one, other *os.File, err error) { return channel.Pair() }

// Await has Listen wait for addresses in use to become free, for a time from now: the processes of a master that was
// killed listen until they have noticed.
func (h *Host) Await(d time.Duration) { h.patience = time.Now().Add(d) }

// channelFD is the descriptor of a worker process's channel.
const channelFD = 3

// Launch starts a worker process, in a process group of its own: a terminal's signals are the master's, and a stopped
// process is continued by the kernel when its master dies.
func (h *Host) Launch(c Command) (Process, error) {
	credential, err := credentialOf(c.User)
	if err != nil {
		return nil, err
	}
	own, child, err := channel.Pair()
	if err != nil {
		return nil, err
	}
	defer func() { child.Close() }()
	if child, err = keepClear(child, c.Image); err != nil {
		own.Close()
		return nil, err
	}
	started, err := os.StartProcess(c.Image.Path(), h.args, &os.ProcAttr{
		Env:   append(h.environment(), fmt.Sprintf("%s=%d", h.variable, channelFD)),
		Files: []*os.File{h.null, os.Stdout, os.Stderr, child},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Credential: credential},
	})
	if err != nil {
		own.Close()
		return nil, notRun(err)
	}
	p := &hostProcess{process: started, pid: started.Pid, exited: make(chan struct{})}
	if p.reaping = &h.reaping; c.Trial {
		p.reaping = &sync.RWMutex{}
	}
	p.Peer, err = channel.Open(own, c.Answer.serve)
	if err != nil {
		p.Kill()
		_, _ = started.Wait()
		return nil, err
	}
	go p.wait()
	return p, nil
}

// keepClear gives the last file of a new process another number if the one after it is the program's: package syscall
// puts the pipe that tells of a failure there, if that has a lower number, before the program is executed.
func keepClear(last *os.File, image *Image) (*os.File, error) {
	at := int(image.file.Fd())
	if int(last.Fd())+1 != at {
		return last, nil
	}
	defer last.Close()
	fd, err := unix.FcntlInt(last.Fd(), unix.F_DUPFD_CLOEXEC, at+1)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), last.Name()), nil
}

// serve answers a request beside the others.
func (a Answer) serve(r *channel.Request) {
	go func() {
		body, files, err := a(r.Op, r.Decode)
		r.Answer(body, err, files...)
		for _, fd := range files {
			closeFile(fd)
		}
	}()
}

// environment is that of the master, without what is meant for it alone.
func (h *Host) environment() (env []string) {
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if !slices.Contains([]string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}, name) {
			env = append(env, v)
		}
	}
	return env
}

// hostProcess is a Process of this machine.
type hostProcess struct {
	*channel.Peer
	reaping *sync.RWMutex
	process *os.Process
	pid     int
	exited  chan struct{}
	status  Status // Immutable after exited.
}

func (p *hostProcess) PID() int                { return p.pid }
func (p *hostProcess) Exited() <-chan struct{} { return p.exited }
func (p *hostProcess) Status() Status          { return p.status }

func (p *hostProcess) Kill() {
	if p.process != nil {
		_ = p.process.Kill() // it has ended already
	}
}

func (p *hostProcess) wait() {
	awaitEnd(p.pid)
	p.reaping.RLock()
	defer p.reaping.RUnlock()
	state, err := p.process.Wait()
	p.Close()
	if err != nil {
		p.status = unknownEnd(err)
	} else if w, ok := state.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		p.status = Status{Code: -1, Signal: fmt.Sprintf("%d (%v)", int(w.Signal()), w.Signal())}
	} else {
		p.status = Status{Code: state.ExitCode()}
	}
	close(p.exited)
}

// CheckUser tells whether processes can run as a user.
func (h *Host) CheckUser(user string) error {
	_, err := credentialOf(user)
	return err
}

// credentialOf is what a process of "user" or "user:group" runs with; nil for the master's own.
func credentialOf(owner string) (*syscall.Credential, error) {
	if owner == "" {
		return nil, nil
	}
	uid, gid, groups, err := sock.Lookup(owner)
	if err != nil {
		return nil, err
	}
	if os.Geteuid() == uid && os.Getegid() == gid {
		return nil, nil
	}
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("lineman: only root can run processes as %s: start as root, or leave User empty", owner)
	}
	c := &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	for _, g := range groups {
		c.Groups = append(c.Groups, uint32(g))
	}
	return c, nil
}

// Listen opens a socket, or takes the one that a service manager has opened for the address.
func (h *Host) Listen(a channel.Address) (Socket, error) {
	for {
		s, err := h.open(a)
		if !errors.Is(err, unix.EADDRINUSE) || time.Now().After(h.patience) {
			return s, err
		}
		time.Sleep(freedEvery)
	}
}

// freedEvery is how often an address is tried that may become free.
const freedEvery = 10 * time.Millisecond

func (h *Host) open(a channel.Address) (Socket, error) {
	h.mu.Lock()
	for i, in := range h.activated {
		if in.Matches(a.Network, a.Target) {
			h.activated = append(h.activated[:i:i], h.activated[i+1:]...)
			h.mu.Unlock()
			return &hostSocket{fd: in.FD, addr: in.addr()}, nil
		}
	}
	h.mu.Unlock()
	o := sock.Options{ReusePort: a.ReusePort, Mode: os.FileMode(a.Mode), Owner: a.Owner}
	if a.Network == "udp" {
		pc, err := sock.ListenPacket(a.Network, a.Target, o)
		if err != nil {
			return nil, err
		}
		defer pc.Close()
		return detach(pc.(syscall.Conn), pc.LocalAddr())
	}
	ln, err := sock.Listen(a.Network, a.Target, o)
	if err != nil {
		return nil, err
	}
	defer ln.Close()
	s, err := detach(ln.(syscall.Conn), ln.Addr())
	if u, ok := ln.(*net.UnixListener); ok && err == nil {
		u.SetUnlinkOnClose(false)
		s.path = a.Target
	}
	return s, err
}

// hostSocket is a Socket of this machine, which package net does not watch.
type hostSocket struct {
	fd   int
	addr net.Addr
	path string // of a Unix socket's file
}

// detach duplicates the descriptor below c, which is to be closed.
func detach(c syscall.Conn, addr net.Addr) (*hostSocket, error) {
	rc, err := c.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("lineman: %w", err)
	}
	fd, dupErr := -1, error(nil)
	err = rc.Control(func(s uintptr) { fd, dupErr = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(err, dupErr); err != nil {
		return nil, fmt.Errorf("lineman: %w", err)
	}
	return &hostSocket{fd: fd, addr: addr}, nil
}

func (s *hostSocket) Addr() net.Addr { return s.addr }

func (s *hostSocket) File() (fd int, path string) { return s.fd, s.path }

func (s *hostSocket) Dup() (int, error) {
	fd, err := unix.FcntlInt(uintptr(s.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("lineman: %w", os.NewSyscallError("dup", err))
	}
	return fd, nil
}

func (s *hostSocket) Close() {
	unix.Close(s.fd)
	if s.path != "" {
		sock.Remove(s.path)
	}
}

// CloseOnExecFrom keeps the descriptors from first on out of programs that this process starts, unless they are given
// to them.
func CloseOnExecFrom(first int) {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || limit.Cur > 1<<16 {
		limit.Cur = 1 << 16
	}
	for fd := first; fd < int(limit.Cur); fd++ {
		unix.CloseOnExec(fd)
	}
}

// notRun is why the system did not run a program: not by which call, nor from which of our descriptors.
func notRun(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path.Err
	}
	if errors.Is(err, syscall.ENOEXEC) {
		return fmt.Errorf("%w: its file is no program, or one for another system", err)
	}
	return err
}
