//go:build unix

package master

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/internal/channel"
)

// A Holder is a Candidate that holds the signals of this process while that becomes another program.
type Holder struct {
	candidate *Candidate
	own, its  *os.File // ends of a pair; its is closed once it has them both
}

// SavedHolder is a Holder, for the program that this process becomes.
type SavedHolder struct {
	PID   int    `json:"pid"`
	Began uint64 `json:"began"` // as in SavedProcess
	FD    int    `json:"fd"`
}

// Holder makes the Candidate one, which holds nothing yet.
func (c *Candidate) Holder() (*Holder, error) {
	own, its, err := c.process.slot.supervisor.config.System.Pair()
	if err != nil {
		return nil, err
	}
	return &Holder{candidate: c, own: own, its: its}, nil
}

// Saved is what Release needs.
func (h *Holder) Saved() SavedHolder {
	pid := h.candidate.process.PID()
	return SavedHolder{PID: pid, Began: startOf(pid), FD: int(h.own.Fd())}
}

// Hold has signals be held from now on. The Candidate does nothing else any more, and if it cannot do that, it ends.
func (h *Holder) Hold() error {
	defer h.its.Close()
	p := h.candidate.process
	if p.image.givesRights() {
		h.candidate.End()
		return errors.New("lineman: signals are not held: the program's file gives it rights, which it would not get")
	}
	letTrace(p.PID())
	defer letTrace(0)
	err := p.step(context.Background(), "hold signals", channel.Hold, channel.Holding{Within: holdTime}, nil,
		int(h.its.Fd()))
	if err != nil {
		h.candidate.End()
	}
	return err
}

// holdTime bounds how long signals are held: as long as a program may take to come to Main.
const holdTime = time.Minute

// Release has this process get what was held, all of it before Release returns, and ends the Candidate.
func (h *Holder) Release() {
	h.its.Close()
	release(h.own)
	h.candidate.End()
}

// Release is that of a Holder, in the program that the process has become.
func (h *Host) Release(s SavedHolder) error {
	unix.CloseOnExec(s.FD)
	release(os.NewFile(uintptr(s.FD), "holder"))
	p, err := h.Adopt(SavedProcess{PID: s.PID, Began: s.Began}, Answer(nil))
	if err != nil {
		return err
	}
	p.Kill()
	<-p.Exited()
	return nil
}

// release closes one end of a pair, after who has the other one or, if that does not, after some time.
func release(own *os.File) {
	defer own.Close()
	fd := int(own.Fd())
	late := unix.NsecToTimeval(int64(callTime))
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &late) // it is a socket
	_ = unix.Shutdown(fd, unix.SHUT_WR)                                      // it has gone
	_, _ = io.Copy(io.Discard, own)                                          // likewise
}
