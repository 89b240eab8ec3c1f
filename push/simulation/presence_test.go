package simulation

import (
	"encoding/json"
	"slices"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pushtest"
)

// This file has what a link does as a push.PresenceLink. A server gives up a node whose link has broken at once, and a
// link that is made again says again what its node has said. Answers and changes come by one way, in order.

// said is what a node has said.
type said struct {
	in   push.Target
	uid  string
	info json.RawMessage
}

// Enter notes who has come, and says so.
func (l *link) Enter(in push.Target, uid string, info json.RawMessage) {
	l.forget(in, uid)
	l.said = append(l.said, said{in, uid, info})
	l.say(in, func(a *pushtest.Attendance) []push.PresenceEvent { return a.Enter(l.node.ID, in, uid, info) })
}

// Leave notes who has gone, and says so.
func (l *link) Leave(in push.Target, uid string) {
	l.forget(in, uid)
	l.say(in, func(a *pushtest.Attendance) []push.PresenceEvent { return a.Leave(l.node.ID, in, uid) })
}

func (l *link) forget(in push.Target, uid string) {
	l.said = slices.DeleteFunc(l.said, func(s said) bool { return s.in == in && s.uid == uid })
}

// say changes who is there.
func (l *link) say(in push.Target, change func(*pushtest.Attendance) []push.PresenceEvent) {
	l.send(func(error) {}, func(reply func(func())) {
		reply(func() {})
		l.server.tell(in, change(&l.server.presence))
	})
}

// sayAgain says all that the node has said.
func (l *link) sayAgain() {
	for _, s := range l.said {
		l.server.tell(s.in, l.server.presence.Enter(l.node.ID, s.in, s.uid, s.info))
	}
}

// tell tells the nodes that have subscribed to a channel who has come or gone.
func (s *server) tell(in push.Target, events []push.PresenceEvent) {
	for _, e := range events {
		for _, l := range s.links {
			if l.topics[in] {
				l.sub.carry(func() { l.node.Do(func() { l.node.Presence(in, e) }) })
			}
		}
	}
}

// Present tells who is there.
func (l *link) Present(in push.Target, most int, done func(push.Presence, error)) {
	l.send(func(err error) { done(push.Presence{}, err) }, func(reply func(func())) {
		p := l.server.presence.Told(in, most)
		l.sub.carry(func() { l.node.Do(func() { reply(func() { done(p, nil) }) }) })
	})
}

// CountPresent tells how many are there.
func (l *link) CountPresent(in []push.Target, done func([]int, error)) {
	l.send(func(err error) { done(nil, err) }, func(reply func(func())) {
		var counts []int
		for _, t := range in {
			counts = append(counts, len(l.server.presence.Present(t)))
		}
		l.sub.carry(func() { l.node.Do(func() { reply(func() { done(counts, nil) }) }) })
	})
}

// PresenceStats is asked by nobody here.

func (l *link) PresenceStats(done func(push.PresenceStats, error)) {
	done(push.PresenceStats{}, push.ErrUnlinked)
}
