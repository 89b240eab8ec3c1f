package push

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxAnswer is how long the answer of a node may be, in bytes: what is between nodes cuts off who is sent too much at once.
const maxAnswer = 4 << 20

// asked is what a Broker calls with the question of a node.
func (h *Hub[C]) asked(_ []Target, question []byte, reply func([]byte)) {
	send := func(a Answer) {
		text, err := json.Marshal(&a)
		if err == nil && len(text) > maxAnswer {
			err = fmt.Errorf("%w: a node's answer has more than %d MiB: ask about fewer connections", ErrLimit, maxAnswer>>20)
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
		reply(Answer{Names: h.Groups()})
	case ListChannels:
		reply(Answer{Names: h.Channels()})
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
	case login:
		reply(Answer{N: h.loggedIn(q)})
	default:
		h.treat(q, reply)
	}
}

// treat does something with each connection that a Question names.
func (h *Hub[C]) treat(q *Question, reply func(Answer)) {
	members := h.chosen(q.To)
	a := Answer{N: len(members)}
	for _, m := range members {
		var err error
		switch q.Verb {
		case List:
			a.Conns = append(a.Conns, m.Target())
			if m.uid != "" {
				a.UIDs = append(a.UIDs, m.uid)
			}
		case ListSessions:
			if data, ok := m.value.(json.RawMessage); ok {
				if a.Sessions == nil {
					a.Sessions = make(map[Target]json.RawMessage)
				}
				a.Sessions[m.Target()] = data
			}
		case Join:
			err = m.Join(q.Name)
		case Leave:
			m.Leave(q.Name)
		case Subscribe:
			err = m.Subscribe(q.Name)
		case Unsubscribe:
			m.Unsubscribe(q.Name)
		case SetSession:
			m.value = nil
			if q.Data != nil {
				m.value = q.Data
			}
		case Kick:
			h.Kick(m, q.Code, q.Reason)
		}
		if err != nil {
			reply(problem(err))
			return
		}
	}
	a.UIDs, a.Conns = union(nil, a.UIDs), union(nil, a.Conns)
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

// subscribed calls f when what is published for a target reaches this node, or the link is down.
func (h *Hub[C]) subscribed(t Target, f func()) {
	if h.alone() {
		f()
		return
	}
	h.flush()
	h.link.Subscribe([]Target{t}, func(error) { f() })
}
