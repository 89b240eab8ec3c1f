package push

import (
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
	topics map[string]bool
	closed bool
}

// Join makes a node part of it. It never fails.
func (b *Memory) Join(n Node) (Link, error) {
	l := &memoryLink{broker: b, node: n, topics: make(map[string]bool)}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.links = append(b.links, l)
	n.Do(func() { n.Linked(true) })
	return l, nil
}

func (l *memoryLink) Subscribe(topics []string, done func(error)) {
	done(l.change(topics, true))
}

func (l *memoryLink) Unsubscribe(topics []string) {
	_ = l.change(topics, false) // a closed link has none
}

func (l *memoryLink) change(topics []string, wanted bool) error {
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
func (l *memoryLink) Publish(topic string, p Publication, done func(others int, err error)) {
	b := l.broker
	b.mu.Lock()
	switch {
	case l.closed:
		b.mu.Unlock()
		done(0, ErrClosed)
		return
	case len(b.links) == 1:
		subscribed := l.topics[topic]
		b.mu.Unlock()
		if subscribed {
			l.node.Deliver(topic, p)
		}
		done(0, nil)
		return
	}
	defer b.mu.Unlock()
	d := &delivery{publisher: l.node, done: done}
	d.left.Store(1)
	for _, to := range b.links {
		if to.topics[topic] {
			d.left.Add(1)
			if !to.node.Do(func() { d.deliver(to, topic, p) }) {
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
func (d *delivery) deliver(to *memoryLink, topic string, p Publication) {
	defer d.end()
	if !to.wants(topic) {
		return
	}
	if n := to.node.Deliver(topic, p); to.node.ID != d.publisher.ID {
		d.others.Add(int64(n))
	}
}

// end calls done when every node has been.
func (d *delivery) end() {
	if d.left.Add(-1) == 0 {
		d.publisher.Do(func() { d.done(int(d.others.Load()), nil) })
	}
}

// wants reports whether a topic is still subscribed to.
func (l *memoryLink) wants(topic string) bool {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	return !l.closed && l.topics[topic]
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
