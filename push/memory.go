package push

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Memory is the Broker of one process.
type Memory struct {
	mu    sync.Mutex // guards the following, and the order of what is published
	links []*memoryLink

	history *rings // guarded by mu; nil until a node keeps some
}

// NewMemory makes a Broker for the Hubs of this process. It keeps history, in memory.
func NewMemory() *Memory { return &Memory{} }

// memoryLink is a node in a Memory.
type memoryLink struct {
	broker *Memory
	node   Node

	// Guarded by the broker's lock.
	topics map[Target]bool
	closed bool
}

// Join makes a node part of it. It never fails.
func (b *Memory) Join(n Node) (Link, error) {
	l := &memoryLink{broker: b, node: n, topics: make(map[Target]bool)}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.links = append(b.links, l)
	if n.Retain != nil {
		if b.history == nil {
			b.history = newRings(n.HistoryBytes)
		}
		b.history.most = max(b.history.most, n.HistoryBytes)
	}
	n.Do(func() { n.Linked(true) })
	return l, nil
}

func (l *memoryLink) Subscribe(to []Target, done func(error)) {
	done(l.change(to, true))
}

func (l *memoryLink) Unsubscribe(from []Target) {
	_ = l.change(from, false) // a closed link has none
}

func (l *memoryLink) change(topics []Target, wanted bool) error {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	for _, t := range topics {
		if wanted == l.topics[t] {
			continue
		}
		if wanted {
			l.topics[t] = true
		} else {
			delete(l.topics, t)
		}
		l.pinLocked(t, wanted)
	}
	return nil
}

// pinLocked has a target that is subscribed to keep its count.
func (l *memoryLink) pinLocked(t Target, wanted bool) {
	switch {
	case l.node.Retain == nil || !l.node.Retain(t).keeps():
	case wanted:
		l.broker.history.pin(t)
	default:
		l.broker.history.unpin(t)
	}
}

// Publish delivers at once if there is only one node. With several, a node's own publication is not ahead of others.
func (l *memoryLink) Publish(to []Target, p Publication, done func(r Receipt, err error)) {
	to, p.Data = slices.Clone(to), slices.Clone(p.Data)
	var receipt struct {
		others    atomic.Int64
		positions []Position // set where the order is made
	}
	var order func()
	if retain := l.node.Retain; retain != nil {
		order = func() { receipt.positions = l.broker.history.publish(to, p.Data, retain) }
	}
	err := l.carry(to, order, func(n Node, end func()) {
		placed := p
		placed.Positions = receipt.positions
		if reached := n.Deliver(to, placed); n.ID != l.node.ID {
			receipt.others.Add(int64(reached))
		}
		end()
	}, func() { done(Receipt{int(receipt.others.Load()), receipt.positions}, nil) })
	if err != nil {
		done(Receipt{}, err)
	}
}

// History reads it at once.
func (l *memoryLink) History(of Target, r Range, done func(History, error)) {
	var h History
	err := l.withHistory(func(s *rings) { h = s.read(of, l.node.Retain(of), r) })
	done(h, err)
}

// Forget does it at once.
func (l *memoryLink) Forget(of []Target, done func(error)) {
	done(l.withHistory(func(s *rings) { s.forget(of) }))
}

// withHistory does something with the history, if the node has any.
func (l *memoryLink) withHistory(f func(*rings)) error {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	switch {
	case l.closed:
		return ErrClosed
	case l.node.Retain == nil:
		return ErrNoHistory
	}
	f(l.broker.history)
	return nil
}

// Ask waits for every answer: nodes of one process have no reason to be late.
func (l *memoryLink) Ask(to []Target, question []byte, done func(answers [][]byte, err error)) {
	to, question = slices.Clone(to), slices.Clone(question)
	var mu sync.Mutex // guards answers
	var answers [][]byte
	err := l.carry(to, nil, func(n Node, end func()) {
		n.Answer(to, question, func(answer []byte) {
			mu.Lock()
			answers = append(answers, slices.Clone(answer))
			mu.Unlock()
			end()
		})
	}, func() { done(answers, nil) })
	if err != nil {
		done(nil, err)
	}
}

// carry runs f on the loop of each node that wants one of the targets, in one order for all of them. It runs done on
// this node's loop when each f has called end. If there is only one node, it runs f at once. It runs order before,
// unless that is nil: where the order is made, under the broker's lock.
func (l *memoryLink) carry(to []Target, order func(), f func(n Node, end func()), done func()) error {
	b := l.broker
	b.mu.Lock()
	if l.closed {
		b.mu.Unlock()
		return ErrClosed
	}
	if order != nil {
		order()
	}
	if len(b.links) == 1 {
		wanted := l.wants(to)
		b.mu.Unlock()
		if !wanted {
			done()
			return nil
		}
		f(l.node, done)
		return nil
	}
	defer b.mu.Unlock()
	var left atomic.Int64
	left.Store(1)
	end := func() {
		if left.Add(-1) == 0 {
			l.node.Do(done)
		}
	}
	for _, link := range b.links {
		if link.wants(to) {
			left.Add(1)
			if !link.node.Do(func() { link.unlessClosed(func() { f(link.node, end) }, end) }) {
				end()
			}
		}
	}
	end()
	return nil
}

// unlessClosed runs one of two functions.
func (l *memoryLink) unlessClosed(f, otherwise func()) {
	l.broker.mu.Lock()
	closed := l.closed
	l.broker.mu.Unlock()
	if closed {
		otherwise()
		return
	}
	f()
}

// wants reports whether one of the targets is subscribed to. The broker's lock is held.
func (l *memoryLink) wants(to []Target) bool {
	return slices.ContainsFunc(to, func(t Target) bool { return l.topics[t.Topic()] })
}

func (l *memoryLink) Close() {
	b := l.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if !l.closed {
		for t := range l.topics {
			l.pinLocked(t, false)
		}
	}
	l.closed = true
	for i, other := range b.links {
		if other == l {
			b.links = append(b.links[:i:i], b.links[i+1:]...)
			return
		}
	}
}
