package redis

import (
	"maps"
	"slices"
	"sync"

	"github.com/lineman-go/lineman/push"
)

// maxWaiting is how many bytes may wait to be sent, and as many may wait for the loop.
const maxWaiting = 64 << 20

// op is something that a shard is to do.
type op struct {
	kind opKind

	topics []push.Target   // to subscribe to, or not any more
	done   func(err error) // of a subscription, called on the loop

	channels []string // to publish to
	payload  []byte
	seq      uint64 // of what waits for the number of arrivals; 0: nothing does
	enough   int    // arrivals with which all is reached, whoever else is missing; 0: that is not known

	places []place // that it gets in histories, which keep
	data   int     // this many bytes, the last ones of the payload

	query *query // to be asked

	sayings []saying // to be said

	renewal *renewal // to go on with
}

type opKind uint8

const (
	subscribe opKind = iota
	unsubscribe
	publish
	ask
	say
	renew
)

// isSent reports whether it goes over the connection that publishes, with others.
func (k opKind) isSent() bool { return k >= publish && k < renew }

// isChange reports whether it changes what is subscribed to.
func (k opKind) isChange() bool { return k < publish }

// isAnswer reports whether nothing that was asked before has to be done before it.
func (p *op) isAnswer() bool { return p.kind == publish && p.seq == 0 }

// dependsOn reports whether it has to be done after these topics have changed.
func (p *op) dependsOn(changed map[string]bool, topic func(push.Target) string) bool {
	is := func(channel string) bool { return changed[channel] }
	switch p.kind {
	case publish:
		return slices.ContainsFunc(p.channels, is)
	case say:
		return slices.ContainsFunc(p.sayings, func(s saying) bool { return is(topic(s.in.Topic())) })
	}
	return len(changed) > 0
}

// outbox is the send queue of a shard: what it is to do, in order, and what it is to be subscribed to.
type outbox struct {
	wake chan struct{} // has one when there is something to do
	stir func()        // called when something was done

	mu      sync.Mutex // guards the following
	wanted  map[push.Target]struct{}
	seats   map[seat]saying // what was said last, of each that the node has
	said    uint64          // sayings
	ops     []op
	doing   []op // that were taken and are not done
	waiting int  // bytes of payload
	open    bool // there is a connection, or will be at once
}

func newOutbox(stir func()) *outbox {
	return &outbox{
		wake: make(chan struct{}, 1), stir: stir, wanted: make(map[push.Target]struct{}),
		seats: make(map[seat]saying),
	}
}

// outcome is what became of an op that was put into an outbox.
type outcome uint8

const (
	taken outcome = iota
	shut
	full
)

// put takes an op to be done. A subscription is remembered in any case.
func (o *outbox) put(p op) outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch p.kind {
	case subscribe:
		for _, t := range p.topics {
			o.wanted[t] = struct{}{}
		}
	case unsubscribe:
		for _, t := range p.topics {
			delete(o.wanted, t)
		}
	case say:
		o.rememberLocked(p.sayings)
	}
	if !o.open {
		return shut
	}
	if p.kind == publish && o.waiting+len(p.payload) > maxWaiting {
		return full
	}
	if !o.joinLocked(p) {
		o.ops = append(o.ops, p)
	}
	o.waiting += len(p.payload)
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return taken
}

// joinLocked adds what is said to what is said before it, and reports whether that could be done.
func (o *outbox) joinLocked(p op) bool {
	if p.kind != say || len(o.ops) == 0 {
		return false
	}
	last := &o.ops[len(o.ops)-1]
	if last.kind != say || len(last.sayings)+len(p.sayings) > atATime {
		return false
	}
	last.sayings = append(last.sayings, p.sayings...)
	return true
}

// rememberLocked notes what the node says, and what of it the server may not know.
func (o *outbox) rememberLocked(all []saying) {
	for i := range all {
		s := &all[i]
		if !s.here {
			delete(o.seats, s.seat)
			continue
		}
		o.said++
		s.number, s.fresh = o.said, s.info != nil
		if before, known := o.seats[s.seat]; known && s.info == nil {
			s.info, s.fresh = before.info, before.fresh
		}
		o.seats[s.seat] = *s
	}
}

// known notes that the server knows what was said.
func (o *outbox) known(all []saying) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range all {
		if now, is := o.seats[s.seat]; is && now.number == s.number {
			now.fresh = false
			o.seats[s.seat] = now
		}
	}
}

// present is what the node has said, of each that it has.
func (o *outbox) present() []saying {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make([]saying, 0, len(o.seats))
	for _, s := range o.seats {
		all = append(all, s)
	}
	return all
}

// take gives what is to be done. Who has done it calls finished.
func (o *outbox) take() []op {
	o.mu.Lock()
	defer o.mu.Unlock()
	ops := o.ops
	o.ops, o.doing, o.waiting = nil, ops, 0
	return ops
}

// early takes what may be done before what is wanted is subscribed to: answers, and what does not depend on a change of
// subscriptions that waits, nor comes behind something that does.
func (o *outbox) early(topic func(push.Target) string) []op {
	o.mu.Lock()
	defer o.mu.Unlock()
	var ops, later []op
	changed, waits := make(map[string]bool), false
	for _, p := range o.ops {
		switch {
		case p.kind.isChange():
			for _, t := range p.topics {
				changed[topic(t)] = true
			}
			later = append(later, p)
		case p.isAnswer():
			ops = append(ops, p)
		case waits || p.dependsOn(changed, topic):
			waits = true
			later = append(later, p)
		default:
			ops = append(ops, p)
		}
	}
	o.ops, o.doing = later, ops
	return ops
}

// giveBack has what was taken and not done be done again, before all else.
func (o *outbox) giveBack(ops []op) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ops, o.doing = append(slices.Clip(ops), o.ops...), nil
}

// finished notes that what was taken is done, or never will be, and that the loop is told.
func (o *outbox) finished() {
	o.mu.Lock()
	o.doing = nil
	o.mu.Unlock()
	o.stir()
}

// owes reports whether there is something to do beside publishing.
func (o *outbox) owes() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	other := func(p op) bool { return p.kind != publish }
	return slices.ContainsFunc(o.ops, other) || slices.ContainsFunc(o.doing, other)
}

// hold opens the outbox before there is a connection.
func (o *outbox) hold() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open = true
}

// start opens the outbox, and gives what is to be subscribed to first, and the subscriptions that hold then.
func (o *outbox) start() (wanted []push.Target, subscriptions []op) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open = true
	wanted = slices.Collect(maps.Keys(o.wanted))
	var others []op
	for _, p := range o.ops {
		if p.kind.isChange() {
			subscriptions = append(subscriptions, p)
		} else {
			others = append(others, p)
		}
	}
	o.ops, o.doing = others, subscriptions
	return wanted, subscriptions
}

// stop shuts the outbox, and gives what will not be done.
func (o *outbox) stop() []op {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open = false
	ops := o.ops
	o.ops, o.doing, o.waiting = nil, append(o.doing, ops...), 0
	return ops
}

// topics are what is to be subscribed to.
func (o *outbox) topics() []push.Target {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Collect(maps.Keys(o.wanted))
}

// wants reports whether a topic is to be subscribed to.
func (o *outbox) wants(t push.Target) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.wanted[t]
	return ok
}

// size is how many bytes were put in and have not been taken out.
func (o *outbox) size() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.waiting
}
