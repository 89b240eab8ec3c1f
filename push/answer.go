package push

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// MaxAnswer is how long an answer that lists may be, in bytes: that of one node, and that of all nodes together. A
// longer one would be cut off on its way, and would hold up everybody else while it is made.
const MaxAnswer = 4 << 20

var errLongAnswer = fmt.Errorf("%w: the answer has more than %d MiB: ask about fewer connections", ErrLimit,
	MaxAnswer>>20)

// asked is what a Broker calls with the question of a node.
func (h *Hub[C]) asked(_ []Target, question []byte, reply func([]byte)) {
	send := func(a Answer) {
		text, err := json.Marshal(&a)
		if err == nil && len(text) > MaxAnswer {
			err = errLongAnswer
		}
		if err != nil { // or a session that is no JSON
			told := problem(err)
			text, _ = json.Marshal(&told)
		}
		reply(text)
	}
	var q Question
	err := json.Unmarshal(question, &q)
	if err == nil {
		err = q.check()
	}
	if err != nil {
		send(problem(err))
		return
	}
	h.answer(&q, send)
}

func problem(err error) Answer {
	limit := errors.Is(err, ErrLimit)
	text := strings.TrimPrefix(err.Error(), "push: ")
	if limit {
		text = strings.TrimPrefix(err.Error(), ErrLimit.Error()+": ")
	}
	return Answer{Problem: text, Limit: limit}
}

// answer does what a Question asks of this node, and calls reply when it has taken effect.
func (h *Hub[C]) answer(q *Question, reply func(Answer)) {
	switch q.Verb {
	case ListGroups:
		reply(h.names(ToGroup, q.Name))
	case ListChannels:
		reply(h.names(ToChannel, q.Name))
	case List, ListSessions:
		reply(h.tell(q))
	case ListNodes:
		reply(Answer{Nodes: map[string]int{h.node: len(h.everyone.members)}})
	case Count:
		reply(Answer{Counts: h.Counts(q.To)})
	case Revoked:
		if h.options.Revoked != nil {
			h.options.Revoked(q.Name, time.Unix(q.At, 0))
		}
		reply(Answer{N: h.KickUID(q.Name, CodeUnauthorized, "the credential was revoked")})
	case Restored:
		if h.options.Restored != nil {
			h.options.Restored()
		}
		reply(Answer{})
	case callRoll:
		h.answerRollCall(q.Name, reply)
	case login:
		reply(Answer{N: h.loggedIn(q)})
	case tell:
		reply(h.hear(q))
	case inquire:
		reply(h.inquired(q))
	default:
		h.treat(q, reply)
	}
}

// names are those that groups or channels have, as far as they begin so.
func (h *Hub[C]) names(k Kind, start string) Answer {
	bytes := 0
	var names []string
	for name := range h.sets[k] {
		if !strings.HasPrefix(name, start) {
			continue
		}
		names = append(names, name)
		if bytes += len(name) + aroundName; bytes > MaxAnswer {
			return problem(errLongAnswer)
		}
	}
	slices.Sort(names)
	return Answer{Names: names}
}

// aroundName is what an answer has for each name beside it, in bytes.
const aroundName = len(`"",`)

// tell tells of each connection that a Question names, unless it is too much.
func (h *Hub[C]) tell(q *Question) (a Answer) {
	bytes := 0
	for _, m := range h.chosen(q.To) {
		a.N++
		name := m.Target()
		data, hasData := m.Value().(json.RawMessage)
		switch {
		case q.Verb == List:
			a.Conns = append(a.Conns, name)
			if bytes += len(name) + aroundName; m.own != nil {
				a.UIDs = append(a.UIDs, m.UID())
				bytes += len(m.UID()) + aroundName
			}
		case hasData:
			if a.Sessions == nil {
				a.Sessions = make(map[Target]json.RawMessage)
			}
			a.Sessions[name] = data
			bytes += len(name) + aroundName + len(data) + 1
		}
		if bytes > MaxAnswer {
			return problem(errLongAnswer)
		}
	}
	a.UIDs, a.Conns = union(nil, a.UIDs), union(nil, a.Conns)
	return a
}

// treat does something with each connection that a Question names.
func (h *Hub[C]) treat(q *Question, reply func(Answer)) {
	members := h.chosen(q.To)
	a := Answer{N: len(members)}
	for _, m := range members {
		var err error
		switch q.Verb {
		case Join:
			err = m.Join(q.Name)
		case Leave:
			h.expel(m, Group(q.Name))
		case Subscribe:
			err = m.Subscribe(q.Name)
		case Unsubscribe:
			h.expel(m, Channel(q.Name))
		case SetSession:
			if q.Data != nil {
				m.SetValue(q.Data)
			} else {
				m.SetValue(nil)
			}
		case Kick:
			h.Kick(m, q.Code, q.Reason)
		}
		if err != nil {
			reply(problem(err))
			return
		}
	}
	switch {
	case q.Verb == Join && a.N > 0:
		h.subscribed(Group(q.Name), func() { reply(a) })
	case q.Verb == Subscribe && a.N > 0:
		h.subscribed(Channel(q.Name), func() { reply(a) })
	default:
		reply(a)
	}
}

// chosen are the connections that some targets name, each once.
func (h *Hub[C]) chosen(to []Target) (members []*Member[C]) {
	if len(to) == 1 {
		return slices.Clone(h.find(to[0])) // some may leave meanwhile
	}
	seen := make(map[*Member[C]]bool)
	for _, t := range to {
		for _, m := range h.find(t) {
			if !seen[m] {
				seen[m] = true
				members = append(members, m)
			}
		}
	}
	return members
}

// subscribed calls f when what is published for a target reaches this node, or when the link is down.
func (h *Hub[C]) subscribed(t Target, f func()) {
	if h.isAlone() {
		f()
		return
	}
	h.flush()
	h.link.Subscribe([]Target{t}, func(error) { f() })
}

// expel takes a connection out of a group or a channel, and has one that follows be told.
func (h *Hub[C]) expel(m *Member[C], t Target) {
	if !m.IsIn(t) {
		return
	}
	h.depart(m, h.setFor(t))
	if m.follows {
		h.options.Followers.Ended(m.conn, t)
	}
}
