package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/lineman-go/lineman/push"
)

const (
	maxBatch = 512  // commands that are sent at once
	maxNames = 1000 // that one command subscribes to
)

// publishScript publishes to some channels, with nothing between, and returns how many arrivals that makes.
const publishScript = `local n = 0
for i = 1, #KEYS do n = n + redis.call(ARGV[1], KEYS[i], ARGV[2]) end
return n`

// pair are two connections to one server: what is subscribed to comes over in, and what is published goes over out. It is owned by the
// goroutine of its shard, but for what a hook does.
type pair struct {
	shard           *shard
	in, out         rueidis.DedicatedClient
	inLost, outLost <-chan error
	failed          chan error // has one if a hook gives up

	unsubscribing atomic.Int64 // names that the server has not confirmed
	over          bool         // guarded by the inbox's lock
	self          endpoint     // of in; zero if the server does not tell
}

var (
	errLost    = errors.New("redis: the connection was closed")
	errDropped = errors.New("redis: messages came while the loop stood still")
	errMoved   = errors.New("redis: the partition has moved to another server")
	errApart   = errors.New("redis: what one connection publishes does not come over another: are there several servers behind this address?")
)

// newPair connects. Errors are told by what it does first.
func newPair(s *shard) *pair {
	p := &pair{shard: s, failed: make(chan error, 1)}
	p.in, _ = s.link.client.Dedicate()
	p.out, _ = s.link.client.Dedicate()
	p.inLost = p.in.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: p.arrived, OnSubscription: p.changed})
	p.outLost = p.out.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: func(rueidis.PubSubMessage) {}}) // it is told when it is lost
	return p
}

// arrived is called in order by the goroutine that reads.
func (p *pair) arrived(m rueidis.PubSubMessage) {
	if !p.shard.link.arrived(arrival{pair: p, channel: m.Channel, payload: m.Message}) {
		p.fail(errDropped)
	}
}

// changed hears of subscriptions. That one ends by itself, when its slot goes to another server, is the end of the pair.
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

// open subscribes to what the link needs, then to what is wanted.
func (p *pair) open() error {
	s := p.shard
	if err := p.subscribe(s.channels()); err != nil {
		return err
	}
	if err := p.identify(); err != nil {
		return err
	}
	if err := p.probe(); err != nil {
		return err
	}
	wanted := s.outbox.start()
	channels := make([]string, 0, maxNames)
	for len(wanted) > 0 {
		n := min(len(wanted), maxNames)
		channels = channels[:0]
		for _, t := range wanted[:n] {
			channels = append(channels, s.link.names.topic(t))
		}
		if err := p.subscribe(channels); err != nil {
			return err
		}
		wanted = wanted[n:]
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
	own := p.shard.channels()[0]
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
		}
	}
}

func lost(err error) error {
	if err == nil {
		return errLost
	}
	return err
}

// leave has nothing more come, and sends what is left: the answers to what came before.
func (p *pair) leave() {
	p.unsubscribing.Store(1 << 62)
	b := p.in.B()
	all := b.Unsubscribe().Build()
	if p.shard.link.options.Cluster {
		all = b.Sunsubscribe().Build()
	}
	if p.in.Do(context.Background(), all).Error() == nil {
		_, _ = p.run(p.shard.outbox.stop()) // who does not get them has to wait a little
	}
}

// run does some things in order. Publications that a broken connection may have taken are not among what is left.
func (p *pair) run(ops []op) (left []op, err error) {
	for len(ops) > 0 {
		n := 1
		for n < min(len(ops), maxBatch) && (ops[n].kind == publish) == (ops[0].kind == publish) {
			n++
		}
		if ops[0].kind == publish {
			if err := p.publish(ops[:n]); err != nil {
				return ops[n:], err
			}
		} else if err := p.subscriptions(ops[:n]); err != nil {
			return ops, err
		}
		ops = ops[n:]
	}
	return nil, nil
}

// subscriptions changes what is subscribed to, and tells when that holds.
func (p *pair) subscriptions(ops []op) error {
	var cmds []rueidis.Completed
	var channels []string
	flush := func(k opKind) {
		for len(channels) > 0 {
			n := min(len(channels), maxNames)
			cmds = append(cmds, p.change(k, channels[:n]))
			channels = channels[n:]
		}
	}
	for i, o := range ops {
		if i > 0 && o.kind != ops[i-1].kind {
			flush(ops[i-1].kind)
		}
		for _, t := range o.topics {
			channels = append(channels, p.shard.link.names.topic(t))
		}
	}
	flush(ops[len(ops)-1].kind)
	if err := p.do(p.in, cmds, nil); err != nil {
		return err
	}
	p.shard.link.post(func() {
		for _, o := range ops {
			if o.done != nil {
				o.done(nil)
			}
		}
	})
	return nil
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

// publish sends messages, and tells how many arrivals they make.
func (p *pair) publish(ops []op) error {
	cmds := make([]rueidis.Completed, len(ops))
	for i, o := range ops {
		cmds[i] = p.command(o)
	}
	l := p.shard.link
	l.counters.sent.Add(uint64(len(ops)))
	arrivals := make([]int64, 0, len(ops))
	err := p.do(p.out, cmds, func(r rueidis.RedisResult) error {
		n, err := r.AsInt64()
		if err == nil {
			arrivals = append(arrivals, n)
		}
		return err
	})
	l.post(func() {
		for i, n := range arrivals {
			l.expected.arrives(ops[i].seq, int(n))
		}
	})
	return err
}

// command publishes to some channels.
func (p *pair) command(o op) rueidis.Completed {
	b, payload := p.out.B(), rueidis.BinaryString(o.payload)
	name := "PUBLISH"
	if p.shard.link.options.Cluster {
		name = "SPUBLISH"
	}
	switch {
	case len(o.channels) > 1:
		return b.Eval().Script(publishScript).Numkeys(int64(len(o.channels))).Key(o.channels...).Arg(name, payload).Build()
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

// close ends both connections. Nothing comes over them any more.
func (p *pair) close() {
	p.shard.link.inbox.end(p)
	p.in.Close()
	p.out.Close()
}

// endpoint is what a server knows a connection by. Both are needed, as a server begins anew with its numbers.
type endpoint struct {
	ID      uint64 `json:"id"`
	Address string `json:"address"`
}

// parseEndpoint reads what CLIENT INFO answers. It is zero if that says nothing.
func parseEndpoint(info string) (e endpoint) {
	for _, field := range strings.Fields(strings.TrimPrefix(info, "txt:")) { // which says that it is text
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "id":
			e.ID, _ = strconv.ParseUint(value, 10, 64)
		case "addr":
			e.Address = value
		}
	}
	if e.ID == 0 || e.Address == "" {
		return endpoint{}
	}
	return e
}
