package push

import "encoding/json"

// ID is what the Hub is called among the nodes.
func (h *Hub[C]) ID() string { return h.node }

// Tell tells the program of another node something, JSON, or those of all others if node is empty: see Options.Told.
// done is called on the loop when it has been told: with ErrUnlinked if nothing was sent, and with ErrUnanswered if it
// is not sure that it has come, or a node of this name is not known. What a node tells another one comes in this order,
// once at the most.
func (h *Hub[C]) Tell(node string, what json.RawMessage, done func(error)) {
	to := Everyone
	if node != "" {
		to = connTarget(node, 0)
	}
	_ = h.Ask(Question{Verb: tell, To: []Target{to}, Name: h.node, Data: what}, func(a Answer, err error) {
		if err == nil && a.N == 0 && node != "" {
			err = ErrUnanswered
		}
		done(err)
	}) // the question is right
}

// hear tells the program what that of another node has told.
func (h *Hub[C]) hear(q *Question) Answer {
	if q.Name == h.node || h.options.Told == nil {
		return Answer{}
	}
	h.options.Told(q.Name, q.Data)
	return Answer{N: 1}
}

// Inquire asks the programs of all nodes, this one too, something, JSON: see Options.Inquired. done is called on the
// loop with what they say, by their names: with ErrUnlinked if nothing was asked, and with any other error if some may
// be missing.
func (h *Hub[C]) Inquire(what json.RawMessage, done func(said map[string]json.RawMessage, err error)) {
	_ = h.Ask(Question{Verb: inquire, To: []Target{Everyone}, Data: what}, func(a Answer, err error) {
		done(a.Said, err)
	}) // the question is right
}

// inquired has the program answer that of a node.
func (h *Hub[C]) inquired(q *Question) Answer {
	if h.options.Inquired == nil {
		return Answer{}
	}
	if said := h.options.Inquired(q.Data); said != nil {
		return Answer{Said: map[string]json.RawMessage{h.node: said}}
	}
	return Answer{}
}
