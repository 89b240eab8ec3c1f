package push

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Publish delivers on the node itself at once, unless there is a Journal, or something else comes before: with several
// nodes, a node's own publication is not ahead of others.
func (l *memoryLink) Publish(to []Target, p Publication, done func(r Receipt, err error)) {
	if !l.publishHere(to, p, done) {
		l.carry(newMemoryPublication(to, p, done))
	}
}

// publishHere delivers what concerns no other node, without a copy, and reports whether it did. It does not where
// something comes before.
func (l *memoryLink) publishHere(to []Target, p Publication, done func(r Receipt, err error)) bool {
	b := l.broker
	b.mu.Lock()
	wanting := b.interest.of(to)
	if l.closed || b.commits != nil || p.kept != nil || wanting&^l.bit != 0 || !l.isIdleLocked() {
		b.mu.Unlock()
		return false
	}
	if l.node.Retain != nil {
		p.Positions = b.history.publish(to, p.Data, l.node.Retain)
	}
	b.mu.Unlock()
	if wanting != 0 {
		l.node.Deliver(to, p)
	}
	done(Receipt{Positions: p.Positions}, nil)
	return true
}

// memoryPublication is a publication under way. Its Positions are set where the order is made. It is its node's until
// it is carried, and again when all visits are over.
type memoryPublication struct {
	course
	Publication
	to     []Target
	others atomic.Int64
	finish func(r Receipt, err error)
	lasts  bool // its data is kept by others: it is not used again
}

// memoryPublications are free. They have room for the next one's targets and data.
var memoryPublications = sync.Pool{New: func() any { return new(memoryPublication) }}

// newMemoryPublication copies what is on loan.
func newMemoryPublication(to []Target, p Publication, done func(r Receipt, err error)) *memoryPublication {
	m := memoryPublications.Get().(*memoryPublication)
	data := append(m.Data[:0], p.Data...)
	m.Publication, m.to, m.finish = p, append(m.to[:0], to...), done
	m.Data = data
	m.lasts = p.kept != nil
	return m
}

// free leaves it to another publication, when nobody needs it any more.
func (p *memoryPublication) free() {
	if p.lasts || cap(p.Data) > keepData || cap(p.to) > keepTargets {
		return
	}
	clear(p.to)
	*p = memoryPublication{Publication: Publication{Data: p.Data[:0]}, to: p.to[:0]}
	memoryPublications.Put(p)
}

// What a free memoryPublication may keep room for.
const (
	keepData    = 4 << 10 // bytes
	keepTargets = 16
)

// shareForms has the nodes share the forms of a publication that several of them get.
func shareForms(x carriage, links uint64) {
	if p, published := x.(*memoryPublication); published && bits.OnesCount64(links) > 1 {
		p.forms = new(Forms)
	}
}

func (p *memoryPublication) targets() []Target { return p.to }

func (p *memoryPublication) visit(n Node, end func()) {
	p.deliver(n)
	end()
}

func (p *memoryPublication) deliver(n Node) {
	if reached := n.Deliver(p.to, p.Publication); n.ID != p.Node {
		p.others.Add(int64(reached))
	}
}

func (p *memoryPublication) done(err error) {
	finish, r := p.finish, Receipt{int(p.others.Load()), p.Positions}
	p.free()
	finish(r, err)
}
