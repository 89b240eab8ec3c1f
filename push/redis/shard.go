package redis

import (
	"math/rand/v2"
	"time"
)

// shard carries a part of the topics, over a pair of connections that it makes again when it breaks:
//
//	connecting --(all that is wanted is subscribed to)--> up --(broken)--> waiting --> connecting
//
// All that it carries has one order.
type shard struct {
	link    *link
	index   int // the partition, in a Cluster; else the only one
	outbox  *outbox
	reached highWater // of the history of the partition

	// Owned by its goroutine.
	stale   endpoint    // of the connection before
	pending *succession // of the first connection; nil: there is no predecessor

	// Owned by the loop.
	up         bool
	pair       *pair
	succession *succession // nil if it is over
	last       origin      // of what came last
}

// origin tells messages apart.
type origin struct {
	from string
	seq  uint64
}

// own is where this node gets answers.
func (s *shard) own() string { return s.link.names.node(s.index, s.link.node.ID) }

// all is that of all nodes. It is subscribed to last: who has subscribed to it misses nothing.
func (s *shard) all() string { return s.link.names.all(s.index) }

// run keeps the shard connected until the link is closed.
func (s *shard) run() {
	l := s.link
	var pause backoff
	for !l.handedOver.Load() {
		p := newPair(s)
		err := p.open()
		began := time.Now()
		var left []op
		if err == nil {
			s.connected(p)
			left, err = p.serve(l.registry.gone)
		}
		l.inbox.end(p)
		s.disconnected(append(left, s.outbox.stop()...), err)
		p.close()
		if l.handedOver.Load() {
			l.leave() // what came since is missing
		}
		if time.Since(began) > longest {
			pause = 0
		}
		if !l.wait(pause.next()) {
			return
		}
	}
}

// connected tells that the shard is up, and has the connection before it be ended: the server may still take it to be
// alive.
func (s *shard) connected(p *pair) {
	s.link.post(func() { s.link.linked(s, p) })
	if s.stale != (endpoint{}) {
		s.link.registry.endSoon(s.stale)
	}
	s.stale = p.self
	s.link.registry.use(s, p.self)
}

// disconnected tells which ops were not done, and that the shard is down.
func (s *shard) disconnected(left []op, err error) {
	if !s.link.left() {
		s.link.outage.began(err)
	}
	s.link.post(func() { s.link.unlinked(s, left) })
	s.outbox.finished()
}

// backoff is an exponential backoff with jitter: how long to wait before the next try, a quarter of it at random.
type backoff time.Duration

const (
	shortest = 50 * time.Millisecond
	longest  = time.Second
)

func (b *backoff) next() time.Duration {
	*b = min(max(*b*2, backoff(shortest)), backoff(longest))
	return time.Duration(*b)*3/4 + rand.N(time.Duration(*b)/4)
}
