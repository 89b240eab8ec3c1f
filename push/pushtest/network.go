package pushtest

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/lineman-go/lineman/push"
)

// A Network is a Broker as one over a network is: slow, each link by itself, and broken from time to time. It loses
// what it carries while a link is down.
type Network struct {
	mu    sync.Mutex // guards the following, and the order of what is published
	links []*networkLink
	jobs  map[*job]bool // under way
	wait  sync.WaitGroup

	history  *Reference // guarded by mu
	presence Attendance // likewise
}

// NewNetwork makes a Network whose links are up. It keeps history, and knows who is present.
func NewNetwork() *Network {
	return &Network{jobs: make(map[*job]bool), history: NewReference("network", time.Now)}
}

// networkLink is a node's link: what goes over it goes in order, after a time of its own.
type networkLink struct {
	network *Network
	node    push.Node
	out, in *pipe

	wanted []push.Target // by the node, in order. Owned by the node's loop.
	said   []entrance    // likewise
	closed bool          // likewise

	// Guarded by the network's lock.
	topics map[push.Target]bool // as the network knows
	down   bool
}

// Join makes a node part of it.
func (w *Network) Join(n push.Node) (push.Link, error) {
	l := &networkLink{
		network: w, node: n, topics: make(map[push.Target]bool), out: newPipe(&w.wait), in: newPipe(&w.wait),
	}
	w.mu.Lock()
	w.links = append(w.links, l)
	w.mu.Unlock()
	l.in.send(func() { n.Do(func() { n.Linked(true) }) })
	return l, nil
}

// Cut breaks every link.
func (w *Network) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.links {
		l.down = true
		l.topics = make(map[push.Target]bool)
		w.presence.Gone(l.node.ID, func(push.Target, push.PresenceEvent) {}) // nobody can be told
		for e := range w.jobs {
			e.finish(push.ErrUnanswered)
		}
		clear(w.jobs)
		l.in.send(func() { l.node.Do(func() { l.node.Linked(false) }) })
	}
}

// Mend makes every link again: each subscribes to what its node wants.
func (w *Network) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.links {
		l.node.Do(func() {
			wanted, said := slices.Clone(l.wanted), slices.Clone(l.said)
			l.out.send(func() {
				w.mu.Lock()
				defer w.mu.Unlock()
				l.down = false
				for _, t := range wanted {
					l.topics[t] = true
				}
				for _, e := range said {
					w.tellLocked(e.in, w.presence.Enter(l.node.ID, e.in, e.uid, e.info))
				}
				l.in.send(func() { l.node.Do(func() { l.node.Linked(true) }) })
			})
		})
	}
}

// End waits until nothing is under way. The loops of its nodes must live.
func (w *Network) End() {
	w.mu.Lock()
	for _, l := range w.links {
		l.out.close()
		l.in.close()
	}
	w.mu.Unlock()
	w.wait.Wait()
}

func (l *networkLink) Subscribe(topics []push.Target, done func(error)) {
	if l.closed {
		done(push.ErrClosed)
		return
	}
	l.wanted = append(l.wanted, topics...)
	l.out.send(func() {
		err := l.network.change(l, topics, true)
		l.in.send(func() { l.node.Do(func() { done(err) }) })
	})
}

func (l *networkLink) Unsubscribe(topics []push.Target) {
	l.wanted = slices.DeleteFunc(l.wanted, func(t push.Target) bool { return slices.Contains(topics, t) })
	l.out.send(func() { _ = l.network.change(l, topics, false) }) // a link that is down forgets them by itself
}

func (w *Network) change(l *networkLink, topics []push.Target, wanted bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l.down {
		return push.ErrUnlinked
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

func (l *networkLink) Publish(to []push.Target, p push.Publication, done func(r push.Receipt, err error)) {
	to, p.Data = slices.Clone(to), slices.Clone(p.Data)
	keep := make([]push.Retention, len(to))
	for i, t := range to {
		keep[i] = l.retain(t)
	}
	var r push.Receipt
	l.send(to, func() {
		p.Positions = l.network.history.Publish(to, p.Data, keep)
		r.Positions = p.Positions
	}, func(taker *networkLink, back func(func())) {
		n := taker.node.Deliver(to, p)
		back(func() {
			if taker != l {
				r.Others += n
			}
		})
	}, func(err error) { done(r, err) })
}

// retain is what the node keeps of a target.
func (l *networkLink) retain(t push.Target) push.Retention {
	if l.node.Retain == nil {
		return push.Retention{}
	}
	return l.node.Retain(t)
}

// History is that of push.HistoryLink.
func (l *networkLink) History(of push.Target, r push.Range, done func(push.History, error)) {
	keep := l.retain(of)
	var h push.History
	l.visit(func() { h = l.network.history.Read(of, keep, r) }, func(err error) { done(h, err) })
}

// Forget is that of push.HistoryLink.
func (l *networkLink) Forget(of []push.Target, done func(error)) {
	of = slices.Clone(of)
	l.visit(func() { l.network.history.Forget(of) }, done)
}

// visit does something where all is kept, and comes back.
func (l *networkLink) visit(do func(), done func(error)) {
	if l.closed {
		done(push.ErrClosed)
		return
	}
	w := l.network
	l.out.send(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		e := &job{from: l, done: done}
		if l.down {
			e.finish(push.ErrUnlinked)
			return
		}
		do()
		e.finish(nil)
	})
}

func (l *networkLink) Ask(to []push.Target, question []byte, done func(answers [][]byte, err error)) {
	to, question = slices.Clone(to), slices.Clone(question)
	var answers [][]byte
	l.send(to, func() {}, func(taker *networkLink, back func(func())) {
		taker.node.Answer(to, question, func(answer []byte) {
			answer = slices.Clone(answer)
			back(func() { answers = append(answers, answer) })
		})
	}, func(err error) { done(answers, err) })
}

// job is something that nodes are to do. Guarded by the network's lock.
type job struct {
	from *networkLink
	left int         // nodes that have not come back
	done func(error) // nil once it was called
}

// finish tells who has sent it, once.
func (e *job) finish(err error) {
	if done := e.done; done != nil {
		e.done = nil
		e.from.in.send(func() { e.from.node.Do(func() { done(err) }) })
	}
}

// send has each node that wants one of the targets do something on its loop and come back with what collects the
// result, and calls done when all have, or the link breaks. It calls order before, where their order is made.
func (l *networkLink) send(
	to []push.Target, order func(), do func(taker *networkLink, back func(collect func())), done func(error),
) {
	if l.closed {
		done(push.ErrClosed)
		return
	}
	w, e := l.network, &job{from: l, done: done}
	l.out.send(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if l.down {
			e.finish(push.ErrUnlinked)
			return
		}
		order()
		takers := w.takersLocked(to)
		if len(takers) == 0 {
			e.finish(nil)
			return
		}
		w.jobs[e], e.left = true, len(takers)
		for _, taker := range takers {
			back := func(collect func()) { taker.out.send(func() { w.back(e, collect) }) }
			taker.in.send(func() {
				taker.node.Do(func() {
					if taker.closed {
						back(func() {})
					} else {
						do(taker, back)
					}
				})
			})
		}
	})
}

// back takes the result of a node, unless it is too late.
func (w *Network) back(e *job, collect func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.done == nil {
		return
	}
	collect()
	if e.left--; e.left == 0 {
		e.finish(nil)
		delete(w.jobs, e)
	}
}

// takersLocked are the links that want one of some targets, with lock held.
func (w *Network) takersLocked(to []push.Target) (links []*networkLink) {
	for _, l := range w.links {
		if !l.down && slices.ContainsFunc(to, func(t push.Target) bool { return l.topics[t.Topic()] }) {
			links = append(links, l)
		}
	}
	return links
}

func (l *networkLink) Close() {
	l.closed = true
	l.out.send(func() {
		l.network.mu.Lock()
		defer l.network.mu.Unlock()
		l.topics = make(map[push.Target]bool)
		l.network.presence.Gone(l.node.ID, func(in push.Target, e push.PresenceEvent) {
			l.network.tellLocked(in, []push.PresenceEvent{e})
		})
	})
}

// pipe runs functions in order, each after a little time.
type pipe struct {
	mu     sync.Mutex // guards the following
	cond   sync.Cond
	queue  []func()
	closed bool
}

func newPipe(wait *sync.WaitGroup) *pipe {
	p := &pipe{}
	p.cond.L = &p.mu
	wait.Add(1)
	go func() {
		defer wait.Done()
		p.run()
	}()
	return p
}

func (p *pipe) send(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, f)
	p.cond.Signal()
}

func (p *pipe) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.cond.Signal()
}

func (p *pipe) run() {
	for {
		p.mu.Lock()
		for len(p.queue) == 0 && !p.closed {
			p.cond.Wait()
		}
		queue := p.queue
		p.queue = nil
		p.mu.Unlock()
		if len(queue) == 0 {
			return
		}
		for _, f := range queue {
			if rand.IntN(8) == 0 {
				time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond) // the network's delay
			}
			f()
		}
	}
}
