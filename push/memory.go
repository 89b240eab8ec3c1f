package push

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Memory is the Broker of one process.
type Memory struct {
	mu      sync.Mutex // guards the following, and the order of what is published
	links   []*memoryLink
	several bool // there were several links: what is asked of presence may wait for the loop of the one that is left

	history *rings       // guarded by mu, as what follows; nil until a node keeps some
	commits *groupCommit // nil without a Journal
	roster  *roster      // nil until a node asks who is present
	replay  sharedReplay

	interest interest
	seats    seats
}

// NewMemory makes a Broker for the Hubs of this process, of which there are at most 64 at a time. It keeps history, in
// memory, and knows who is present.
func NewMemory() *Memory { return &Memory{} }

// memoryLink is a node in a Memory.
type memoryLink struct {
	broker *Memory
	node   Node
	bit    uint64 // in the broker's interest
	box    mailbox
	gone   atomic.Bool // as closed, for who has not the lock

	// Guarded by the broker's lock.
	leaving bool // a successor is to have the Journal
	closed  bool
}

// Kept is how much memory the history takes, and how many messages it has. It may be called from any goroutine.
func (b *Memory) Kept() (bytes, messages int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.history == nil {
		return 0, 0
	}
	return b.history.bytes, b.history.entries
}

// Join makes a node part of it. It fails if there are too many, with ErrLimit.
func (b *Memory) Join(n Node) (Link, error) {
	l := &memoryLink{broker: b, node: n}
	l.box.open, l.box.ask = l.openMail, l.askOthers
	b.mu.Lock()
	defer b.mu.Unlock()
	var err error
	if l.bit, err = b.interest.take(); err != nil {
		return nil, err
	}
	b.links = append(b.links, l)
	b.several = b.several || len(b.links) > 1
	if n.Retain != nil {
		if b.history == nil {
			b.history = newRings(n.HistoryBytes)
		}
		b.history.most = max(b.history.most, n.HistoryBytes)
		if b.commits == nil && n.Journal != nil {
			b.commits = newGroupCommit(b.history, n.Journal, n.Retain, b.exclusively, b.later)
		}
	}
	if n.Presence != nil && b.roster == nil {
		b.roster = newRoster()
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
		if l.broker.interest.set(t, l.bit, wanted) {
			l.pinLocked(t, wanted)
		}
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

// exclusively runs a function under the broker's lock.
func (b *Memory) exclusively(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
	return true
}

// later runs a function under the broker's lock, when who has it now has let it go.
func (b *Memory) later(f func()) bool {
	go b.exclusively(f)
	return true
}

// soon runs a function under the broker's lock, later on the node's loop.
func (l *memoryLink) soon(f func()) bool { return l.node.Do(func() { l.broker.exclusively(f) }) }

// History reads it, when what was published before is kept.
func (l *memoryLink) History(of Target, r Range, done func(History, error)) {
	var h History
	l.withHistory(step{}, func(s *rings) { h = s.read(of, l.node.Retain(of), r) }, func(err error) { done(h, err) })
}

// Forget does it, when what was published before is kept.
func (l *memoryLink) Forget(of []Target, done func(error)) {
	of = slices.Clone(of)
	l.withHistory(step{forget: of}, func(s *rings) { s.forget(of) }, done)
}

// withHistory does something with the history, if the node has any: at once or, with a Journal, in its turn.
func (l *memoryLink) withHistory(s step, f func(*rings), done func(error)) {
	b := l.broker
	b.mu.Lock()
	c := b.commits
	switch {
	case l.closed:
		b.mu.Unlock()
		done(ErrClosed)
	case l.node.Retain == nil:
		b.mu.Unlock()
		done(ErrNoHistory)
	case c != nil && (c.busy || s.forget != nil):
		defer b.mu.Unlock()
		s.turn = turnFunc(func(err error) {
			if err == nil {
				f(b.history)
			}
			l.mailLocked(mail{do: func() { done(err) }})
		})
		c.add(s, l.soon)
	default:
		f(b.history)
		b.mu.Unlock()
		done(nil)
	}
}

// Ask waits for every answer: nodes of one process have no reason to be late.
func (l *memoryLink) Ask(to []Target, question []byte, done func(answers [][]byte, err error)) {
	l.carry(&memoryQuestion{to: slices.Clone(to), question: slices.Clone(question), finish: done})
}

// memoryQuestion is a question under way.
type memoryQuestion struct {
	course
	to       []Target
	question []byte
	finish   func(answers [][]byte, err error)

	mu      sync.Mutex // guards the following
	answers [][]byte
}

func (q *memoryQuestion) targets() []Target { return q.to }

func (q *memoryQuestion) visit(n Node, end func()) {
	n.Answer(q.to, q.question, func(answer []byte) {
		q.mu.Lock()
		q.answers = append(q.answers, slices.Clone(answer))
		q.mu.Unlock()
		end()
	})
}

func (q *memoryQuestion) done(err error) {
	q.mu.Lock()
	answers := q.answers
	q.mu.Unlock()
	q.finish(answers, err)
}

// carriage is what nodes are to get in one order.
type carriage interface {
	targets() []Target
	way() *course

	// visit is called on the loop of each node that wants one of the targets.
	visit(n Node, end func())

	// done is called on the loop of the node that it is from, when each visit has called end.
	done(err error)
}

// carry visits nodes. If there was never more than one, and no Journal, it does so at once.
func (l *memoryLink) carry(x carriage) {
	b := l.broker
	b.mu.Lock()
	p, _ := x.(*memoryPublication)
	if l.node.Retain == nil {
		p = nil // no history is kept of it
	}
	switch c := b.commits; {
	case l.closed:
		b.mu.Unlock()
		x.done(ErrClosed)
		return
	case c != nil && (c.busy || p != nil && c.keeps(p.to)):
		defer b.mu.Unlock()
		l.commitLocked(x, p)
		return
	case p != nil:
		p.Positions = b.history.publish(p.to, p.Data, l.node.Retain)
	}
	if b.commits != nil || keptBy(x) != nil || !l.isIdleLocked() {
		defer b.mu.Unlock()
		l.visitLocked(x)
		return
	}
	wanting := b.interest.of(x.targets())
	shareForms(x, wanting)
	c := l.beginLocked(x, wanting&^l.bit)
	b.mu.Unlock()
	if wanting&l.bit != 0 {
		c.visitHere()
	}
	c.endHere()
}

// commitLocked carries in its turn: a publication that may be kept, when it is in the Journal. p is nil for others.
func (l *memoryLink) commitLocked(x carriage, p *memoryPublication) {
	if p != nil {
		p.lasts = true
	}
	s := step{turn: memoryTurn(func(at []Position, err error) {
		if err != nil {
			l.mailLocked(mail{do: func() { x.done(err) }})
			return
		}
		if p != nil {
			p.Positions = at
		}
		l.visitLocked(x)
	})}
	if p != nil {
		s.to, s.data = p.to, p.Data
	}
	l.broker.commits.add(s, l.soon)
}

// memoryTurn is a function that is called under the broker's lock.
type memoryTurn func(at []Position, err error)

func (f memoryTurn) take(at []Position, err error) { f(at, err) }

// visitLocked has the nodes be visited, each on its loop.
func (l *memoryLink) visitLocked(x carriage) {
	to := x.targets()
	if kept := keptBy(x); kept != nil {
		l.broker.visitingLocked(kept, to)
	}
	wanting := l.broker.interest.of(to)
	shareForms(x, wanting)
	c := l.beginLocked(x, wanting)
	if c.left.Add(-1) == 0 {
		c.overLocked()
	}
}

// beginLocked sends a carriage on its way to some links.
func (l *memoryLink) beginLocked(x carriage, to uint64) *course {
	c := x.way()
	c.begin(x, l)
	if to == 0 {
		return c
	}
	for _, link := range l.broker.links {
		if to&link.bit != 0 {
			c.left.Add(1)
			l.sendLocked(link, mail{course: c})
		}
	}
	return c
}

// keptBy is what of a carriage is to be kept for connections that come back; nil: nothing.
func keptBy(x carriage) *sharedKept {
	if p, ok := x.(*memoryPublication); ok {
		return p.kept
	}
	return nil
}

// Close has all nodes leave, as Link.Close does for one. It may be called from any goroutine.
func (b *Memory) Close() {
	b.mu.Lock()
	links := b.links // never changed in place by Close
	b.mu.Unlock()
	for _, l := range links {
		l.Close()
	}
}

func (l *memoryLink) Close() {
	b := l.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	if !l.closed {
		for _, t := range b.interest.release(l.bit) {
			l.pinLocked(t, false)
		}
		l.leaveSeatsLocked()
	}
	l.closed = true
	l.gone.Store(true)
	b.links = slices.DeleteFunc(slices.Clone(b.links), func(other *memoryLink) bool { return other == l })
	l.departLocked()
	if len(b.links) == 0 && b.commits != nil {
		b.commits.close()
	}
}

// passOn has a successor have the Journal, when all nodes want that.
func (l *memoryLink) passOn() {
	b := l.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	l.leaving = true
	if b.commits != nil && !slices.ContainsFunc(b.links, func(other *memoryLink) bool { return !other.leaving }) {
		b.commits.leave()
	}
}
