package redis

import (
	"context"
	"errors"
	"time"
)

// succession is how a shard takes over from that of a predecessor, which is a node of the same name. Both have
// subscribed for a while, and the successor publishes a barrier over the channel of both: what comes to the
// predecessor up to there it sends after, as soon as the successor is ready; and what comes to the successor from
// there on is the successor's.
//
//	early ── the barrier ──▶ between ── the last of what the predecessor sends ──▶ over
//	  what comes is not           what comes is kept
//	  for this one
//	         what the predecessor sends is handled
//
// It may also lapse, when it has made no progress for a while: then the link was down, and comes up as any other. Owned
// by the loop.
type succession struct {
	token   string
	ended   chan struct{} // closed when it is over
	lapsed  chan struct{} // closed when it has lapsed
	came    chan struct{} // has one when the predecessor has sent something
	between bool
	kept    []arrival
	bytes   int
}

const (
	// patience is how long either side of a handover waits while it sees no progress. How long all of it takes depends
	// on how many topics there are and how fast the server is: nobody knows that before. The end of the predecessor's
	// process bounds it anyway.
	patience = 10 * time.Second

	restWithin = 5 * time.Second // how long the predecessor may take after the barrier, from one message to the next
)

var errLapsed = errors.New("redis: what the predecessor of this process has got did not come in time")

// succeed has the link be up as that of the predecessor was. What it is asked waits until it has taken over.
func (l *link) succeed(token string) {
	for _, s := range l.shards {
		s.succession = &succession{
			token: token, ended: make(chan struct{}), lapsed: make(chan struct{}), came: make(chan struct{}, 1),
		}
		s.pending, s.up = s.succession, true
		s.outbox.hold()
	}
	l.up, l.wasUp = true, true
	l.registry.up()
	l.node.Linked(true)
}

// Restored is that of push.HandoverLink.
func (l *link) Restored() {
	if l.up {
		l.stuck = time.AfterFunc(l.options.patience, func() { l.post(l.lapse) })
	}
	l.begin()
}

// lapse ends what makes no progress.
func (l *link) lapse() {
	for _, s := range l.shards {
		if s.succession != nil && !l.closed.Load() {
			l.unlinked(s, s.outbox.stop())
			s.outbox.finished()
		}
	}
}

// lapse ends the succession of a shard that is down. What came for it is handled: what is missing is missed.
func (s *shard) lapse() {
	if h := s.succession; h != nil {
		s.succession = nil
		close(h.lapsed)
		s.link.receiveAll(h.kept)
	}
}

// isOver reports whether there is nothing to take over, or no longer.
func (h *succession) isOver() bool {
	if h == nil {
		return true
	}
	select {
	case <-h.lapsed:
		return true
	default:
		return false
	}
}

// takes reports whether a message is not for the node now. Then it has done what is to be done.
func (l *link) takes(h *succession, a arrival, m message) bool {
	switch {
	case m.kind != publication && m.kind != question && m.kind != change:
		return false
	case !h.between && m.kind != change: // the predecessor has it too
		l.reply(a.pair.shard, m, answer{form: nothing})
	case h.between:
		h.kept = append(h.kept, a)
		if h.bytes += len(a.payload); h.bytes > maxWaiting {
			a.pair.fail(errDropped)
		}
	}
	return true
}

// advance handles what concerns the succession.
func (l *link) advance(a arrival, m message) {
	s := a.pair.shard
	h := s.succession
	switch {
	case h == nil || m.token != h.token:
	case m.kind == barrier:
		h.between = true
	case m.kind == forwarded:
		l.stuck.Reset(l.options.patience)
		notify(h.came)
		for _, one := range m.rest {
			one.pair = a.pair
			if at, ok := peekMark(one.payload); ok {
				s.reached.raise(at)
			}
			if m, err := decode([]byte(one.payload)); err == nil {
				l.dispatch(one, m)
			}
		}
		if m.last {
			s.succession, s.pair = nil, a.pair
			close(h.ended)
			l.receiveAll(h.kept)
		}
	}
}

func (l *link) receiveAll(all []arrival) {
	for _, a := range all {
		l.receive(a)
	}
}

// takeOver has the predecessor send what comes to it, subscribes to what is wanted meanwhile, and takes over. What is
// to be sent does not wait for that: the predecessor gets what is published for the node, and sends it in order.
func (p *pair) takeOver(h *succession) error {
	if err := p.sayPresent((*pair).beginTerm); err != nil {
		return err
	}
	if err := p.tell(h, ready); err != nil {
		return err
	}
	subscriptions, err := p.subscribesMeanwhile(h)
	if err != nil {
		return err
	}
	if err := p.subscribe([]string{p.shard.all()}); err != nil {
		return err
	}
	if err := p.tell(h, barrier); err != nil {
		return err
	}
	p.subscribed(subscriptions) // what comes by them is the successor's, from the barrier on
	if err := p.sayPresent((*pair).renewPresence); err != nil {
		return err
	}
	return p.succeeds(h)
}

// subscribesMeanwhile subscribes to what is wanted, and does meanwhile what can be done before that. Now and then it
// says again that it is ready: so the predecessor goes on to send what comes.
func (p *pair) subscribesMeanwhile(h *succession) (subscriptions []op, err error) {
	o := p.shard.outbox
	wanted, subscriptions := o.start()
	var failed error
	p.subscribing = make(chan struct{})
	some := make(chan struct{}, 1) // were subscribed to
	go func() {
		defer close(p.subscribing)
		failed = p.subscribeTo(wanted, func() { notify(some) })
	}()
	l := p.shard.link
	for told := time.Now(); ; {
		select {
		case <-p.subscribing:
			return subscriptions, failed
		case <-some:
			l.stuck.Reset(l.options.patience)
			if time.Since(told) < l.options.patience/10 {
				continue
			}
			told = time.Now()
			if err := p.tell(h, ready); err != nil {
				return nil, err
			}
		case <-h.lapsed:
			return nil, errLapsed
		case <-o.wake:
			if err := p.runThese(o.early(l.names.topic)); err != nil {
				return nil, err
			}
		}
	}
}

// notify has a channel of one have one.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// tell publishes something over the channel that the predecessor has, too. That is progress.
func (p *pair) tell(h *succession, k kind) error {
	m := message{kind: k, token: h.token}
	o := op{channels: []string{p.shard.own()}, payload: m.append(nil)}
	err := p.out.Do(context.Background(), p.command(o)).Error()
	if l := p.shard.link; err == nil {
		l.stuck.Reset(l.options.patience)
	}
	return err
}

// succeeds waits until the predecessor has sent everything, and does what is asked.
func (p *pair) succeeds(h *succession) error {
	late := time.NewTimer(restWithin)
	defer late.Stop()
	for {
		if err := p.runThese(p.shard.outbox.take()); err != nil {
			return err
		}
		select {
		case <-h.ended:
			return nil
		case <-p.shard.link.registry.gone:
			return nil
		case <-h.lapsed:
			return errLapsed
		case <-h.came:
			late.Reset(restWithin)
		case <-late.C:
			return errLapsed
		case err := <-p.inLost:
			return lost(err)
		case err := <-p.outLost:
			return lost(err)
		case err := <-p.failed:
			return err
		case <-p.shard.outbox.wake:
		}
	}
}
