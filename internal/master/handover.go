//go:build unix

package master

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// yield has p, unless it is nil, stand still while q begins, and hand its connections over if both can. If q fails, p
// goes on.
func (p *process) yield(ctx context.Context, q *process, how Manner) (r Succession, err error) {
	if p == nil {
		return q.slot.succession(p, q, how), q.begin(ctx)
	}
	p.lend(ctx, q, how)
	p.freeze(ctx)
	r = q.slot.succession(p, q, how)
	if r.Drains != "" {
		err = q.begin(ctx)
	} else {
		err = p.handOver(ctx, q, &r)
	}
	if err != nil {
		p.thaw()
	}
	return r, err
}

// lend has p, which serves on, lend its connections to q, so that their descriptors need not cross while it stands
// still. If that fails, they cross then. What q has in the end is told by p alone.
func (p *process) lend(ctx context.Context, q *process, how Manner) {
	s := p.slot.supervisor
	if hindrance(p, q, how) != "" || min(p.about.Handover, q.about.Handover) < lendsFrom {
		return
	}
	one, other, err := s.config.System.Pair()
	if err == nil {
		most := lendTime + p.forEach(lendEach)
		ctx, cancel := s.bounded(ctx, most+callTime)
		defer cancel()
		within := channel.Lending{Within: most}
		borrowed := make(chan error, 1)
		go func() { borrowed <- q.Give(ctx, channel.Borrow, within, nil, other) }()
		err = errors.Join(p.Give(ctx, channel.Lend, within, nil, one), <-borrowed)
	}
	if err != nil {
		s.config.Log.Debug(fmt.Sprintf("lineman: %s lends nothing to its successor: %v", p, Bare(err)))
	}
}

const (
	lendsFrom = 2           // version of the transfer
	lendTime  = time.Second // for all connections; a loop that is slow does not hold a reload up for longer
	lendEach  = 20 * time.Microsecond
)

// forEach is a time for each connection that a process has. A limit for all of them follows how many there are: it is
// several times what they take, and still tells a process that hangs from one that has much to do.
func (p *process) forEach(d time.Duration) time.Duration {
	return time.Duration(p.lastHeartbeat().Conns) * d
}

// handOver has q begin with the connections of p, which stands still. They have a pair of sockets for it:
//
//	Hand ───▶ p ═════════════════▶ q ◀─── Start
//	Handed ◀── p                   q ───▶ Started
//
// p decides whether its connections have crossed, and what it answers holds: if that is an error, it has all of them,
// and q is killed before p goes on. If p dies, or is killed because it does not answer, q knows by the end of the
// stream, and its answer holds.
func (p *process) handOver(ctx context.Context, q *process, r *Succession) error {
	one, other, err := p.slot.supervisor.config.System.Pair()
	if err != nil {
		return fmt.Errorf("lineman: %s does not hand its connections over: %w", p, Bare(err))
	}
	times := p.transferTimes()
	handing, giveUp := context.WithCancel(ctx)
	defer giveUp()
	handed, began := make(chan error, 1), make(chan error, 1)
	go func() {
		handed <- p.give(handing, times.within, one, &r.Handed)
	}()
	go func() {
		err := q.beginWith(ctx, times.start, other, &r.Started)
		time.AfterFunc(times.answer, giveUp) // p knows by now, too
		began <- err
	}()
	gave := <-handed
	if gave == nil || p.ended() {
		return p.handedOver(q, <-began, r)
	}
	q.discard()
	if took := <-began; q.ownFault(took) {
		gave = took
	}
	return fmt.Errorf("%w; %s has its connections back, and serves on", gave, p)
}

// transferTimes are the limits of a handover. Both sides have limits of their own for what the other does, and answer
// when they give up: if neither does, q hangs, as p may have to wait for its last word. So p is not killed before.
type transferTimes struct {
	within time.Duration // for q to start; p gives up then
	start  time.Duration // for q to answer; without a limit unless above zero
	answer time.Duration // for p to answer once q has
}

const (
	transferTime = 30 * time.Second // for connections to cross, and for either side to give up
	transferEach = 100 * time.Microsecond
	longStart    = 24 * time.Hour // where the start has no limit
)

func (p *process) transferTimes() transferTimes {
	l := p.slot.supervisor.config.Limits
	each := p.forEach(transferEach)
	times := transferTimes{within: longStart, answer: max(l.Reload, callTime) + each}
	if l.Start > 0 {
		times.within, times.start = l.Start, l.Start+transferTime+each
	}
	return times
}

// give has p hand over, until ctx ends: then it is killed. An error of a p that lives means that it has all of its
// connections.
func (p *process) give(ctx context.Context, within time.Duration, end *os.File, handed *channel.Handed) error {
	s := p.slot.supervisor
	bounded, cancel := s.bounded(ctx, 0)
	defer cancel()
	err := p.Give(bounded, channel.Hand, channel.Transfer{Within: within}, handed, end)
	var told *channel.Error
	switch {
	case err == nil:
		p.relays.Store(int64(handed.Relays))
		return nil
	case s.ctx.Err() != nil:
		return errStopping
	case errors.As(err, &told):
		return fmt.Errorf("lineman: %s does not hand its connections over: %s", p,
			strings.TrimPrefix(told.Text, "lineman: "))
	case ctx.Err() != nil:
		s.config.Log.Warn(fmt.Sprintf("lineman: %s does not say whether it has handed over: it is killed", p))
		p.leaving.Store(true)
	}
	p.discard()
	return err
}

// handedOver is the end of a handover in which p has given its connections up, or has died: took is what became of q.
func (p *process) handedOver(q *process, took error, r *Succession) error {
	switch died := p.ended(); {
	case took == nil && died:
		r.Died = true
		p.slot.supervisor.config.Log.Warn(fmt.Sprintf("lineman: %s ended while it handed over: its successor has %d "+
			"of its connections, the others have ended", p, r.Kept))
		return nil
	case took != nil && r.Crossed > 0:
		return fmt.Errorf("%w; %d connections of %s, which had crossed, have ended", took, r.Crossed, p)
	}
	return took
}

// ownFault reports whether a process that was killed had failed before, by what its start came to.
func (p *process) ownFault(failed error) bool {
	var said *refusal
	return errors.As(failed, &said) || failed != nil && !p.Status().isKill()
}

// beginWith is begin, with what a predecessor hands over by its end of a pair.
func (p *process) beginWith(ctx context.Context, limit time.Duration, end *os.File, started *channel.Started) error {
	err := p.attempt(ctx, limit, "start", func(ctx context.Context) error {
		return p.Give(ctx, channel.Start, nil, started, end)
	})
	p.mu.Lock()
	p.heartbeat.Conns = started.Kept
	p.mu.Unlock()
	return p.serveAfter(err)
}
