package push

import "sync/atomic"

// mail is something that a node of a Memory is to do on its loop: a visit, or anything else that has its place in the
// order.
type mail struct {
	visit carriage
	end   func() // of the visit
	do    func() // nil: it is a visit
}

// mailbox has the mail of a node. What is put in while the broker's lock is held, the loop gets in that order, all that
// waits by one function.
type mailbox struct {
	waiting []mail // guarded by the broker's lock

	// Owned by the loop.
	taken []mail
	next  int    // of taken; at its end there is nothing under way
	open  func() // of the link; made once
}

// mailLocked puts something into the mailbox. It returns false if the loop has ended.
func (l *memoryLink) mailLocked(m mail) bool {
	b := &l.box
	b.waiting = append(b.waiting, m)
	if len(b.waiting) > 1 || l.node.Do(b.open) {
		return true
	}
	b.waiting = nil
	return false
}

// isIdleLocked reports whether everything that has been put in was done. On the loop.
func (l *memoryLink) isIdleLocked() bool {
	return len(l.box.waiting) == 0 && l.box.next == len(l.box.taken)
}

// openMail does what waits. If something panics, the rest is done later.
func (l *memoryLink) openMail() {
	b := &l.box
	defer func() {
		if b.next < len(b.taken) {
			l.node.Do(b.open)
		}
	}()
	l.doTaken() // what a panic has left
	l.broker.mu.Lock()
	b.taken, b.waiting, b.next = b.waiting, b.taken[:0], 0
	l.broker.mu.Unlock()
	l.doTaken()
	clear(b.taken)
	if b.taken, b.next = b.taken[:0], 0; cap(b.taken) > keepMail {
		b.taken = nil
	}
}

// keepMail is how many visits a mailbox keeps room for between two ticks.
const keepMail = 1024

func (l *memoryLink) doTaken() {
	b := &l.box
	for b.next < len(b.taken) {
		m := b.taken[b.next]
		b.next++
		switch {
		case m.do != nil:
			m.do()
		case l.gone.Load():
			m.end()
		default:
			m.visit.visit(l.node, m.end)
		}
		if kept := keptBy(m.visit); kept != nil {
			l.visited(kept)
		}
	}
}

// course is a carriage on its way.
type course struct {
	carriage
	from *memoryLink
	left atomic.Int64 // visits, and 1 until all are known
}

// end ends a visit, on the loop of any node.
func (c *course) end() {
	if c.left.Add(-1) == 0 {
		l := c.from
		l.broker.exclusively(func() {
			l.mailLocked(mail{do: func() { c.done(nil) }})
		})
	}
}

// endHere is end on the loop of the node that it is from, where that has nothing else to do before.
func (c *course) endHere() {
	if c.left.Add(-1) == 0 {
		c.done(nil)
	}
}
