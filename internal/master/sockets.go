//go:build unix

package master

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/internal/channel"
)

// A Socket is a listening or datagram socket. Its descriptor is in no set of readiness: the master carries no traffic.
type Socket interface {
	Addr() net.Addr
	Dup() (int, error) // another descriptor of it, close-on-exec
	Close()            // with the file of a Unix socket

	// File is its own descriptor and, for a Unix socket, the path of its file.
	File() (fd int, path string)
}

// sockets are those of a program. They stay open while processes come and go.
type sockets struct {
	system System

	mu     sync.Mutex // guards the following
	open   map[socketKey]*socket
	opened int // sockets, until now
	closed bool
}

// socketKey is what a successor finds its predecessor's socket by.
type socketKey struct {
	group           *group
	id              int // shared: all of the group
	worker          string
	network, target string
}

const shared = -1

// socket is open for some processes.
type socket struct {
	Socket
	key      socketKey
	number   int // in the order of opening
	worker   string
	scheme   string
	outer    bool
	reuse    bool
	users    map[*process]bool
	released map[int]bool // ids whose process closed it
}

func newSockets(s System) *sockets {
	return &sockets{system: s, open: make(map[socketKey]*socket)}
}

// ListenError is a worker's address that cannot be listened on.
type ListenError struct {
	Worker int // its index
	Err    error
}

func (e *ListenError) Error() string { return e.Err.Error() }
func (e *ListenError) Unwrap() error { return e.Err }

// openOuter opens the address of a worker: once, or once for each process under ReusePort.
func (t *sockets) openOuter(g *group) error {
	a := g.Address
	if a.Network == "" {
		return nil
	}
	a.Outer, a.Worker = true, g.Name
	for _, sl := range g.slots {
		sk, err := t.find(sl, a)
		if err != nil {
			return &ListenError{Worker: g.index, Err: err}
		}
		if g.ReusePort && sl.id == 0 && a.Network != "unix" {
			a.Target = sk.Addr().String() // where port 0 became one
			g.Address.Target = a.Target
			t.rename(sk, a.Target)
		}
	}
	return nil
}

// rename files a socket under the address that it got.
func (t *sockets) rename(sk *socket, target string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, sk.key)
	sk.key.target = target
	t.open[sk.key] = sk
}

func (t *sockets) keyOf(sl *slot, a channel.Address) socketKey {
	k := socketKey{group: sl.group, id: sl.id, worker: a.Worker, network: a.Network, target: a.Target}
	if a.Outer && !a.ReusePort {
		k.id = shared
	}
	if a.Outer {
		k.target = sl.group.Address.Target
	}
	return k
}

// find opens a socket for a slot, unless it has it already.
func (t *sockets) find(sl *slot, a channel.Address) (*socket, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, errStopping
	}
	k := t.keyOf(sl, a)
	if sk := t.open[k]; sk != nil {
		return sk, nil
	}
	opened, err := t.system.Listen(a)
	if err != nil {
		return nil, err
	}
	t.opened++
	sk := &socket{
		Socket: opened, key: k, number: t.opened, worker: a.Worker,
		scheme: a.Scheme, outer: a.Outer, reuse: a.ReusePort,
		users: make(map[*process]bool), released: make(map[int]bool),
	}
	t.open[k] = sk
	return sk, nil
}

// listen gives a process a descriptor of the socket for an address.
func (t *sockets) listen(p *process, a channel.Address) (int, error) {
	sk, err := t.find(p.slot, a)
	if err != nil {
		return 0, err
	}
	t.mu.Lock()
	sk.users[p] = true
	delete(sk.released, p.slot.id)
	t.mu.Unlock()
	return t.dup(sk)
}

func (t *sockets) dup(sk *socket) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open[sk.key] != sk {
		return 0, fmt.Errorf("lineman: listen on %s: %w", sk.key.target, net.ErrClosed)
	}
	return sk.Dup()
}

// release closes the socket of a listener that the application has closed, once no process has it open. What a process
// closes as it leaves is its successor's.
func (t *sockets) release(p *process, a channel.Address) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sk := t.open[t.keyOf(p.slot, a)]
	if sk == nil || !sk.users[p] {
		return
	}
	delete(sk.users, p)
	for q := range sk.users {
		if q.slot == p.slot && q.number > p.number && !q.ended() {
			return
		}
	}
	sk.released[p.slot.id] = true
	if sk.key.id != shared || len(sk.released) == len(sk.key.group.slots) {
		t.closeLocked(sk)
	}
}

// closeLocked closes a socket, with lock held.
func (t *sockets) closeLocked(sk *socket) {
	delete(t.open, sk.key)
	sk.Close()
}

// sweep closes the inner sockets of a slot that no process of it has asked for: what its new program no longer opens.
// While nobody serves the slot it closes none, and it counts the one that serves it also when that has just died: its
// successor has not asked yet.
func (t *sockets) sweep(sl *slot) {
	current := sl.serves()
	if current == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, sk := range t.open {
		maps.DeleteFunc(sk.users, func(p *process, _ bool) bool { return p != current && p.ended() })
		if k.group == sl.group && k.id == sl.id && !sk.outer && len(sk.users) == 0 {
			t.closeLocked(sk)
		}
	}
}

// reusable are the sockets of a slot that a sibling can accept from in its place.
func (t *sockets) reusable(sl *slot) (some []*socket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, sk := range t.open {
		if k.group == sl.group && k.id == sl.id && sk.reuse {
			some = append(some, sk)
		}
	}
	return some
}

func (t *sockets) closeAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, sk := range t.open {
		t.closeLocked(sk)
	}
}

// list gives the addresses that each worker's sockets have.
func (t *sockets) list() map[string][]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make(map[string][]string)
	inOrder := slices.SortedFunc(maps.Values(t.open), func(a, b *socket) int { return a.number - b.number })
	for _, sk := range inOrder {
		addr := sk.scheme + "://" + sk.Addr().String()
		switch known := all[sk.key.group.Name]; {
		case slices.Contains(known, addr):
		case sk.outer:
			all[sk.key.group.Name] = append([]string{addr}, known...)
		default:
			all[sk.key.group.Name] = append(known, addr)
		}
	}
	return all
}

// answer answers what a process asks.
func (s *Supervisor) answer(p *process, op channel.Op, decode func(any) error) (any, []int, error) {
	switch op {
	case channel.Listen, channel.Release:
		var a channel.Address
		if err := decode(&a); err != nil {
			return nil, nil, err
		}
		if op == channel.Release {
			s.sockets.release(p, a)
			return nil, nil, nil
		}
		fd, err := s.sockets.listen(p, a)
		if err != nil {
			return nil, nil, err
		}
		return nil, []int{fd}, nil
	case channel.Recycle:
		p.recycle()
		return nil, nil, nil
	}
	return nil, nil, fmt.Errorf("lineman: the master does not know the request %q", op)
}

func closeFile(fd int) { unix.Close(fd) }
