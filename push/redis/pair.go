package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/redis/rueidis"

	"github.com/lineman-go/lineman/push"
)

// pair is two connections to one server: subscriptions are read from in, and publications are written to out. It is
// owned by the goroutine of its shard, but for what a hook does.
type pair struct {
	shard           *shard
	in, out         rueidis.DedicatedClient
	inLost, outLost <-chan error
	failed          chan error // has one if a hook gives up

	unsubscribing atomic.Int64 // names that the server has not confirmed
	over          bool         // guarded by the inbox's lock
	overflowed    bool         // owned by the goroutine that reads
	self          endpoint     // of in; zero if the server does not tell
	blind         bool         // the server does not tell who is present
	term          string       // under which the node says who is present

	subscribing chan struct{} // closed when another goroutine no longer needs in; nil: none did
}

var (
	errLost    = errors.New("redis: the connection was closed")
	errDropped = errors.New("redis: messages came while the loop stood still")
	errMoved   = errors.New("redis: the partition has moved to another server")
	errApart   = errors.New("redis: what one connection publishes does not come over another: are there several " +
		"servers behind this address?")
)

// newPair connects. Errors are told by what it does first.
func newPair(s *shard) *pair {
	p := &pair{shard: s, failed: make(chan error, 1)}
	p.in, _ = s.link.client.Dedicate()
	p.out, _ = s.link.client.Dedicate()
	p.inLost = p.in.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: p.arrived, OnSubscription: p.changed})
	// it is told when it is lost
	p.outLost = p.out.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: func(rueidis.PubSubMessage) {}})
	return p
}

// arrived is called in order by the goroutine that reads.
func (p *pair) arrived(m rueidis.PubSubMessage) {
	l := p.shard.link
	if !l.arrived(arrival{pair: p, channel: m.Channel, payload: m.Message}) && !p.overflowed {
		p.overflowed = true
		l.counters.overflows.Add(1)
		p.fail(errDropped)
	}
}

// changed hears of subscriptions. That one ends by itself, when its slot goes to another server, is the end of the
// pair.
func (p *pair) changed(s rueidis.PubSubSubscription) {
	if strings.HasSuffix(s.Kind, "unsubscribe") && p.unsubscribing.Add(-1) < 0 {
		p.fail(errMoved)
	}
}

func (p *pair) fail(err error) {
	select {
	case p.failed <- err:
	default:
	}
}

// open subscribes to what the link needs, and to what is wanted.
func (p *pair) open() error {
	s := p.shard
	succession := s.pending
	s.pending = nil
	if err := p.subscribe([]string{s.own()}); err != nil {
		return err
	}
	if err := p.identify(); err != nil {
		return err
	}
	if err := p.probe(); err != nil {
		return err
	}
	if s.link.keepsHistory() {
		if err := p.beginHistory(); err != nil {
			return err
		}
	}
	if !succession.isOver() {
		return p.takeOver(succession)
	}
	wanted, subscriptions := s.outbox.start()
	if err := p.subscribeTo(wanted, func() {}); err != nil {
		return err
	}
	p.subscribed(subscriptions)
	if err := p.sayPresent((*pair).beginPresence); err != nil {
		return err
	}
	return p.subscribe([]string{s.all()})
}

// subscribeTo subscribes to what is wanted, a part at a time, and calls done after each.
func (p *pair) subscribeTo(wanted []push.Target, done func()) (err error) {
	for len(wanted) > 0 {
		if wanted, err = p.changeSome(subscribe, wanted); err != nil {
			return err
		}
		done()
	}
	return nil
}

// changeSome subscribes to the first of some topics, or not any more, and gives the others.
func (p *pair) changeSome(k opKind, topics []push.Target) (others []push.Target, err error) {
	n := min(len(topics), maxNames)
	channels := make([]string, 0, n)
	for _, t := range topics[:n] {
		channels = append(channels, p.shard.link.names.topic(t))
	}
	return topics[n:], p.do(p.in, []rueidis.Completed{p.change(k, channels)}, nil)
}

// sayPresent says who is present, in one way or the other, if that may be said.
func (p *pair) sayPresent(begin func(*pair) error) error {
	l := p.shard.link
	if !l.knowsPresence() {
		return nil
	}
	if err := begin(p); err != nil && !l.goesWithout(err) {
		return err
	}
	return nil
}

func (p *pair) subscribe(channels []string) error {
	return p.do(p.in, []rueidis.Completed{p.change(subscribe, channels)}, nil)
}

// identify asks what the server is and what it knows this connection by.
func (p *pair) identify() error {
	ask := func(words ...string) rueidis.RedisResult {
		return p.in.Do(context.Background(), p.in.B().Arbitrary(words...).Build())
	}
	hello := ask("HELLO", "3")
	if err := hello.NonRedisError(); err != nil {
		return err
	}
	if about, err := hello.AsMap(); err == nil {
		role := about["role"]
		if text, err := role.ToString(); err == nil && text != "master" {
			return fmt.Errorf("redis: the server is a %s: what is published there, others do not get", text)
		}
	}
	info, err := ask("CLIENT", "INFO").ToString()
	if err != nil {
		p.shard.link.registry.unable(err)
		return nil
	}
	p.self = parseEndpoint(info)
	return nil
}

// probe publishes something to the pair itself. It also shows whether that is allowed.
func (p *pair) probe() error {
	m := message{kind: probe}
	own := p.shard.own()
	cmd := p.command(op{channels: []string{own, own}, payload: m.append(nil)}) // twice: as several are published
	n, err := p.out.Do(context.Background(), cmd).AsInt64()
	if err == nil && n == 0 {
		err = errApart
	}
	return err
}

// serve does what is asked, until it is to leave or the pair breaks: then it gives what was not done.
func (p *pair) serve(leaving <-chan struct{}) (left []op, err error) {
	for {
		select {
		case <-leaving:
			p.leave()
			return nil, push.ErrClosed
		case err = <-p.inLost:
			return nil, lost(err)
		case err = <-p.outLost:
			return nil, lost(err)
		case err = <-p.failed:
			return nil, err
		case <-p.shard.outbox.wake:
			if left, err = p.run(p.shard.outbox.take()); err != nil {
				return left, err
			}
			p.shard.outbox.finished()
		}
	}
}

func lost(err error) error {
	if err == nil {
		return errLost
	}
	return err
}

// leave has nothing more come, and sends what is left: the answers to what came before. Others do not miss the node
// then. If a successor has it, it gets first what has come.
func (p *pair) leave() {
	p.unsubscribing.Store(1 << 62)
	if l := p.shard.link; l.handedOver.Load() {
		if _, err := p.run(p.shard.outbox.take()); err != nil {
			return
		}
	} else if p.shard.index == 0 {
		m := message{kind: presence, from: l.node.ID}
		// else it is missed for a while
		_, _ = p.run([]op{{kind: publish, channels: []string{p.shard.all()}, payload: m.append(nil)}})
	}
	// a part at a time: a server that is at all of them at once serves nobody meanwhile
	for topics, err := p.shard.outbox.topics(), error(nil); len(topics) > 0; {
		p.shard.link.late.Reset(p.shard.link.leaveWithin())
		if topics, err = p.changeSome(unsubscribe, topics); err != nil {
			return
		}
		if _, err = p.run(p.shard.outbox.take()); err != nil {
			return
		}
	}
	p.shard.link.late.Reset(p.shard.link.leaveWithin())
	b := p.in.B()
	all := b.Unsubscribe().Build()
	if p.shard.link.options.Cluster {
		all = b.Sunsubscribe().Build()
	}
	if p.in.Do(context.Background(), all).Error() == nil {
		_, _ = p.run(p.shard.outbox.stop()) // who does not get them has to wait a little
	}
}

// close ends both connections. That may take a second, if a server says nothing.
func (p *pair) close() {
	p.in.Close()
	if p.subscribing != nil {
		<-p.subscribing
	}
	p.out.Close()
}
