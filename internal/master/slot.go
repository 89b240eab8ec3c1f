//go:build unix

package master

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// slot is the place of one process of a worker: its id is what successors and replacements keep.
type slot struct {
	supervisor *Supervisor
	group      *group
	id         int

	turn      chan struct{} // held, by sending, by who starts a process here: never two at once
	successor chan *process // to the keeper: who serves from now on
	recycling chan struct{} // to the keeper: somebody wants to be replaced

	// Guarded by the Supervisor's lock.
	current *process // nil while vacant

	// Guarded by the group's lending.
	lentTo *process // the sibling that accepts from this slot's sockets while it is vacant

	// Guarded by turn.
	image *Image
}

func newSlot(s *Supervisor, g *group, id int) *slot {
	return &slot{
		supervisor: s, group: g, id: id, turn: make(chan struct{}, 1),
		successor: make(chan *process), recycling: make(chan struct{}, 1), image: s.config.Image,
	}
}

func (sl *slot) String() string { return fmt.Sprintf("%s/%d", sl.group.Name, sl.id) }

// keep is the keeper of the slot: it has a process in it at all times, beginning with p unless that is nil, and
// restarts one that has ended.
//
//	          it ends                          the pause is over
//	occupied ─────────▶ vacant, for a pause ─────────────────────▶ starting ──▶ occupied
//	   ▲                        │                                     │
//	   └────────────────────────┴── a successor, by Reload            └── it fails: vacant
func (sl *slot) keep(p *process) {
	s := sl.supervisor
	defer s.keepers.Done()
	var pause backOff
	var due <-chan time.Time
	if p == nil {
		due = time.After(0)
	}
	for {
		if p != nil && p.spent.Load() {
			if q, err := sl.renew(p); err == nil {
				p = p.succeededBy(q)
			} else if s.ctx.Err() == nil {
				s.config.Log.Error(err.Error())
			}
		}
		var ended <-chan struct{}
		if p != nil {
			ended = p.Exited()
		}
		select {
		case <-s.ctx.Done():
			return
		case q := <-sl.successor:
			p, due = p.succeededBy(q), nil
			pause = backOff{}
		case <-sl.recycling: // look who is spent
		case <-ended:
			if s.ctx.Err() != nil {
				return
			}
			wait := pause.after(p.served())
			p.report("it starts again " + inWords(wait))
			sl.vacate(p, wait)
			p, due = nil, time.After(wait)
		case <-due:
			due = nil
			q, err := sl.restart()
			switch {
			case s.ctx.Err() != nil:
				return
			case err != nil:
				wait := pause.after(0)
				s.config.Log.Error(fmt.Sprintf("%v; again %s", err, inWords(wait)))
				due = time.After(wait)
				sl.vacate(nil, wait)
			default:
				p = q
			}
		}
	}
}

// succeededBy is q. It says how p has ended, unless p is nil, if it did so before it was told to leave.
func (p *process) succeededBy(q *process) *process {
	if p != nil && p.ended() {
		p.report("its successor serves")
	}
	return q
}

// report says how a process has ended and what follows, unless it was to end.
func (p *process) report(next string) {
	if p.leaving.Load() {
		return
	}
	level := slog.LevelError
	if p.Status() == (Status{}) {
		level = slog.LevelInfo
	}
	s := p.slot.supervisor
	s.config.Log.Log(s.ctx, level, fmt.Sprintf("lineman: %s ended with %v; %s", p, p.Status(), next))
}

func inWords(wait time.Duration) string {
	if wait == 0 {
		return "at once"
	}
	return "in " + wait.String()
}

// restart starts a process in a vacant slot, from the image that ran there, unless a Reload does.
func (sl *slot) restart() (*process, error) {
	s := sl.supervisor
	select {
	case <-s.ctx.Done():
		return nil, errStopping
	case q := <-sl.successor:
		return q, nil
	case sl.turn <- struct{}{}:
	}
	defer func() { <-sl.turn }()
	p, err := sl.launch(s.ctx, sl.image)
	if err != nil {
		return nil, err
	}
	if err := p.begin(s.ctx); err != nil {
		return nil, err
	}
	sl.occupy(p)
	s.sockets.sweep(sl)
	return p, nil
}

// serves is the process that serves the slot, or that did until now; nil if nobody does.
func (sl *slot) serves() *process {
	s := sl.supervisor
	s.mu.Lock()
	defer s.mu.Unlock()
	return sl.current
}

// occupy notes that p serves the slot, for who has the next turn.
func (sl *slot) occupy(p *process) {
	s := sl.supervisor
	s.mu.Lock()
	sl.current = p
	s.mu.Unlock()
	s.lend(sl.group)
}

// vacate notes that nobody serves the slot for some time, unless p has a successor.
func (sl *slot) vacate(p *process, wait time.Duration) {
	s := sl.supervisor
	s.mu.Lock()
	if sl.current == p {
		sl.current = nil
	}
	s.mu.Unlock()
	if wait > 0 {
		s.lend(sl.group)
	}
}

// served is how long the process was of use.
func (p *process) served() time.Duration {
	if at := p.ready.Load(); at != 0 {
		return time.Since(time.Unix(0, at))
	}
	return 0
}

// backOff is the exponential backoff of restarts: how long a slot stays vacant. The first time it is not vacant at all,
// then longer each time, until a process lasts.
type backOff struct{ next time.Duration }

const (
	backOffFirst = 100 * time.Millisecond
	backOffMost  = 30 * time.Second
	lasting      = 10 * time.Second // a process that served for so long starts anew, at once
)

// after is the pause after a process that served for a time.
func (b *backOff) after(served time.Duration) time.Duration {
	if served > max(lasting, b.next) {
		b.next = 0
	}
	wait := b.next
	b.next = min(max(backOffFirst, 2*b.next), backOffMost)
	return wait
}

// lend has siblings accept from the sockets of vacant slots. Only under ReusePort does each process have sockets of its
// own.
func (s *Supervisor) lend(g *group) {
	g.lending.Lock()
	defer g.lending.Unlock()
	for _, sl := range g.slots {
		from, to := sl.lentTo, (*process)(nil)
		s.mu.Lock()
		if sl.current == nil {
			to = g.standIn(from)
		}
		s.mu.Unlock()
		if from == to {
			continue
		}
		sl.lentTo = to
		for _, lent := range s.sockets.reusable(sl) {
			loan := channel.Loan{Sibling: sl.id, Worker: lent.worker}
			if from != nil {
				from.oneByOne(func() { from.tell(channel.Return, loan) })
			}
			if to != nil {
				s.sockets.lend(to, loan, lent)
			}
		}
	}
}

// standIn is a process of the group that serves: the one that was chosen already, if it still does. The Supervisor's
// lock is held.
func (g *group) standIn(chosen *process) *process {
	var any *process
	for _, sl := range g.slots {
		if sl.current != nil {
			if sl.current == chosen {
				return chosen
			}
			any = sl.current
		}
	}
	return any
}

// lend gives a process a sibling's socket to accept from.
func (t *sockets) lend(p *process, loan channel.Loan, sk *socket) {
	fd, err := t.dup(sk)
	if err != nil {
		return // it was closed meanwhile
	}
	p.oneByOne(func() {
		defer closeFile(fd)
		p.tell(channel.Adopt, loan, fd) // if it has gone, the next change finds another
	})
}
