//go:build unix

package lineman

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// A process listens on sockets that its master opens and keeps: they outlive it.

// listenTime bounds how long the master may take to open a socket.
const listenTime = 10 * time.Second

func (p *process) stream(s *service) (net.Listener, error) {
	f, err := p.borrow(s)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FileListener(f)
}

func (p *process) packets(s *service) (net.PacketConn, error) {
	f, err := p.borrow(s)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FilePacketConn(f)
}

// borrow asks the master for the socket of a worker.
func (p *process) borrow(s *service) (*os.File, error) {
	ctx, cancel := context.WithTimeout(context.Background(), listenTime)
	defer cancel()
	files, err := p.peer.Call(ctx, channel.Listen, p.addressOf(s), nil)
	var told *channel.Error
	switch {
	case errors.As(err, &told) && told.Number != 0:
		return nil, os.NewSyscallError("listen", told.Number)
	case err != nil:
		return nil, err
	case len(files) != 1:
		return nil, fmt.Errorf("lineman: the master gave %d sockets", len(files))
	}
	return os.NewFile(uintptr(files[0]), "socket"), nil
}

// addressOf is what the master knows the socket of a worker by.
func (p *process) addressOf(s *service) channel.Address {
	a := channelAddress(s.worker, s.address)
	a.Outer = p.isOuter(s)
	return a
}

// isOuter reports whether a service is that of the process's own worker.
func (p *process) isOuter(s *service) bool {
	return slices.ContainsFunc(p.runs, func(r *loopRun) bool { return r.worker == s.worker })
}

func channelAddress(w *Worker, a address) channel.Address {
	return channel.Address{
		Worker: w.name(), Scheme: a.scheme, Network: a.network, Target: a.target,
		ReusePort: w.ReusePort, Mode: uint32(w.Mode), Owner: w.Owner,
	}
}

func (p *process) shared(s *service) bool { return p.isOuter(s) && p.siblings }

// released tells the master, which closes its own descriptor when nobody listens any more.
func (p *process) released(s *service) {
	a := p.addressOf(s)
	go func() {
		_, _ = p.peer.Call(context.Background(), channel.Release, a, nil) // if it fails, the master has gone
	}()
}

// ended leaves the socket to the next process.
func (p *process) ended(*service) {}

// standIn accepts from the socket of a sibling that is away, or no longer.
func (p *process) standIn(r *channel.Request) {
	var loan channel.Loan
	err := r.Decode(&loan)
	if err != nil {
		r.Answer(nil, err)
		return
	}
	if !p.first().Do(func() {
		err := p.lend(loan, r)
		go r.Answer(nil, err)
	}) {
		r.Answer(nil, errEnded)
	}
}

// lend has the first loop accept from the socket of a sibling, or no longer.
func (p *process) lend(loan channel.Loan, r *channel.Request) error {
	if n := p.lent[loan]; n != nil {
		n.takeAhead()
		n.shut()
		delete(p.lent, loan)
	}
	if r.Op == channel.Return {
		return nil
	}
	f := os.NewFile(uintptr(r.Files[0]), "socket")
	defer f.Close()
	for _, s := range p.first().services {
		if s.name != loan.Worker || s.listener == nil || s.listener.addr == nil {
			continue
		}
		n := &Listener{service: s}
		if err := n.adopt(f); err != nil {
			return err
		}
		p.lent[loan] = n
		return nil
	}
	return fmt.Errorf("lineman: worker %q does not listen here", loan.Worker)
}

// adopt has the loop accept from a socket of a sibling's.
func (n *Listener) adopt(f *os.File) error {
	if n.service.packet {
		pc, err := net.FilePacketConn(f)
		if err != nil {
			return err
		}
		return n.takePackets(pc)
	}
	ln, err := net.FileListener(f)
	if err != nil {
		return err
	}
	return n.take(ln)
}
