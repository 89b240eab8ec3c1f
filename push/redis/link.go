package redis

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/lineman-go/lineman/push"
)

// link is a node's part in a Broker.
type link struct {
	broker     *Broker
	node       push.Node
	options    *Options
	names      names
	counters   *counters
	shards     []*shard
	registry   *registry
	membership *membership
	dialer     *dialer
	outage     outage
	inbox      inbox
	calls      calls

	ctx     context.Context // of every connection
	cancel  context.CancelFunc
	leaving chan struct{} // closed when the link is
	leave   func()        // closes it
	late    *time.Timer   // ends all that leaves; made before leaving is closed
	begins  chan struct{} // closed when the link may be a node
	begin   func()        // closes it
	closed  atomic.Bool   // set by the loop
	denied  atomic.Bool   // the server lets nobody be present

	handedOver atomic.Bool // a successor has the node
	stuck      *time.Timer // ends a succession that makes no progress; made before begins is closed

	dialed chan struct{}  // closed when there is the
	client rueidis.Client // which the link's goroutine makes

	// Owned by the loop.
	up       bool // all shards are
	wasUp    bool
	token    string // by which a successor is known; empty: there can be none
	inFlight inFlight
	replies  replies
	queries  map[*query]struct{}   // that were asked and are not answered
	listings map[*listing]struct{} // lists of who is present that were asked for
	warned   time.Time             // when the log last heard that Redis keeps nothing
}

func newLink(b *Broker, n push.Node) *link {
	l := &link{
		broker: b, node: n, options: &b.options, names: b.names, counters: &b.counters,
		outage:  outage{log: b.log().With("servers", b.options.Addresses)},
		leaving: make(chan struct{}), begins: make(chan struct{}), dialed: make(chan struct{}),
		calls: calls{do: n.Do, stir: b.stir},
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.leave = sync.OnceFunc(func() {
		l.late = time.AfterFunc(l.leaveWithin(), l.cancel)
		close(l.leaving)
	})
	l.begin = sync.OnceFunc(func() { close(l.begins) })
	if !n.Succeeds {
		l.begin()
	}
	l.dialer = newDialer(l.ctx, b)
	for i := range b.options.shards() {
		l.shards = append(l.shards, &shard{link: l, index: i, outbox: newOutbox(b.stir)})
	}
	l.registry, l.membership = newRegistry(l), newMembership()
	l.inFlight = newInFlight(l)
	l.replies = replies{link: l}
	l.queries, l.listings = make(map[*query]struct{}), make(map[*listing]struct{})
	return l
}

// leaveWithin is how long the link may take to leave, or for a part of that. Nobody waits for the end of a process that
// has handed over, and others wait for its answers.
func (l *link) leaveWithin() time.Duration {
	if l.handedOver.Load() {
		return l.options.patience
	}
	return leaveWithin
}

// run is the link's goroutine.
func (l *link) run() {
	defer l.cancel()
	if !l.dial() {
		return
	}
	defer l.client.Close()
	select {
	case <-l.begins:
	case <-l.leaving:
		return
	}
	defer l.registry.leave()
	if !l.registry.join() {
		return
	}
	var shards sync.WaitGroup
	for _, s := range l.shards {
		shards.Add(1)
		go func() {
			defer shards.Done()
			s.run()
		}()
	}
	l.registry.run()
	l.registry.leave()
	shards.Wait()
}

// dial makes the client. It returns false if the link was closed first.
func (l *link) dial() bool {
	var pause backoff
	for {
		c, err := l.dialer.client()
		if err == nil {
			l.client = c
			close(l.dialed)
			return true
		}
		l.outage.began(err)
		if !l.wait(pause.next()) {
			return false
		}
	}
}

// wait returns false if the link was closed meanwhile.
func (l *link) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.leaving:
		return false
	}
}

// left reports whether the link was closed.
func (l *link) left() bool {
	select {
	case <-l.leaving:
		return true
	default:
		return false
	}
}

// keepsHistory reports whether the node keeps history of anything.
func (l *link) keepsHistory() bool { return l.node.Retain != nil }

// knowsPresence reports whether the node asks who is present, and may.
func (l *link) knowsPresence() bool { return l.node.Presence != nil && !l.denied.Load() }

// goesWithout reports whether the server forbids what presence needs and the node can do without: then there are no
// rolls, and all else works as it did before there were any.
func (l *link) goesWithout(why error) bool {
	if !l.node.OnlyRolls || !strings.HasPrefix(why.Error(), "NOPERM") {
		return false
	}
	if !l.denied.Swap(true) {
		const text = "redis: nobody can be told who comes to the cluster and goes: have the user of Redis get the " +
			"rights that presence needs, and start anew"
		l.outage.log.Warn(text, "error", why)
	}
	return true
}

// settings are what all nodes have to agree on.
func (l *link) settings() string {
	return l.options.settings(l.keepsHistory(), l.knowsPresence() && !l.node.OnlyRolls)
}

// post has the loop run something. A link whose loop has ended is closed, unless a successor is to have the rest.
func (l *link) post(f func()) {
	if !l.calls.put(f) && !l.handedOver.Load() {
		l.leave()
	}
}

// shardOf is the shard that carries a topic.
func (l *link) shardOf(t push.Target) *shard {
	if len(l.shards) == 1 {
		return l.shards[0]
	}
	return l.shards[l.names.partition(string(t))]
}

// linked notes that a shard is up. On the loop.
func (l *link) linked(s *shard, p *pair) {
	s.up, s.pair = true, p
	if l.closed.Load() || l.up || slices.ContainsFunc(l.shards, func(s *shard) bool { return !s.up }) {
		return
	}
	l.up = true
	if l.wasUp {
		l.counters.reconnects.Add(1)
	}
	l.wasUp = true
	l.outage.ended()
	l.membership.renew(time.Now())
	l.registry.up()
	m := message{kind: presence, from: l.node.ID, here: true}
	l.shards[0].outbox.put(op{kind: publish, channels: []string{l.names.all(0)}, payload: m.append(nil)})
	l.node.Linked(true)
}

// unlinked notes that a shard is down, and what it did not send. On the loop.
func (l *link) unlinked(s *shard, unsent []op) {
	s.up = false
	l.drain() // what came before that
	s.lapse()
	for _, o := range unsent {
		if o.done != nil {
			o.done(push.ErrUnlinked)
		}
	}
	if l.closed.Load() || !l.up {
		return
	}
	l.up = false
	for _, o := range unsent {
		l.inFlight.unsent(o.seq)
	}
	l.inFlight.fail()
	l.endQueries(push.ErrUnlinked)
	l.node.Linked(false)
}

// Subscribe is that of push.Link.
func (l *link) Subscribe(to []push.Target, done func(error)) {
	if l.closed.Load() {
		done(push.ErrClosed)
		return
	}
	if len(l.shards) == 1 {
		l.subscribe(l.shards[0], slices.Clone(to), done)
		return
	}
	parts := l.divide(to)
	left, failed := len(parts), error(nil)
	for s, topics := range parts {
		l.subscribe(s, topics, func(err error) {
			if err != nil {
				failed = err
			}
			if left--; left == 0 {
				done(failed)
			}
		})
	}
}

// subscribe has a shard subscribe.
func (l *link) subscribe(s *shard, topics []push.Target, done func(error)) {
	ended := func(err error) {
		if l.closed.Load() {
			err = push.ErrClosed
		}
		done(err)
	}
	if s.outbox.put(op{kind: subscribe, topics: topics, done: ended}) != taken {
		ended(push.ErrUnlinked)
	}
}

// Unsubscribe is that of push.Link.
func (l *link) Unsubscribe(from []push.Target) {
	if l.closed.Load() {
		return
	}
	for s, topics := range l.divide(from) {
		s.outbox.put(op{kind: unsubscribe, topics: topics})
	}
}

// divide sorts targets by the shards that carry them.
func (l *link) divide(targets []push.Target) map[*shard][]push.Target {
	parts := make(map[*shard][]push.Target)
	for _, t := range targets {
		s := l.shardOf(t.Topic())
		parts[s] = append(parts[s], t)
	}
	return parts
}

// Close is that of push.Link.
func (l *link) Close() {
	if l.closed.Swap(true) {
		return
	}
	l.drain()
	l.inFlight.close()
	l.endQueries(push.ErrClosed)
	l.leave()
}
