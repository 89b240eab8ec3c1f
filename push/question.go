package push

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Verb is what a Question is about.
type Verb string

// The verbs. Those up to ListNodes only tell.
const (
	Count        Verb = "count"    // the connections of each target: Answer.Counts
	List         Verb = "list"     // the uids and the connections of the targets
	ListSessions Verb = "sessions" // what SetSession keeps with them
	ListGroups   Verb = "groups"   // the names of the groups that have a connection, and begin with Name
	ListChannels Verb = "channels" // the names of the channels that have a subscriber, likewise
	ListNodes    Verb = "nodes"    // how many connections each node has

	Join        Verb = "join"        // the group called Name
	Leave       Verb = "leave"       // likewise
	Subscribe   Verb = "subscribe"   // to the channel called Name
	Unsubscribe Verb = "unsubscribe" // likewise
	SetSession  Verb = "session"     // replaces the values of the connections by Data; nil by nothing
	Kick        Verb = "kick"        // closes them with Code and Reason
	// closes those of the uid called Name, whose credentials are no longer good: see Options.Revoked
	Revoked Verb = "revoked"

	Restored Verb = "restored" // has each node read again what was revoked: see Options.Restored

	login    Verb = "login"   // closes those of a uid but for the newest
	tell     Verb = "tell"    // is for the program of a node: see Hub.Tell
	inquire  Verb = "inquire" // likewise: see Hub.Inquire
	callRoll Verb = "roll"    // has each node say who is there of the roll called Name, and tells nothing
)

// Question is what the program wants to know about connections, or wants done with them, on whatever node they are.
type Question struct {
	Verb   Verb            `json:"verb"`
	To     []Target        `json:"to,omitempty"` // none for ListGroups, ListChannels, ListNodes, Revoked and Restored
	Name   string          `json:"name,omitempty"`
	Data   json.RawMessage `json:"data,omitempty"`
	Code   int             `json:"code,omitempty"`
	Reason string          `json:"reason,omitempty"`
	At     int64           `json:"at,omitempty"` // Unix time up to which credentials are revoked
}

// Answer is that of all nodes to a Question, gathered.
type Answer struct {
	N        int                        `json:"n,omitempty"`      // connections that the targets name
	Counts   []int                      `json:"counts,omitempty"` // of Count, in the order of the targets
	UIDs     []string                   `json:"uids,omitempty"`   // of List, each once, in order
	Conns    []Target                   `json:"conns,omitempty"`  // likewise
	Names    []string                   `json:"names,omitempty"`  // of ListGroups and ListChannels, likewise
	Sessions map[Target]json.RawMessage `json:"sessions,omitempty"`
	// of ListNodes, by names that nodes give themselves when they start
	Nodes map[string]int `json:"nodes,omitempty"`
	// what their programs say to Inquire, likewise
	Said map[string]json.RawMessage `json:"said,omitempty"`

	Problem string `json:"problem,omitempty"` // what went wrong on a node
	Limit   bool   `json:"limit,omitempty"`   // it was a limit
}

// err is what went wrong on a node, for the node that has asked.
func (a *Answer) err() error {
	switch {
	case a.Problem == "":
		return nil
	case a.Limit:
		return fmt.Errorf("%w: %s", ErrLimit, a.Problem)
	}
	return errors.New("push: " + a.Problem)
}

// add takes the answer of a node in.
func (a *Answer) add(b Answer) {
	a.N += b.N
	if a.Counts == nil {
		a.Counts = b.Counts
	} else {
		for i := range min(len(a.Counts), len(b.Counts)) {
			a.Counts[i] += b.Counts[i]
		}
	}
	a.UIDs = union(a.UIDs, b.UIDs)
	a.Conns = union(a.Conns, b.Conns)
	a.Names = union(a.Names, b.Names)
	a.Sessions, a.Nodes = merged(a.Sessions, b.Sessions), merged(a.Nodes, b.Nodes)
	a.Said = merged(a.Said, b.Said)
	if a.Problem == "" {
		a.Problem, a.Limit = b.Problem, b.Limit
	}
}

// merged has what is in both.
func merged[K comparable, V any](a, b map[K]V) map[K]V {
	if a == nil {
		return b
	}
	maps.Copy(a, b)
	return a
}

// union are the elements of both, each once, in order.
func union[T ~string](a, b []T) []T {
	if len(b) == 0 {
		return a
	}
	both := append(a, b...)
	slices.Sort(both)
	return slices.Compact(both)
}

// check tells what is wrong with a Question.
func (q *Question) check() error {
	if len(q.To) > MaxTargets {
		return tooManyTargets(len(q.To))
	}
	for _, t := range q.To {
		if err := t.Check(); err != nil {
			return err
		}
	}
	switch q.Verb {
	case ListGroups, ListChannels, ListNodes, Restored, callRoll:
		return nil
	case Revoked:
		return checkName(ToUID, q.Name)
	}
	if len(q.To) == 0 {
		return errors.New("push: a question has no target")
	}
	switch q.Verb {
	case Join, Leave:
		return checkName(ToGroup, q.Name)
	case Subscribe, Unsubscribe:
		return checkName(ToChannel, q.Name)
	case Count, List, ListSessions, SetSession, Kick, login, tell, inquire:
	default:
		return fmt.Errorf("push: no question is called %q", q.Verb)
	}
	return nil
}

// concerns are the targets whose nodes are asked.
func (q *Question) concerns() []Target {
	if len(q.To) == 0 {
		return []Target{Everyone}
	}
	return q.To
}

// Ask asks all nodes, this one too, and gathers what they answer (scatter and gather). done is called on the loop,
// perhaps before Ask returns. With ErrUnanswered the answer is what is known; with ErrUnlinked nothing was asked, and
// with any other error something went wrong on a node: what was to be done has been done in part. The error of Ask
// itself is about the question: nothing was asked.
//
// What is published after the call of done follows what was done.
func (h *Hub[C]) Ask(q Question, done func(Answer, error)) error {
	if err := q.check(); err != nil {
		return err
	}
	switch {
	case h.closed:
		done(Answer{}, ErrClosed)
		return nil
	case h.isAlone():
		h.answer(&q, func(a Answer) { done(a, a.err()) })
		return nil
	}
	h.flush()
	text, err := json.Marshal(&q)
	if err != nil {
		return fmt.Errorf("push: %w", err)
	}
	h.link.Ask(q.concerns(), text, func(answers [][]byte, err error) {
		var all Answer
		bytes := 0
		for _, text := range answers {
			if bytes += len(text); bytes > MaxAnswer {
				done(Answer{}, errLongAnswer)
				return
			}
			var a Answer
			if json.Unmarshal(text, &a) != nil {
				a = Answer{Problem: "a node answers what cannot be read: have all nodes run the same version"}
			}
			all.add(a)
		}
		for q.Verb == Count && len(all.Counts) < len(q.To) { // nobody is there
			all.Counts = append(all.Counts, 0)
		}
		if err == nil {
			err = all.err()
		}
		done(all, err)
	})
	return nil
}
