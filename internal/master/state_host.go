//go:build unix

package master

import (
	"errors"
	"fmt"
	"os"

	"github.com/lineman-go/lineman/internal/channel"
)

// Adopt takes over a process that this one has started before exec.
func (h *Host) Adopt(saved SavedProcess, answer Answer) (Process, error) {
	p := &hostProcess{reaping: &h.reaping, pid: saved.PID, exited: make(chan struct{})}
	if err := p.open(saved.Channel, answer); err != nil {
		return nil, err
	}
	if saved.Ended != nil {
		return p.ended(*saved.Ended), nil
	}
	process, err := os.FindProcess(saved.PID)
	if err != nil {
		return nil, fmt.Errorf("lineman: %w", err)
	}
	if startOf(saved.PID) != saved.Began {
		_ = process.Release() // it is a stranger's
		return p.ended(unknownEnd(errors.New("it was not seen"))), nil
	}
	p.process = process
	go p.wait()
	return p, nil
}

// open continues a channel; nil is one that the process has closed.
func (p *hostProcess) open(s *channel.Suspended, answer Answer) (err error) {
	if s != nil {
		p.Peer, err = channel.Continue(os.NewFile(uintptr(s.FD), "channel"), *s, answer.serve)
		return err
	}
	own, other, err := channel.Pair()
	if err != nil {
		return err
	}
	other.Close()
	p.Peer, err = channel.Open(own, answer.serve)
	return err
}

// ended is p, which has ended before.
func (p *hostProcess) ended(s Status) *hostProcess {
	p.Close()
	p.status = s
	close(p.exited)
	return p
}

// unknownEnd is how a process ended that could not be waited for.
func unknownEnd(err error) Status { return Status{Code: -1, Signal: "unknown: " + err.Error()} }

// HoldEnds has processes that end from now on wait for this process, or the program that it becomes, to wait for them.
func (h *Host) HoldEnds() (again func()) {
	h.reaping.Lock()
	return h.reaping.Unlock
}

// Reopen takes over a socket that was open before exec.
func (h *Host) Reopen(fd int, path string) (Socket, error) {
	in, err := inherit(fd)
	if err != nil {
		return nil, fmt.Errorf("lineman: %w", err)
	}
	return &hostSocket{fd: fd, addr: in.addr(), path: path}, nil
}

// Activated are the descriptors that a service manager gave and that nobody has asked for yet.
func (h *Host) Activated() (fds []int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, in := range h.activated {
		fds = append(fds, in.FD)
	}
	return fds
}

// Inherit takes such descriptors over.
func (h *Host) Inherit(fds []int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, fd := range fds {
		in, err := inherit(fd)
		if err != nil {
			return fmt.Errorf("lineman: socket activation: descriptor %d: %w", fd, err)
		}
		h.activated = append(h.activated, in)
	}
	return nil
}
