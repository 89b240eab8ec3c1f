package pushtest

import (
	"encoding/json"
	"slices"

	"github.com/lineman-go/lineman/push"
)

// This file has what the links of a Network do as push.PresenceLinks. A link that is cut has its node be given up at
// once; when it is mended, it says again what the node has said.

// entrance is what a node has said.
type entrance struct {
	in   push.Target
	uid  string
	info json.RawMessage
}

// Enter is that of push.PresenceLink.
func (l *networkLink) Enter(in push.Target, uid string, info json.RawMessage) {
	said := entrance{in, uid, info}
	if i := slices.IndexFunc(l.said, said.isOf); i < 0 {
		l.said = append(l.said, said)
	} else if info != nil {
		l.said[i] = said
	}
	l.say(in, uid, func(a *Attendance) []push.PresenceEvent { return a.Enter(l.node.ID, in, uid, info) })
}

// isOf reports whether two are of the same uid and channel.
func (e entrance) isOf(other entrance) bool { return e.in == other.in && e.uid == other.uid }

// Leave is that of push.PresenceLink.
func (l *networkLink) Leave(in push.Target, uid string) {
	l.said = slices.DeleteFunc(l.said, entrance{in: in, uid: uid}.isOf)
	l.say(in, uid, func(a *Attendance) []push.PresenceEvent { return a.Leave(l.node.ID, in, uid) })
}

// say changes who is present in a channel, and tells it. What is said over a broken link is lost.
func (l *networkLink) say(in push.Target, uid string, f func(*Attendance) []push.PresenceEvent) {
	if l.closed {
		return
	}
	w := l.network
	l.out.send(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if l.down {
			return
		}
		_, was := w.presence.Present(in)[uid]
		w.tellLocked(in, f(&w.presence))
		if _, is := w.presence.Present(in)[uid]; is != was {
			l.attended(in, uid, is)
		}
	})
}

// attended tells the node that somebody has come, or gone, by what it has said.
func (l *networkLink) attended(in push.Target, uid string, here bool) {
	kind, _ := in.Split()
	if kind != push.ToChannel || l.node.Attended == nil {
		return
	}
	l.in.send(func() {
		l.node.Do(func() {
			if !l.closed {
				l.node.Attended(in, uid, here)
			}
		})
	})
}

// tellLocked tells the nodes that have subscribed to a channel what has changed.
func (w *Network) tellLocked(in push.Target, events []push.PresenceEvent) {
	for _, e := range events {
		for _, taker := range w.takersLocked([]push.Target{in}) {
			taker.in.send(func() {
				taker.node.Do(func() {
					if !taker.closed && taker.node.Presence != nil && taker.node.PresenceEvents(in) {
						taker.node.Presence(in, e)
					}
				})
			})
		}
	}
}

// Present is that of push.PresenceLink.
func (l *networkLink) Present(in push.Target, most int, done func(push.Presence, error)) {
	var p push.Presence
	l.visit(func() { p = l.network.presence.Told(in, most) }, func(err error) { done(p, err) })
}

// CountPresent is that of push.PresenceLink.
func (l *networkLink) CountPresent(in []push.Target, done func([]int, error)) {
	in = slices.Clone(in)
	var counts []int
	l.visit(func() {
		for _, t := range in {
			counts = append(counts, len(l.network.presence.Present(t)))
		}
	}, func(err error) { done(counts, err) })
}

// PresenceStats is that of push.PresenceLink.
func (l *networkLink) PresenceStats(done func(push.PresenceStats, error)) {
	var s push.PresenceStats
	l.visit(func() { s = l.network.presence.Stats() }, func(err error) { done(s, err) })
}
