package simulation

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pushtest"
)

// server is a Broker over a network: one that keeps order, positions and history, as Redis does. It is far away, it
// loses links, and it comes back with its data, without, or with those of some time ago. A node does not notice at once
// that its link has broken. Some read history over a connection of its own: then answers come out of order, and while
// the link is broken too.
type server struct {
	group  *cluster
	epoch  string
	epochs int
	kept   map[push.Target]*kept
	links  []*link
	down   bool
	saved  *server // what a copy of it has

	presence pushtest.Attendance
}

// kept is the history of a target.
type kept struct {
	top      uint64
	messages []push.Stored
}

func newServer(g *cluster) *server {
	s := &server{group: g}
	s.begin()
	return s
}

// begin forgets everything.
func (s *server) begin() {
	s.epochs++
	s.epoch, s.kept = fmt.Sprint("e", s.epochs), make(map[push.Target]*kept)
}

// save copies it, as for a replica that is behind.
func (s *server) save() {
	s.saved = &server{kept: make(map[push.Target]*kept)}
	for t, k := range s.kept {
		s.saved.kept[t] = &kept{k.top, slices.Clone(k.messages)}
	}
}

// restart has it be away for a while.
func (s *server) restart() {
	w := s.group.world
	s.down = true
	switch w.random.IntN(3) {
	case 0:
		w.note("the server comes back with its data")
	case 1:
		w.note("the server comes back empty")
		s.begin()
	case 2:
		w.note("a copy takes over")
		if s.saved != nil {
			kept := s.saved.kept
			s.begin() // it is noticed that the tail is lost
			s.kept = kept
			s.saved = nil
		}
	}
	for _, l := range slices.Clone(s.links) {
		l.breaks()
	}
	s.presence = pushtest.Attendance{} // the links say it again
	away := w.between(100*time.Millisecond, 2*time.Second)
	if w.odds.IntN(2) == 0 {
		away = w.soon(5 * time.Millisecond)
	}
	w.after(away, func() { s.down = false })
}

// Join makes a node part of it.
func (s *server) Join(n push.Node) (push.Link, error) {
	w := s.group.world
	l := &link{
		server: s, node: n, topics: make(map[push.Target]bool),
		out: newWire(w, 20*time.Millisecond), in: newWire(w, 20*time.Millisecond), sub: newWire(w, 60*time.Millisecond),
	}
	l.apart = w.odds.IntN(2) == 0
	s.links = append(s.links, l)
	l.connect()
	return l, nil
}

// of is the history of a target.
func (s *server) of(t push.Target) *kept {
	k := s.kept[t]
	if k == nil {
		k = &kept{}
		s.kept[t] = k
	}
	return k
}

// publish keeps a message, and sends it to the links that have subscribed.
func (s *server) publish(from *link, to []push.Target, p push.Publication, done func(push.Receipt)) {
	p.Positions = make([]push.Position, len(to))
	for i, t := range to {
		r := from.node.Retain(t)
		if r.Size == 0 {
			continue
		}
		k := s.of(t)
		k.top++
		p.Positions[i] = push.Position{Epoch: s.epoch, Offset: k.top}
		k.messages = append(k.messages, push.Stored{Position: p.Positions[i], At: time.Now(), Data: p.Data})
		k.messages = k.messages[max(0, len(k.messages)-r.Size):]
	}
	for _, l := range s.links {
		if !slices.ContainsFunc(to, func(t push.Target) bool { return l.topics[t] }) {
			continue
		}
		if l != from && s.group.world.chance(300) {
			s.group.world.note("a message is lost on its way")
			continue
		}
		l.sub.carry(func() { l.node.Do(func() { l.node.Deliver(to, p) }) })
	}
	from.sub.carry(func() { from.node.Do(func() { done(push.Receipt{Positions: p.Positions}) }) })
}

// read reads a part of a history.
func (s *server) read(of push.Target, keep push.Retention, r push.Range) push.History {
	k := s.of(of)
	for len(k.messages) > 0 && keep.TTL > 0 && time.Since(k.messages[0].At) >= keep.TTL {
		k.messages = k.messages[1:]
	}
	h := push.History{Top: push.Position{Epoch: s.epoch, Offset: k.top}}
	if (r.Since == push.Position{}) {
		h.Messages = slices.Clone(k.messages[max(0, len(k.messages)-r.Limit):])
		return h
	}
	missed := int(k.top - r.Since.Offset)
	switch {
	case r.Since.Epoch != s.epoch:
		h.Gap = push.GapEpoch
	case r.Since.Offset > k.top:
		h.Gap = push.GapAhead
	case missed > len(k.messages):
		h.Gap = push.GapExpired
	default:
		h.Messages = slices.Clone(k.messages[len(k.messages)-missed:][:min(missed, r.Limit)])
		for i := range h.Messages { // a copy that took over has the messages of another epoch
			h.Messages[i].Position.Epoch = s.epoch
		}
	}
	return h
}

// link is that of a node.
type link struct {
	server       *server
	node         push.Node
	topics       map[push.Target]bool // at the server
	wanted       map[push.Target]bool
	up, closed   bool
	since        time.Time // that it is up
	out, in, sub *wire
	pending      []*request
	said         []said
	deaf         bool // it has broken, and the node has not noticed yet
	apart        bool // history is read over another connection
}

// request is something that is not answered yet.
type request struct {
	fail func(error)
	over bool
}

// connect makes the link, once the server is there.
func (l *link) connect() {
	w := l.server.group.world
	w.after(w.between(10*time.Millisecond, 500*time.Millisecond), func() {
		switch {
		case l.closed || l.up:
		case l.server.down:
			l.connect()
		default:
			l.up, l.since = true, time.Now()
			l.topics = maps.Clone(l.wanted)
			if l.topics == nil {
				l.topics = make(map[push.Target]bool)
			}
			l.sayAgain()
			l.node.Do(func() { l.node.Linked(true) })
		}
	})
}

// breaks has nothing more get through. What is under way may arrive until the node notices.
func (l *link) breaks() {
	if !l.up || l.deaf {
		return
	}
	w := l.server.group.world
	w.note("a link breaks")
	l.deaf = true
	l.topics = make(map[push.Target]bool)
	l.server.presence.Gone(l.node.ID, func(in push.Target, e push.PresenceEvent) {
		l.server.tell(in, []push.PresenceEvent{e})
	})
	w.after(w.soon(200*time.Millisecond), l.noticed)
}

// noticed loses what is under way.
func (l *link) noticed() {
	if l.closed {
		return
	}
	l.up, l.deaf = false, false
	for _, wire := range []*wire{l.out, l.in, l.sub} {
		wire.lose()
	}
	pending := l.pending
	l.pending = nil
	l.node.Do(func() {
		l.node.Linked(false)
		for _, r := range pending {
			if !r.over {
				r.over = true
				r.fail(push.ErrUnanswered)
			}
		}
	})
	l.connect()
}

// send has something happen at the server, and its answer be told.
func (l *link) send(fail func(error), serve func(reply func(func()))) {
	l.sendBy(l.carry, fail, serve)
}

// carry brings the server something.
func (l *link) carry(arrive func()) {
	l.out.carry(func() {
		if !l.deaf {
			arrive()
		}
	})
}

// another is the way over a connection of its own, to the server or back: in no order.
func (l *link) another(arrive func()) {
	w := l.server.group.world
	w.after(w.soon(100*time.Millisecond), func() {
		if !l.server.down {
			arrive()
		}
	})
}

// sendBy is send over a connection.
func (l *link) sendBy(carry func(func()), fail func(error), serve func(reply func(func()))) {
	switch {
	case l.closed:
		fail(push.ErrClosed)
		return
	case !l.up:
		fail(push.ErrUnlinked)
		return
	}
	r := &request{fail: fail}
	l.pending = slices.DeleteFunc(append(l.pending, r), func(r *request) bool { return r.over })
	carry(func() {
		serve(func(answer func()) {
			if !r.over {
				r.over = true
				answer()
			}
		})
	})
}

// Subscribe and what follows are push.HistoryLink.

func (l *link) Subscribe(to []push.Target, done func(error)) {
	if l.wanted == nil {
		l.wanted = make(map[push.Target]bool)
	}
	to = slices.Clone(to)
	for _, t := range to {
		l.wanted[t] = true
	}
	l.send(done, func(reply func(func())) {
		for _, t := range to {
			l.topics[t] = true
		}
		l.in.carry(func() { l.node.Do(func() { reply(func() { done(nil) }) }) })
	})
}

func (l *link) Unsubscribe(from []push.Target) {
	from = slices.Clone(from)
	for _, t := range from {
		delete(l.wanted, t)
	}
	l.send(func(error) {}, func(reply func(func())) {
		reply(func() {})
		for _, t := range from {
			delete(l.topics, t)
		}
	})
}

func (l *link) Publish(to []push.Target, p push.Publication, done func(push.Receipt, error)) {
	to, p.Data = slices.Clone(to), slices.Clone(p.Data)
	l.send(func(err error) { done(push.Receipt{}, err) }, func(reply func(func())) {
		l.server.publish(l, to, p, func(r push.Receipt) { reply(func() { done(r, nil) }) })
	})
}

// Ask asks all nodes. Who does not answer within a second is given up.
func (l *link) Ask(to []push.Target, question []byte, done func([][]byte, error)) {
	to, question = slices.Clone(to), slices.Clone(question)
	l.send(func(err error) { done(nil, err) }, func(reply func(func())) {
		var answers [][]byte
		end := func(err error) { l.in.carry(func() { l.node.Do(func() { reply(func() { done(answers, err) }) }) }) }
		left := len(l.server.links)
		for _, other := range l.server.links {
			other.sub.carry(func() {
				other.node.Do(func() {
					other.node.Answer(to, question, func(answer []byte) {
						answer = slices.Clone(answer)
						other.carry(func() {
							answers = append(answers, answer)
							if left--; left == 0 {
								end(nil)
							}
						})
					})
				})
			})
		}
		l.server.group.world.after(time.Second, func() { end(push.ErrUnanswered) })
	})
}

func (l *link) History(of push.Target, r push.Range, done func(push.History, error)) {
	carry, back := l.carry, l.in.carry
	if l.apart {
		carry, back = l.another, l.another
	}
	l.sendBy(carry, func(err error) { done(push.History{}, err) }, func(reply func(func())) {
		h := l.server.read(of, l.node.Retain(of), r)
		back(func() { l.node.Do(func() { reply(func() { done(h, nil) }) }) })
	})
}

func (l *link) Forget(_ []push.Target, done func(error)) { done(push.ErrUnlinked) }

func (l *link) Close() {
	l.closed, l.up = true, false
	for _, wire := range []*wire{l.out, l.in, l.sub} {
		wire.lose()
	}
	l.server.presence.Gone(l.node.ID, func(in push.Target, e push.PresenceEvent) {
		l.server.tell(in, []push.PresenceEvent{e})
	})
	l.server.links = slices.DeleteFunc(l.server.links, func(other *link) bool { return other == l })
}
