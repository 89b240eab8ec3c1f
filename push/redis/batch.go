package redis

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/redis/rueidis"
)

const (
	maxBatch = 512 // commands that are sent at once
	// that are subscribed to, or not any more, before an answer: while a server is at it, it gives no sign of life
	maxNames = 1000
)

// publishScript publishes to some channels, with nothing between, and returns how many arrivals that makes.
const publishScript = `local n = 0
for i = 1, #KEYS do n = n + redis.call(ARGV[1], KEYS[i], ARGV[2]) end
return n`

// run does some operations in order, pipelined. What is left does not have the publications that a broken connection
// may have taken.
func (p *pair) run(ops []op) (left []op, err error) {
	for len(ops) > 0 {
		n, first := 1, ops[0].kind
		for n < min(len(ops), maxBatch) && ops[n].kind != renew && ops[n].kind.isSent() == first.isSent() {
			n++
		}
		switch {
		case first == renew:
			n = 1
			err = p.renew(ops[0].renewal)
		case first.isSent():
			if err = p.send(ops[:n]); err != nil {
				return ops[n:], err
			}
		default:
			err = p.subscriptions(ops[:n])
		}
		if err != nil {
			return ops, err
		}
		ops = ops[n:]
	}
	return nil, nil
}

// runThese does some operations that were taken. Those that it does not do are again to be done.
func (p *pair) runThese(ops []op) error {
	left, err := p.run(ops)
	if err != nil {
		p.shard.outbox.giveBack(left)
		return err
	}
	p.shard.outbox.finished()
	return nil
}

// subscriptions changes what is subscribed to, and tells when that holds.
func (p *pair) subscriptions(ops []op) error {
	var cmds []rueidis.Completed
	var channels []string // of the next of them, of a kind
	var kind opKind
	names := 0 // of all of them
	end := func() {
		if len(channels) > 0 {
			cmds, channels = append(cmds, p.change(kind, channels)), nil
		}
	}
	send := func() error {
		end()
		err := p.do(p.in, cmds, nil)
		cmds, names = nil, 0
		return err
	}
	for _, o := range ops {
		for _, t := range o.topics {
			if o.kind != kind {
				end()
				kind = o.kind
			}
			channels = append(channels, p.shard.link.names.topic(t))
			if names++; names == maxNames {
				if err := send(); err != nil {
					return err
				}
			}
		}
	}
	if names > 0 {
		if err := send(); err != nil {
			return err
		}
	}
	p.subscribed(ops)
	return nil
}

// subscribed tells who waits for subscriptions that they hold.
func (p *pair) subscribed(ops []op) {
	if len(ops) == 0 {
		return
	}
	p.shard.link.post(func() {
		for _, o := range ops {
			if o.done != nil {
				o.done(nil)
			}
		}
	})
}

// change is the command that subscribes to channels, or not any more.
func (p *pair) change(k opKind, channels []string) rueidis.Completed {
	b, sharded := p.in.B(), p.shard.link.options.Cluster
	if k == unsubscribe {
		p.unsubscribing.Add(int64(len(channels)))
		if sharded {
			return b.Sunsubscribe().Channel(channels...).Build()
		}
		return b.Unsubscribe().Channel(channels...).Build()
	}
	if sharded {
		return b.Ssubscribe().Channel(channels...).Build()
	}
	return b.Subscribe().Channel(channels...).Build()
}

// sent is what became of an op that was sent.
type sent struct {
	arrivals int64
	placed   placed
	tell     func() // of a query, or a saying
	err      error  // that of the server, which has not done it
}

// send publishes messages, and tells how many arrivals they make; and it asks.
func (p *pair) send(ops []op) error {
	cmds := make([]rueidis.Completed, len(ops))
	for i, o := range ops {
		cmds[i] = p.command(o)
	}
	l := p.shard.link
	l.counters.messagesOut.Add(uint64(len(ops)))
	asks := !p.blind && slices.ContainsFunc(ops, func(o op) bool { return o.seq != 0 })
	if asks {
		cmds = append(cmds, p.askPresent())
	}
	done, missed := make([]sent, 0, len(ops)), false
	err := p.do(p.out, cmds, func(r rueidis.RedisResult) error {
		if len(done) == len(ops) {
			missed = l.membership.misses(p.present(r), time.Now())
			return r.NonRedisError()
		}
		s, err := p.sent(ops[len(done)], r)
		if err == nil {
			done = append(done, s)
		}
		return err
	})
	l.post(func() {
		for i, s := range done {
			l.sent(ops[i], s, missed)
		}
	})
	return err
}

// sent reads what a server answers to an op. An error is the end of the connection.
func (p *pair) sent(o op, r rueidis.RedisResult) (s sent, err error) {
	failed := r.Error()
	switch {
	case failed != nil && (o.kind == publish && o.places == nil || concernsAll(failed)):
		return sent{}, failed
	case failed != nil:
		return sent{err: failed}, nil
	case o.query != nil:
		s.tell, s.err = o.query.answer(p, r)
		return s, nil
	case o.kind == say:
		p.shard.outbox.known(o.sayings)
		s.tell, s.err = p.shard.link.moved(o.sayings, r)
		return s, nil
	case o.places == nil:
		s.arrivals, err = r.AsInt64()
		return s, err
	}
	if s, err = placedBy(r, len(o.places)); err == nil {
		p.shard.reached.raise(s.placed.mark)
	}
	return s, err
}

// sent notes what became of an op. On the loop.
func (l *link) sent(o op, s sent, missed bool) {
	switch {
	case o.query != nil:
		l.answered(o.query, s.tell, s.err)
		return
	case s.err != nil && o.kind == say:
		l.warnUnkept(s.err)
		return
	case o.kind == say:
		if s.tell != nil {
			s.tell()
		}
		return
	case s.err != nil:
		l.warnUnkept(s.err)
		l.inFlight.refused(o.seq, unkept{s.err})
		return
	case o.places != nil:
		l.inFlight.placed(o.seq, o.places, s.placed)
	}
	n := int(s.arrivals)
	l.inFlight.arrives(o.seq, n, missed && (o.enough == 0 || n < o.enough))
}

// askPresent is the command that asks how many nodes are there, behind publications: one that is not was not there for
// them.
func (p *pair) askPresent() rueidis.Completed {
	if p.shard.link.options.Cluster {
		return p.out.B().PubsubShardnumsub().Channel(p.shard.all()).Build()
	}
	return p.out.B().PubsubNumsub().Channel(p.shard.all()).Build()
}

// present is how many nodes are there; a very large number if the server does not tell.
func (p *pair) present(r rueidis.RedisResult) int64 {
	var n int64
	found, err := r.AsMap()
	if err == nil {
		m := found[p.shard.all()]
		n, err = m.AsInt64()
	}
	if err != nil {
		p.blind = true
		p.shard.link.registry.blind(err)
		return math.MaxInt64
	}
	return n
}

// publishes is the command that publishes.
func (s *shard) publishes() string {
	if s.link.options.Cluster {
		return "SPUBLISH"
	}
	return "PUBLISH"
}

// command publishes to some channels, or asks.
func (p *pair) command(o op) rueidis.Completed {
	switch {
	case o.query != nil:
		return o.query.command(p)
	case o.kind == say:
		return p.shard.say(p.out, p.member(), o.sayings)
	case o.places != nil:
		return p.place(o)
	}
	b, payload := p.out.B(), rueidis.BinaryString(o.payload)
	switch {
	case len(o.channels) > 1:
		return b.Eval().Script(publishScript).Numkeys(int64(len(o.channels))).Key(o.channels...).
			Arg(p.shard.publishes(), payload).Build()
	case p.shard.link.options.Cluster:
		return b.Spublish().Channel(o.channels[0]).Message(payload).Build()
	}
	return b.Publish().Channel(o.channels[0]).Message(payload).Build()
}

// do sends commands at once and goes through their results, to the first error.
func (p *pair) do(c rueidis.DedicatedClient, cmds []rueidis.Completed, each func(rueidis.RedisResult) error) error {
	began := time.Now()
	results := c.DoMulti(context.Background(), cmds...)
	p.shard.link.counters.timed(began)
	for _, r := range results {
		err := r.Error()
		if each != nil {
			err = each(r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
