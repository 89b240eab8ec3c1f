//go:build unix

package master

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/internal/channel"
)

// Restore makes a Supervisor that goes on where another one was suspended, maybe in another program. It takes over the
// descriptors; those of the Config's Image are the saved ones. It is an error, after which this process is good for
// nothing else, if the workers are not those that were saved.
func Restore(c Config, saved Saved) (*Supervisor, error) {
	s := New(c)
	s.images, s.launched, s.sockets.opened = nil, saved.Launched, saved.Opened
	for _, e := range saved.Exits {
		s.exits[exitKey{e.Worker, e.Status}] = e.Count
	}
	for _, fd := range saved.Images {
		i, err := imageOf(fd)
		if err != nil {
			return nil, err
		}
		s.images = append(s.images, i)
	}
	processes := make(map[int]*process)
	launched := make(chan struct{}) // no process is answered before all is in place
	for _, p := range saved.Processes {
		q, err := s.adopt(p, launched)
		if err != nil {
			return nil, err
		}
		processes[p.Number] = q
	}
	for _, sk := range saved.Sockets {
		if err := s.sockets.adopt(s, sk, processes); err != nil {
			return nil, err
		}
	}
	if err := s.fill(saved, processes); err != nil {
		return nil, err
	}
	close(launched)
	s.goOn(processes)
	return s, nil
}

// imageOf is the program whose descriptor this is.
func imageOf(fd int) (*Image, error) {
	unix.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "program")
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("lineman: the program's file: %w", err)
	}
	return &Image{file: f, info: info}, nil
}

// slotOf is the slot of a worker's index and a process's id.
func (s *Supervisor) slotOf(worker, id int) (*slot, error) {
	if worker < 0 || worker >= len(s.groups) || id < 0 || id >= len(s.groups[worker].slots) {
		return nil, fmt.Errorf("lineman: this program has no place for process %d of worker %d", id, worker)
	}
	return s.groups[worker].slots[id], nil
}

// adopt takes a process over. What it asks is answered once launched is closed.
func (s *Supervisor) adopt(saved SavedProcess, launched <-chan struct{}) (*process, error) {
	sl, err := s.slotOf(saved.Worker, saved.ID)
	if err != nil {
		return nil, err
	}
	p := &process{slot: sl, number: saved.Number, born: saved.Born, about: saved.About, left: saved.Leaving.restored()}
	p.leaving.Store(saved.Leaving != nil)
	p.spent.Store(saved.Spent)
	p.ready.Store(saved.Ready)
	p.relays.Store(saved.Relays)
	p.heartbeat.Messages = saved.Told
	p.Process, err = s.config.System.Adopt(saved, func(op channel.Op, decode func(any) error) (any, []int, error) {
		<-launched
		return s.answer(p, op, decode)
	})
	if err != nil {
		return nil, fmt.Errorf("lineman: %s/%d (pid %d): %w", sl.group.Name, sl.id, saved.PID, Bare(err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processes[p] = true
	return p, nil
}

// adopt takes a socket over.
func (t *sockets) adopt(s *Supervisor, saved SavedSocket, processes map[int]*process) error {
	sl, err := s.slotOf(saved.Worker, max(saved.ID, 0))
	if err != nil {
		return err
	}
	a := saved.Address
	opened, err := t.system.Reopen(saved.FD, saved.Path)
	if err != nil {
		return fmt.Errorf("lineman: the socket of %s: %w", a.Target, Bare(err))
	}
	sk := &socket{
		Socket: opened, number: saved.Number, worker: a.Worker, scheme: a.Scheme, outer: a.Outer, reuse: a.ReusePort,
		key:   socketKey{group: sl.group, id: saved.ID, worker: a.Worker, network: a.Network, target: a.Target},
		users: make(map[*process]bool), released: make(map[int]bool),
	}
	if a.Outer {
		sl.group.Address.Target = a.Target // where port 0 became one
	}
	for _, n := range saved.Users {
		if p := processes[n]; p != nil {
			sk.users[p] = true
		}
	}
	for _, id := range saved.Released {
		sk.released[id] = true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open[sk.key] = sk
	return nil
}

// fill says who serves which slot, from which program.
func (s *Supervisor) fill(saved Saved, processes map[int]*process) error {
	all := s.slots()
	if len(saved.Slots) != len(all) {
		return fmt.Errorf("lineman: this program has %d processes, and there are %d", len(all), len(saved.Slots))
	}
	for _, v := range saved.Slots {
		sl, err := s.slotOf(v.Worker, v.ID)
		if err != nil {
			return err
		}
		if v.Image < 0 || v.Image >= len(s.images) {
			return fmt.Errorf("lineman: %s has no program", sl)
		}
		sl.image, sl.current, sl.lentTo = s.images[v.Image], processes[v.Serves], processes[v.LentTo]
	}
	return nil
}

// goOn begins what goes on beside: keepers, heartbeats, and the waiting for ends.
func (s *Supervisor) goOn(processes map[int]*process) {
	for _, p := range processes {
		s.ends.Add(1)
		go s.noteEnd(p)
		if p.ready.Load() != 0 {
			go p.beat()
		}
		if p.left != nil {
			_, urged := s.urge()
			go p.seeOff(*p.left, urged)
		}
	}
	for _, sl := range s.slots() {
		s.keepers.Add(1)
		go sl.keep(sl.current)
	}
}

// remains is how long a process may still take to leave; negative means for ever.
func (l SavedLeaving) remains() time.Duration {
	if l.Within < 0 {
		return -1
	}
	return max(time.Until(l.Since.Add(l.Within)), 0)
}
