package push

import "encoding/json"

// This file has what the Brokers of this package do as PresenceLinks, by a roster. That of a Hub alone tells at once.

func (l *localLink) Enter(in Target, uid string, info json.RawMessage) {
	l.attend(func(r *roster) (change, bool) { return r.enter(l.node.ID, seat{in, uid}, info) })
}

func (l *localLink) Leave(in Target, uid string) {
	l.attend(func(r *roster) (change, bool) { return r.leave(l.node.ID, seat{in, uid}) })
}

// attend changes who is present.
func (l *localLink) attend(f func(*roster) (change, bool)) {
	if l.closed || l.roster == nil {
		return
	}
	c, told := f(l.roster)
	if !told {
		return
	}
	if l.node.PresenceEvents(c.in) {
		l.node.Presence(c.in, c.PresenceEvent)
	}
	c.tell(&l.node)
}

func (l *localLink) Present(in Target, most int, done func(Presence, error)) {
	if err := l.attendable(); err != nil {
		done(Presence{}, err)
		return
	}
	done(l.roster.present(in, most), nil)
}

func (l *localLink) CountPresent(in []Target, done func([]int, error)) {
	if err := l.attendable(); err != nil {
		done(nil, err)
		return
	}
	done(l.roster.countAll(in), nil)
}

func (l *localLink) PresenceStats(done func(PresenceStats, error)) {
	if err := l.attendable(); err != nil {
		done(PresenceStats{}, err)
		return
	}
	done(l.roster.stats(), nil)
}

// attendable tells why nothing is known of who is present.
func (l *localLink) attendable() error {
	switch {
	case l.closed:
		return ErrClosed
	case l.roster == nil:
		return ErrNoPresence
	}
	return nil
}

// Enter notes it where all changes have one order: under the broker's lock.
func (l *memoryLink) Enter(in Target, uid string, info json.RawMessage) {
	l.attend(func(r *roster) (change, bool) { return r.enter(l.node.ID, seat{in, uid}, info) })
}

// Leave takes it back in the same way.
func (l *memoryLink) Leave(in Target, uid string) {
	l.attend(func(r *roster) (change, bool) { return r.leave(l.node.ID, seat{in, uid}) })
}

// attend changes who is present, and tells the nodes. If there was never another one, it is told at once.
func (l *memoryLink) attend(f func(*roster) (change, bool)) {
	b := l.broker
	b.mu.Lock()
	if l.closed || b.roster == nil {
		b.mu.Unlock()
		return
	}
	c, told := f(b.roster)
	if told && !b.several {
		wanted := l.attends(c.in)
		b.mu.Unlock()
		if wanted {
			l.node.Presence(c.in, c.PresenceEvent)
		}
		c.tell(&l.node)
		return
	}
	defer b.mu.Unlock()
	if told {
		b.tellLocked(c)
		l.attendedLocked(c)
	}
}

// attendedLocked has the node know that its saying has changed who is there.
func (l *memoryLink) attendedLocked(c change) {
	if !c.moved || l.node.Attended == nil {
		return
	}
	l.mailLocked(mail{do: func() {
		if !l.gone.Load() {
			c.tell(&l.node)
		}
	}})
}

// tellLocked tells all nodes that want it of a change.
func (b *Memory) tellLocked(c change) {
	for _, link := range b.links {
		if link.attends(c.in) {
			link.mailLocked(mail{do: func() {
				if !link.gone.Load() {
					link.node.Presence(c.in, c.PresenceEvent)
				}
			}})
		}
	}
}

// attends reports whether the node is told who comes to a channel and goes. The broker's lock is held.
func (l *memoryLink) attends(in Target) bool {
	return l.broker.interest.links[in]&l.bit != 0 && l.node.PresenceEvents != nil && l.node.PresenceEvents(in)
}

// departLocked takes out what a node has said that leaves. The link is no longer in the broker's list.
func (l *memoryLink) departLocked() {
	b := l.broker
	if b.roster == nil {
		return
	}
	for _, c := range b.roster.leaveAll(l.node.ID) {
		b.tellLocked(c)
		if len(b.links) > 0 {
			b.links[0].attendedLocked(c)
		}
	}
}

// Present reads it where the order is made, and tells it behind the changes before.
func (l *memoryLink) Present(in Target, most int, done func(Presence, error)) {
	read(l, func(r *roster) Presence { return r.present(in, most) }, done)
}

// CountPresent reads it in the same way.
func (l *memoryLink) CountPresent(in []Target, done func([]int, error)) {
	read(l, func(r *roster) []int { return r.countAll(in) }, done)
}

// PresenceStats reads them in the same way.
func (l *memoryLink) PresenceStats(done func(PresenceStats, error)) { read(l, (*roster).stats, done) }

// read reads from the roster, and tells it on the loop behind the changes that wait for it: they are older.
func read[T any](l *memoryLink, from func(*roster) T, done func(T, error)) {
	var told T
	var later bool
	err := func() error {
		l.broker.mu.Lock()
		defer l.broker.mu.Unlock()
		switch {
		case l.closed:
			return ErrClosed
		case l.broker.roster == nil:
			return ErrNoPresence
		}
		told = from(l.broker.roster)
		if later = l.broker.several; later && !l.mailLocked(mail{do: func() { done(told, nil) }}) {
			return ErrClosed
		}
		return nil
	}()
	if !later || err != nil {
		done(told, err)
	}
}
