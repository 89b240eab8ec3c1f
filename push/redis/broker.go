package redis

import (
	"fmt"
	"sync"
	"time"

	"github.com/lineman-go/lineman/push"
)

// Broker is a push.Broker. Its methods may be called from any goroutine.
type Broker struct {
	options  Options
	names    names
	counters counters
	gone     sync.WaitGroup // of every link
	stirred  chan struct{}  // gets a value, if it has room, when settle may have something to do

	mu    sync.Mutex // guards the following
	links []*link
}

var _ push.Broker = (*Broker)(nil)

// New makes a Broker. It connects when a node joins; an error is about the options.
func New(o Options) (*Broker, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	return &Broker{
		options: o, names: names{prefix: o.Prefix, partitions: o.Partitions}, stirred: make(chan struct{}, 1),
	}, nil
}

// Join makes a node part of the cluster. It returns at once, and connects until it succeeds: a server that is away is
// no error. Nor is a cluster whose nodes have other settings: the log names them, and the node is linked when they are
// gone.
func (b *Broker) Join(n push.Node) (push.Link, error) {
	if n.ID == "" || len(n.ID) > push.MaxName {
		return nil, fmt.Errorf("redis: the id of a node has %d bytes: want 1 to %d", len(n.ID), push.MaxName)
	}
	l := newLink(b, n)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.links = append(b.links, l)
	b.gone.Add(1)
	go func() {
		defer b.gone.Done()
		l.run()
		b.forget(l)
	}()
	return l, nil
}

func (b *Broker) forget(l *link) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, other := range b.links {
		if other == l {
			b.links = append(b.links[:i:i], b.links[i+1:]...)
			return
		}
	}
}

// leaveWithin is how long a link that is closed may take to tell the others, and again for each part of what it is
// subscribed to, unless a successor has its node.
const leaveWithin = time.Second

// Wait returns when every link that was closed has left, or when the server has not answered it for a second. Then the
// others know that its node is gone, and nothing of it is left running. A link whose node a successor has leaves when
// that has everything, after 10 seconds at the latest, and has 10 seconds for an answer. While a link is open, Wait
// waits.
func (b *Broker) Wait() { b.gone.Wait() }

// Stats tells how it is.
func (b *Broker) Stats() Stats {
	s := b.counters.stats()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.links {
		s.Waiting += l.inbox.size()
		for _, shard := range l.shards {
			s.Unsent += shard.outbox.size()
		}
	}
	return s
}
