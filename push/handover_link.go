package push

import "slices"

// This file has what the Brokers of this package do as handoverLinks, beside settle.

func (l *localLink) rings() *rings {
	if l.commits != nil {
		return nil
	}
	return l.history
}

func (l *localLink) rename(id string) { l.node.ID = id }

func (l *localLink) seated(at seat) []byte { return l.roster.infoOf(at) }

func (l *localLink) seat(at seat, info []byte) { l.roster.seat(l.node.ID, at, info) }

func (l *localLink) releaseRings() { l.history.release() }

func (l *localLink) abandon() { l.Close() }

func (l *memoryLink) rings() *rings {
	if l.broker.commits != nil {
		return nil
	}
	return l.broker.history
}

func (l *memoryLink) rename(id string) {
	l.broker.exclusively(func() { l.node.ID = id })
}

func (l *memoryLink) seated(at seat) (info []byte) {
	l.broker.exclusively(func() { info = l.broker.roster.infoOf(at) })
	return info
}

func (l *memoryLink) seat(at seat, info []byte) {
	l.broker.exclusively(func() { l.broker.roster.seat(l.node.ID, at, info) })
}

func (l *memoryLink) releaseRings() {
	l.broker.exclusively(func() { l.broker.history.release() })
}

func (l *memoryLink) abandon() {
	l.broker.exclusively(func() {
		if l.broker.roster != nil {
			l.broker.roster.leaveAll(l.node.ID)
		}
	})
	l.Close()
}

// infoOf is what is known of a uid in a channel; nil if nothing is.
func (r *roster) infoOf(at seat) []byte {
	if r == nil {
		return nil
	}
	if p := r.channels[at.channel][at.uid]; p != nil {
		return p.info
	}
	return nil
}

// seat notes that a node has a uid in a channel, of which others know already.
func (r *roster) seat(node string, at seat, info []byte) {
	if r != nil {
		r.enter(node, at, slices.Clone(info))
	}
}
