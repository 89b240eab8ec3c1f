package lineman

import (
	"fmt"

	"github.com/lineman-go/lineman/internal/handover"
	"github.com/lineman-go/lineman/internal/poll"
)

// Before a predecessor stands still, it lends its connections: the successor gets their descriptors and has its pollers
// watch them, so that this is no part of the pause. Nobody waits for those pollers yet, and the predecessor serves on.
//
//	             predecessor                    successor
//	serves ───────── lend ──────────────────▶ borrowed, watched
//	stands still ─── a record that says so ─▶ made                or, if none comes: given back, once it serves
//
// That spares time and nothing else: a connection that was not lent brings its descriptor with its record. What ends in
// the predecessor while it is lent ends for both: poll.Poller.Lend.

// portion is what a loop lends in one go, so that it holds no callback up.
type portion struct {
	loans []handover.Loan
	next  int // the handle that is next; 0 after the last
	err   error
}

// lend duplicates the descriptors of the next connections that are likely to cross, from a handle on.
func (l *Loop) lend(from int) (some portion) {
	some.next = min(from+handover.BatchRecords, l.conns.Len())
	for i := from; i < some.next; i++ {
		c := *l.conns.At(i)
		if c == nil || !mayBeLent(c) {
			continue
		}
		one := handover.Loan{ID: c.id, Loop: l.index}
		if one.FD, some.err = l.poll.Lend(c.handle); some.err != nil {
			break
		}
		some.loans = append(some.loans, one)
	}
	if some.next == l.conns.Len() {
		some.next = 0
	}
	return some
}

// mayBeLent reports whether a connection is likely to cross by its own descriptor, and ends by this process's own
// doing: what speaks HTTP may be a handler's soon, a Unix socket cannot be reset, and a number that was dialed may mean
// another connection by then.
func mayBeLent(c *Conn) bool {
	if c.service.worker.Save == nil || c.link != nil || c.service.kind == speaksHTTP {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return staysLocked(c) == nil && c.phase.connected() && c.remote.known && relayedLocked(c) == nil
}

// borrowed are connections of a predecessor, by id. They are in no record yet.
type borrowed map[uint64]loan

type loan struct {
	loop   *Loop
	handle poll.Handle
}

// take has a poller watch what was lent. Its loop does not run yet.
func (b borrowed) take(l *Loop, lent handover.Loan) error {
	h, err := l.poll.Take(lent.FD)
	if err != nil {
		return err
	}
	if err := l.poll.Watch(h); err != nil {
		l.poll.Leave(h)
		return err
	}
	if before, twice := b[lent.ID]; twice {
		before.giveBack()
	}
	b[lent.ID] = loan{l, h}
	return nil
}

// claim is the handle of a connection whose record has come.
func (b borrowed) claim(l *Loop, id uint64) (poll.Handle, error) {
	lent, ok := b[id]
	if !ok || lent.loop != l {
		return absent, fmt.Errorf("%w: connection %d was not lent", handover.ErrDescriptors, id)
	}
	delete(b, id)
	return lent.handle, nil
}

// giveBack leaves all to their predecessor. The loops do not run yet.
func (b borrowed) giveBack() {
	for _, lent := range b {
		lent.giveBack()
	}
	clear(b)
}

func (of loan) giveBack() {
	_ = of.loop.poll.Unwatch(of.handle)
	of.loop.poll.Leave(of.handle)
}

// giveBackSoon is giveBack for loops that run, which go on with their work in between.
func (b borrowed) giveBackSoon() {
	all := make(map[*Loop][]loan)
	for _, lent := range b {
		all[lent.loop] = append(all[lent.loop], lent)
	}
	for l, lent := range all {
		l.Do(func() { giveBackBatch(l, lent) })
	}
}

func giveBackBatch(l *Loop, lent []loan) {
	n := min(len(lent), handover.BatchRecords)
	for _, one := range lent[:n] {
		one.giveBack()
	}
	if lent = lent[n:]; len(lent) > 0 {
		l.Do(func() { giveBackBatch(l, lent) })
	}
}
