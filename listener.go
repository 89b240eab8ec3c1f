package lineman

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/lineman-go/lineman/internal/poll"
	"github.com/lineman-go/lineman/internal/sock"
)

// A Listener is the socket of a worker on a loop. Its methods are for the loop only.
type Listener struct {
	service  *service
	handle   poll.Handle
	addr     net.Addr // nil while closed
	shown    string   // it with its scheme, for the status
	paused   bool
	batch    int    // connections accepted for one event
	shortage *Timer // tries again after a lack of descriptors; nil when there is none
	wait     time.Duration
	short    bool // the last attempt lacked descriptors
}

const (
	acceptBatch   = 64                     // connections accepted for one event, from a socket of one's own
	shortageFirst = 100 * time.Millisecond // how long accepting pauses after a shortage, doubling
	shortageMost  = 2 * time.Second
)

// Listen opens w on this loop: its connections share the loop, and so the memory, with all others. No process is
// made, OnStart of w is not called, its Count means nothing. It may be called in OnStart, in timers and in callbacks.
// A worker that listens already only accepts again if it was paused; one whose listener was closed listens anew.
//
// A worker without an address gets no socket and no listener: it becomes known, for SetWorker. If the address is
// taken, the error says so and matches syscall.EADDRINUSE.
//
// Loops of one process that listen for workers of the same Name and Addr share the socket, and connections go to the
// one that has the fewest of them. Datagrams are for the loop whose Index is 0.
func (l *Loop) Listen(w *Worker) (*Listener, error) {
	if w.Loops > 1 || w.PerLoop != nil {
		return nil, fmt.Errorf("lineman: worker %q: Loops and PerLoop are for the workers of Main and Run", w.name())
	}
	s, err := l.serviceOf(w)
	if err != nil || s.address.network == "" {
		return nil, err
	}
	if s.listener == nil {
		s.listener = &Listener{service: s}
	}
	if s.listener.addr != nil {
		s.listener.Resume()
		return s.listener, nil
	}
	if l.stopping {
		return nil, fmt.Errorf("lineman: listen on %s: %w: the loop is stopping", w.Addr, net.ErrClosed)
	}
	if err := s.listener.open(); err != nil {
		return nil, listenError(w, err)
	}
	return s.listener, nil
}

// listenError names the address and, where there is one, the remedy.
func listenError(w *Worker, err error) error {
	var sys *os.SyscallError
	if errors.As(err, &sys) {
		err = sys.Err
	}
	var taken *sock.NoSocketError
	address, _ := parseAddress(w.Addr) // it has been listened on
	remedy := ""
	switch {
	case errors.As(err, &taken):
		err = taken
	case errors.Is(err, syscall.EADDRINUSE):
		err = syscall.EADDRINUSE
		remedy = ": stop the program that has it, or listen on another address"
	case address.network == "unix" && errors.Is(err, fs.ErrPermission):
		remedy = ": want a folder that this user may write to"
	case address.network == "unix" && errors.Is(err, fs.ErrNotExist):
		remedy = ": make its folder first"
	case errors.Is(err, syscall.EACCES):
		remedy = ": ports below 1024 need a privilege (root, or CAP_NET_BIND_SERVICE)"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		remedy = ": this machine has no such address"
	}
	return fmt.Errorf("lineman: listen on %s: %w%s", w.Addr, err, remedy)
}

func (n *Listener) open() error {
	s := n.service
	l := s.loop
	if s.packet {
		pc, err := l.open.packets(s)
		if err != nil {
			return err
		}
		return n.takePackets(pc)
	}
	ln, err := l.open.stream(s)
	if err != nil {
		return err
	}
	return n.take(ln)
}

// take has the loop accept from ln.
func (n *Listener) take(ln net.Listener) error {
	l := n.service.loop
	addr, shared := ln.Addr(), l.open.shared(n.service)
	h, err := l.poll.Listen(ln, shared)
	if err != nil {
		ln.Close()
		l.open.ended(n.service)
		return err
	}
	n.have(h, addr)
	n.batch = acceptBatch
	if shared {
		n.batch = 1 // the processes take turns
	}
	l.sockets[h] = n
	n.noteAccepting()
	return nil
}

// takePackets has the loop receive from pc.
func (n *Listener) takePackets(pc net.PacketConn) error {
	l := n.service.loop
	addr := pc.LocalAddr()
	h, err := l.poll.Packet(pc)
	if err != nil {
		pc.Close()
		return err
	}
	n.have(h, addr)
	l.sockets[h] = &packets{listener: n}
	return nil
}

func (n *Listener) have(h poll.Handle, addr net.Addr) {
	n.handle, n.addr, n.shown = h, addr, n.service.address.scheme+"://"+addr.String()
}

// Listener is the listener of w on this loop, open or closed; nil if it has never listened here.
func (l *Loop) Listener(w *Worker) *Listener {
	if s := l.known(w); s != nil {
		return s.listener
	}
	return nil
}

// Addr is the address listened on, with the port that ":0" became; nil while closed.
func (n *Listener) Addr() net.Addr { return n.addr }

// Pause stops accepting: new connections wait in the kernel's queue.
func (n *Listener) Pause() {
	n.paused = true
	n.rearm()
}

// Resume accepts again.
func (n *Listener) Resume() {
	n.paused = false
	n.rearm()
}

func (n *Listener) rearm() {
	n.noteAccepting()
	if n.addr != nil {
		if err := n.service.loop.poll.Arm(n.handle, !n.paused && n.shortage == nil, false); err != nil {
			n.service.log.Error("lineman: listener", "error", err)
		}
	}
}

// Close closes the listening socket, and the connections in its queue with it, unless other processes accept from it
// too. Those that were accepted live on, and Loop.Listen opens the worker again. A Unix socket's file is removed.
func (n *Listener) Close() {
	if n.shut() {
		n.service.loop.open.released(n.service)
	}
}

// shut ends the loop's use of the socket, and reports whether there was one.
func (n *Listener) shut() bool {
	if n.addr == nil {
		return false
	}
	l := n.service.loop
	if n.shortage != nil {
		n.shortage.Stop()
		n.shortage = nil
	}
	delete(l.sockets, n.handle)
	l.poll.Close(n.handle, false)
	n.addr, n.paused = nil, false
	n.noteAccepting()
	return true
}

// noteAccepting has other loops know whether they may give connections to this one.
func (n *Listener) noteAccepting() {
	if n == n.service.listener { // not one of a sibling's socket
		n.service.accepting.Store(n.addr != nil && !n.paused)
	}
}

func (n *Listener) ready(poll.Event) {
	l := n.service.loop
	for range n.batch {
		if n.addr == nil || n.paused {
			return // a callback of the last connection did it
		}
		in, err := n.accept()
		switch {
		case err == poll.ErrAgain:
			return
		case poll.IsShortage(err) && !n.short:
			n.short = true // what was closed in this tick is free in the next
			return
		case poll.IsShortage(err):
			n.backOff(err)
			return
		case err != nil:
			n.service.log.Warn("lineman: accept", "error", err)
			return
		}
		n.recovered()
		l.measure()
		if !in {
			return // a closed descriptor is free in the next tick: a flood of them takes no more than one
		}
	}
}

// accept takes the next connection in, here or on another loop of the process. in is false if it was closed at once.
func (n *Listener) accept() (in bool, err error) {
	a, remote, err := n.service.loop.poll.Accept(n.handle)
	if err != nil {
		return false, err
	}
	if to := n.service.leastLoaded(); to != n.service && to.give(a, remote) {
		return true, nil
	}
	return n.service.takeIn(a, remote)
}

// backOff pauses accepting until there may be descriptors again; what is open is served meanwhile.
func (n *Listener) backOff(err error) {
	l := n.service.loop
	if n.wait == 0 {
		l.stats.Shortages++
		n.service.log.Error("lineman: accepting pauses: raise the limit of open files", "error", err)
	}
	n.wait = min(max(shortageFirst, 2*n.wait), shortageMost)
	n.shortage = l.After(n.wait, func() {
		n.shortage = nil
		n.rearm()
	})
	n.rearm()
}

func (n *Listener) recovered() {
	n.short = false
	if n.wait != 0 {
		n.wait = 0
		n.service.log.Info("lineman: accepting again")
	}
}

// opener opens the sockets that a loop listens on.
type opener interface {
	stream(s *service) (net.Listener, error)
	packets(s *service) (net.PacketConn, error)

	shared(s *service) bool // other processes accept from the same socket
	released(s *service)    // the application has closed the listener
	ended(s *service)       // the loop has done with it
}

// ownSockets are opened by the process that listens on them.
type ownSockets struct{}

func (ownSockets) stream(s *service) (net.Listener, error) {
	return sock.Listen(s.address.network, s.address.target, s.options())
}

func (ownSockets) packets(s *service) (net.PacketConn, error) {
	return sock.ListenPacket(s.address.network, s.address.target, s.options())
}

func (ownSockets) shared(*service) bool { return false }

func (o ownSockets) released(s *service) { o.ended(s) }

func (ownSockets) ended(s *service) {
	if s.address.network == "unix" {
		sock.Remove(s.address.target)
	}
}

func (s *service) options() sock.Options {
	return sock.Options{ReusePort: s.worker.ReusePort, Mode: s.worker.Mode, Owner: s.worker.Owner}
}

// host is who runs the loop's process: a master, or nobody.
type host interface {
	recycle()
}

// takeAhead takes in what the poller has taken from listening sockets ahead.
func (l *Loop) takeAhead() {
	for _, s := range l.services {
		if s.listener != nil {
			s.listener.takeAhead()
		}
	}
}

// takeAhead takes in what the poller has taken from the socket ahead, because no other process can. The listener is to
// be shut next.
func (n *Listener) takeAhead() {
	if l := n.service.loop; n.addr != nil && l.poll.Halt(n.handle) {
		l.sockets[n.handle].ready(poll.Event{Handle: n.handle, Read: true})
	}
}

// leaveListeners is closeListeners for a loop that stands still. A socket from which the poller has taken somebody
// ahead is closed when the loop goes on, and has taken that in.
func (l *Loop) leaveListeners() {
	for _, s := range l.services {
		if n := s.listener; n != nil && n.addr != nil && !l.poll.Halt(n.handle) && n.shut() {
			l.open.ended(s)
		}
	}
	l.doFirst(func() {
		l.takeAhead()
		l.closeListeners()
	})
}

// closeListeners ends the use of all listening sockets.
func (l *Loop) closeListeners() {
	for _, s := range l.services {
		if s.listener != nil && s.listener.shut() {
			l.open.ended(s)
		}
	}
}
