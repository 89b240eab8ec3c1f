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
}

// NewMemory makes a Broker for the Hubs of this process.
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
		if wanted {
			l.topics[t] = true
		} else {
			delete(l.topics, t)
		}
	}
	return nil
}

// Publish delivers at once where there is one node only. Otherwise it posts to each node under the lock, so that all have one order;
// its own is not ahead of them.
func (l *memoryLink) Publish(to []Target, p Publication, done func(others int, err error)) {
	b := l.broker
	b.mu.Lock()
	switch {
	case l.closed:
		b.mu.Unlock()
		done(0, ErrClosed)
		return
	case len(b.links) == 1:
		wanted := l.wants(to)
		b.mu.Unlock()
		if wanted {
			l.node.Deliver(to, p)
		}
		done(0, nil)
		return
	}
	defer b.mu.Unlock()
	to, p.Data = slices.Clone(to), slices.Clone(p.Data)
	d := &delivery{publisher: l.node, done: done}
	d.left.Store(1)
	for _, link := range b.links {
		if link.wants(to) {
			d.left.Add(1)
			if !link.node.Do(func() { d.deliver(link, to, p) }) {
				d.end()
			}
		}
	}
	d.end()
}

// delivery counts what one publication reaches.
type delivery struct {
	publisher Node
	done      func(others int, err error)
	left      atomic.Int64
	others    atomic.Int64
}

// deliver runs on a node's loop.
func (d *delivery) deliver(link *memoryLink, to []Target, p Publication) {
	defer d.end()
	link.broker.mu.Lock()
	closed := link.closed
	link.broker.mu.Unlock()
	if closed {
		return
	}
	if n := link.node.Deliver(to, p); link.node.ID != d.publisher.ID {
		d.others.Add(int64(n))
	}
}

// end calls done when every node has been.
func (d *delivery) end() {
	if d.left.Add(-1) == 0 {
		d.publisher.Do(func() { d.done(int(d.others.Load()), nil) })
	}
}

// wants reports whether one of the targets is subscribed to. The broker's lock is held.
func (l *memoryLink) wants(to []Target) bool {
	return slices.ContainsFunc(to, func(t Target) bool { return l.topics[t.Topic()] })
}

func (l *memoryLink) Close() {
	b := l.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	l.closed = true
	for i, other := range b.links {
		if other == l {
			b.links = append(b.links[:i:i], b.links[i+1:]...)
			return
		}
	}
}
