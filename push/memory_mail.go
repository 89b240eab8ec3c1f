package push

import "sync/atomic"

// mail is something that a node of a Memory is to do on its loop, in its place in the order: to be visited by a course,
// or anything else.
type mail struct {
	course *course
	do     func() // nil: it is a visit
}

// mailbox has the mail of a node. What is put in while the broker's lock is held, the loop gets in that order, all that
// waits by one function. What it does behind that is to hear that all visits of its own courses are over.
//
//	Publish ── put ──▶ waiting of others ── end of the tick: one function for each loop ──▶ visits
//	its done ◀── one function ── over of the node ◀── all together ── visits that were the last
type mailbox struct {
	waiting []mail        // guarded by the broker's lock
	over    []*course     // of the node, and it was not told yet; likewise
	opened  bool          // the loop has been asked, or is to be; likewise
	others  []*memoryLink // whose loops are to be asked at the end of the tick; likewise

	// Owned by the loop.
	taken []mail
	next  int           // of taken; at its end there is nothing under way
	told  []*course     // that were over when the mail was taken
	heard int           // of told, as next
	ended []*course     // whose last visit was here, and whose nodes were not told yet
	kept  []*sharedKept // that were delivered here since

	open, ask func() // of the link; made once
}

// putLocked puts something into the mailbox, and reports whether the loop is to be asked to open it.
func (l *memoryLink) putLocked(m mail) (ask bool) {
	l.box.waiting = append(l.box.waiting, m)
	return l.box.fillLocked()
}

// fillLocked notes that there is something in the mailbox, and reports whether the loop is to be asked to open it.
func (b *mailbox) fillLocked() (ask bool) {
	ask = !b.opened
	b.opened = true
	return ask
}

// mailLocked puts something into the mailbox, and asks the loop at once. It returns false if that has ended.
func (l *memoryLink) mailLocked(m mail) bool { return !l.putLocked(m) || l.node.Do(l.box.open) }

// overLocked has the node of a course hear that all its visits are over.
func (c *course) overLocked() {
	b := &c.from.box
	if b.over = append(b.over, c); b.fillLocked() {
		c.from.node.Do(b.open)
	}
}

// sendLocked puts something into the mailbox of another node. Its loop is asked at the end of the tick: what is
// published in a tick wakes it once.
func (l *memoryLink) sendLocked(to *memoryLink, m mail) {
	if !to.putLocked(m) {
		return
	}
	if l.box.others = append(l.box.others, to); len(l.box.others) == 1 && !l.node.Do(l.box.ask) {
		l.box.others = nil
		to.node.Do(to.box.open)
	}
}

// askOthers asks the loops of other nodes to open their mailboxes.
func (l *memoryLink) askOthers() {
	l.broker.mu.Lock()
	others := l.box.others
	l.box.others = nil
	l.broker.mu.Unlock()
	for _, other := range others {
		if !other.node.Do(other.box.open) {
			other.refuseMail()
		}
	}
}

// refuseMail ends the visits that wait for a loop that has ended.
func (l *memoryLink) refuseMail() {
	l.broker.mu.Lock()
	waiting := l.box.waiting
	l.box.waiting = nil
	l.broker.mu.Unlock()
	for _, m := range waiting {
		if m.course != nil {
			m.course.end()
		}
	}
}

// isIdleLocked reports whether everything that has been put in was done. On the loop.
func (l *memoryLink) isIdleLocked() bool {
	return len(l.box.waiting) == 0 && l.box.next == len(l.box.taken)
}

// openMail does what waits. If something panics, the rest is done later.
func (l *memoryLink) openMail() {
	b := &l.box
	defer func() {
		if b.next < len(b.taken) || b.heard < len(b.told) {
			l.node.Do(b.open)
		}
		l.tellEnded()
	}()
	l.doTaken() // what a panic has left
	l.broker.mu.Lock()
	b.taken, b.waiting, b.next = b.waiting, b.taken, 0
	b.told, b.over, b.heard = b.over, b.told, 0
	b.opened = false
	l.broker.mu.Unlock()
	l.doTaken()
}

// keepMail is for how much a mailbox keeps room between two ticks.
const keepMail = 4096

func (l *memoryLink) doTaken() {
	b := &l.box
	for b.next < len(b.taken) {
		m := b.taken[b.next]
		b.next++
		if m.do != nil {
			m.do()
		} else {
			l.visit(m.course)
		}
	}
	for b.heard < len(b.told) {
		c := b.told[b.heard]
		b.heard++
		c.done(nil)
	}
	b.taken, b.told = emptied(b.taken), emptied(b.told)
	b.next, b.heard = 0, 0
}

// emptied is the room of a list for the next one.
func emptied[T any](list []T) []T {
	if cap(list) > keepMail {
		return nil
	}
	clear(list)
	return list[:0]
}

// visit has a course do what it does on this node.
func (l *memoryLink) visit(c *course) {
	p, published := c.carriage.(*memoryPublication)
	if published && p.kept != nil {
		l.box.kept = append(l.box.kept, p.kept)
	}
	switch {
	case l.gone.Load():
		l.visitOver(c)
	case published:
		p.deliver(l.node)
		l.visitOver(c)
	default:
		c.visit(l.node, c.end)
	}
}

// visitOver ends a visit. Who is to hear that it was the last is told when the mail is done.
func (l *memoryLink) visitOver(c *course) {
	if c.left.Add(-1) == 0 {
		l.box.ended = append(l.box.ended, c)
	}
}

// tellEnded has the nodes hear of the courses that are over. Only then are messages that are kept no longer on their
// way: see endReplay.
func (l *memoryLink) tellEnded() {
	ended, kept := l.box.ended, l.box.kept
	if len(ended)+len(kept) == 0 {
		return
	}
	l.broker.mu.Lock()
	for _, c := range ended {
		c.overLocked()
	}
	for _, k := range kept {
		k.inFlight &^= l.bit
	}
	l.broker.mu.Unlock()
	l.box.ended, l.box.kept = emptied(ended), nil
}

// course is the way of a carriage, which is a part of it.
type course struct {
	carriage
	from *memoryLink
	left atomic.Int64 // visits, and 1 until all are known
}

func (c *course) way() *course { return c }

// begin is called before the first visit.
func (c *course) begin(x carriage, from *memoryLink) {
	c.carriage, c.from = x, from
	c.left.Store(1)
}

// visitHere does what the course does on the node that it is from, where that has nothing else to do before.
func (c *course) visitHere() {
	c.left.Add(1)
	if p, published := c.carriage.(*memoryPublication); published {
		p.deliver(c.from.node)
		c.endHere()
	} else {
		c.visit(c.from.node, c.endHere)
	}
}

// endHere is end where the node is told at once.
func (c *course) endHere() {
	if c.left.Add(-1) == 0 {
		c.done(nil)
	}
}

// end ends a visit, on the loop of any node.
func (c *course) end() {
	if c.left.Add(-1) > 0 {
		return
	}
	c.from.broker.mu.Lock()
	defer c.from.broker.mu.Unlock()
	c.overLocked()
}
