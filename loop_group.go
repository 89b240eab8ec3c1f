package lineman

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/lineman-go/lineman/internal/poll"
	"github.com/lineman-go/lineman/internal/sock"
)

// loopGroup is the loops of one process, each with its own copy of a worker. They start and end together. A loop that
// is alone is in none.
type loopGroup struct {
	loops []*Loop // Immutable once one of them runs.

	mu       sync.Mutex // guards the following
	replicas map[string]*replicas
	sockets  map[string]*groupSocket
}

// replicas are the services of one name on the loops of a group. They share connections out.
type replicas struct {
	all  atomic.Pointer[[]*service] // never changed in place
	turn atomic.Uint32              // who comes first among equals
}

// newGroup puts the loops into a group, unless there is one alone. They must not run yet.
func newGroup(loops []*Loop) {
	if len(loops) < 2 {
		return
	}
	g := &loopGroup{loops: loops, replicas: map[string]*replicas{}, sockets: map[string]*groupSocket{}}
	for i, l := range loops {
		l.group, l.index = g, i
		l.open = groupSockets{l.open, g}
	}
}

// join makes a service one of its replicas, on its loop.
func (g *loopGroup) join(s *service) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.replicas[s.name]
	if r == nil {
		r = &replicas{}
		g.replicas[s.name] = r
	}
	all := []*service{s}
	if known := r.all.Load(); known != nil {
		all = append(slices.Clone(*known), s)
	}
	r.all.Store(&all)
	s.replicas = r
}

// leastLoaded is who gets the next connection that s has accepted: of those that accept, the one with the fewest.
func (s *service) leastLoaded() *service {
	if s.replicas == nil {
		return s
	}
	all := *s.replicas.all.Load()
	first := int(s.replicas.turn.Add(1))
	best := s
	for i := range all {
		if other := all[(first+i)%len(all)]; other.accepting.Load() && other.load.Load() < best.load.Load() {
			best = other
		}
	}
	return best
}

// takeIn makes an accepted connection one of the loop's. in is false if it was closed at once.
func (s *service) takeIn(a poll.Accepted, remote netip.AddrPort) (in bool, err error) {
	h, err := s.loop.poll.Adopt(a)
	if err != nil {
		return false, err
	}
	s.loop.stats.Accepted++
	return newConn(s, h, remote), nil
}

// give hands an accepted connection to the loop of another replica. It returns false if that has ended.
func (s *service) give(a poll.Accepted, remote netip.AddrPort) bool {
	s.load.Add(1) // as long as it is on its way
	taken := s.loop.Do(func() {
		s.load.Add(-1)
		if _, err := s.takeIn(a, remote); err != nil {
			s.log.Warn("lineman: accept", "error", err)
		}
	})
	if !taken {
		s.load.Add(-1)
	}
	return taken
}

// stage is how far a loop of a group has come to its end.
type stage = int32

const (
	serving stage = iota
	vacated       // it is leaving, and has no accepted connections
	drained       // it is stopping, and nothing is left to the application
	done          // it has no connections
)

// reaches notes how far a loop has come, and reports whether all of its group have come as far.
func (l *Loop) reaches(now stage, yes bool) bool {
	if l.group == nil {
		return yes
	}
	if !yes {
		return false
	}
	if l.stage.Load() < now { // set by this loop alone
		l.stage.Store(now)
		for _, other := range l.group.loops {
			other.Do(func() {}) // it may sleep, and have waited for this one
		}
	}
	return !slices.ContainsFunc(l.group.loops, func(other *Loop) bool { return other.stage.Load() < now })
}

// groupSocket is a listening socket that loops of a group share.
type groupSocket struct {
	listener net.Listener // accepts nothing itself
	users    int
}

// groupSockets opens a socket once for a group, and gives each loop a duplicate.
type groupSockets struct {
	opener
	group *loopGroup
}

func socketKey(s *service) string { return s.name + " " + s.worker.Addr }

func (o groupSockets) stream(s *service) (net.Listener, error) {
	g := o.group
	g.mu.Lock()
	defer g.mu.Unlock()
	k := g.sockets[socketKey(s)]
	if k == nil {
		ln, err := o.opener.stream(s)
		if err != nil {
			return nil, err
		}
		if u, ok := ln.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false) // the opener does it, when the last has done with it
		}
		k = &groupSocket{listener: ln}
		g.sockets[socketKey(s)] = k
	}
	k.users++
	ln, err := sock.Duplicate(k.listener)
	switch {
	case err == nil:
		return ln, nil
	case runtime.GOOS != "windows":
		if k.users--; k.users == 0 {
			g.forgetLocked(s)
			o.opener.ended(s)
		}
		return nil, err
	case k.users == 1: // Windows duplicates none: the first loop accepts for all
		return k.listener, nil
	}
	return &silentListener{Listener: k.listener, closed: make(chan struct{})}, nil
}

// silentListener has an address, and accepts nothing.
type silentListener struct {
	net.Listener
	once   sync.Once
	closed chan struct{}
}

func (n *silentListener) Accept() (net.Conn, error) {
	<-n.closed
	return nil, net.ErrClosed
}

func (n *silentListener) Close() error {
	n.once.Do(func() { close(n.closed) })
	return nil
}

func (o groupSockets) packets(s *service) (net.PacketConn, error) {
	if s.loop.index > 0 {
		return nil, fmt.Errorf("lineman: datagrams are for one loop: listen where Loop.Index is 0")
	}
	return o.opener.packets(s)
}

func (o groupSockets) shared(*service) bool { return true }

func (o groupSockets) released(s *service) { o.leave(s, o.opener.released) }

func (o groupSockets) ended(s *service) { o.leave(s, o.opener.ended) }

// leave tells what the last user of a socket does to it.
func (o groupSockets) leave(s *service, last func(*service)) {
	if s.packet {
		last(s)
		return
	}
	o.group.mu.Lock()
	k := o.group.sockets[socketKey(s)]
	if k != nil {
		if k.users--; k.users == 0 {
			o.group.forgetLocked(s)
		}
	}
	over := k != nil && k.users == 0
	o.group.mu.Unlock()
	if over {
		last(s)
	}
}

// forgetLocked closes the group's own descriptor of a socket.
func (g *loopGroup) forgetLocked(s *service) {
	g.sockets[socketKey(s)].listener.Close()
	delete(g.sockets, socketKey(s))
}
