package push

import (
	"errors"
	"sync"
	"time"
)

// handoverSettleTime is how long it may take until nothing waits for a Journal.
const handoverSettleTime = 500 * time.Millisecond

// errBusy is why there can be no handover now.
var errBusy = errors.New("push: what was published is not in the journal yet, or not everywhere: try again")

// tellQuiet tells who waits for it that nothing is being written any more.
func (c *groupCommit) tellQuiet() {
	if c.quiet != nil {
		close(c.quiet)
		c.quiet = nil
	}
}

// untilQuiet is closed when nothing is being written; nil: so it is now.
func (c *groupCommit) untilQuiet() <-chan struct{} {
	if c == nil || !c.busy {
		return nil
	}
	if c.quiet == nil {
		c.quiet = make(chan struct{})
	}
	return c.quiet
}

// returns are functions that go from a Journal to a loop. While that stands still, whoever has it runs them.
type returns struct {
	loop func(func()) bool
	came chan struct{} // gets a value, if it has room, when there is one

	mu      sync.Mutex // guards the following
	waiting []func()
}

func newReturns(loop func(func()) bool) *returns {
	return &returns{loop: loop, came: make(chan struct{}, 1)}
}

// do has a function run on the loop.
func (r *returns) do(f func()) bool {
	r.mu.Lock()
	r.waiting = append(r.waiting, f)
	first := len(r.waiting) == 1
	r.mu.Unlock()
	select {
	case r.came <- struct{}{}:
	default:
	}
	return !first || r.loop(r.run)
}

// run runs those that wait, on the loop or in place of it.
func (r *returns) run() {
	r.mu.Lock()
	waiting := r.waiting
	r.waiting = nil
	r.mu.Unlock()
	for _, f := range waiting {
		f()
	}
}

// Settle waits for the Journal.
func (l *localLink) Settle() error {
	late := time.NewTimer(handoverSettleTime)
	defer late.Stop()
	for l.commits.untilQuiet() != nil {
		l.commits.begin()
		l.returns.run()
		if !l.commits.busy {
			break
		}
		select {
		case <-l.returns.came:
		case <-late.C:
			return errBusy
		}
	}
	return nil
}

// Settle waits for the Journal, and then does what loops were mailed, until there is nothing more.
func (l *memoryLink) Settle() error {
	b, late := l.broker, time.NewTimer(handoverSettleTime)
	defer late.Stop()
	for {
		quiet, links := b.unsettled()
		switch {
		case quiet != nil:
			select {
			case <-quiet:
			case <-late.C:
				return errBusy
			}
		case len(links) == 0:
			return nil
		}
		for _, link := range links {
			select {
			case <-late.C: // they go on for ever
				return errBusy
			default:
				link.openMail()
			}
		}
	}
}

// unsettled is what tells when the Journal is not busy any more, or nil, and the nodes that have something to do.
func (b *Memory) unsettled() (quiet <-chan struct{}, links []*memoryLink) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.links {
		if !l.isIdleLocked() || len(l.box.over) > 0 || l.box.heard < len(l.box.told) {
			links = append(links, l)
		}
	}
	if b.commits != nil {
		b.commits.begin()
	}
	return b.commits.untilQuiet(), links
}
