package command

import (
	"encoding/json"
	"errors"

	"github.com/lineman-go/lineman/push"
)

// questionsOfPresence are the commands that tell who is in channels.
func questionsOfPresence[C push.Conn]() []*row[C] {
	return []*row[C]{
		{
			name: "presence", scope: Read,
			does: "tells which uids are in a channel, each once, with what is known of it; only how many, if there " +
				"are many",
			needs: []string{"to"}, fields: []string{"to"}, answers: []string{"n", "users", "more"}, lists: true,
			run: (*Table[C]).presence,
		},
		{
			name: "presence_count", scope: Read, does: "counts the uids that are in each channel",
			needs: []string{"to"}, fields: []string{"to"}, answers: []string{"counts"},
			run: (*Table[C]).countPresent,
		},
		{
			name: "presence_stats", scope: Read,
			does:    "counts the channels in which somebody is present, the uids there, and all connections",
			answers: []string{"stats"}, run: (*Table[C]).presenceStats,
		},
	}
}

// Stats are what presence_stats answers.
type Stats struct {
	Channels    int `json:"channels"` // in which somebody is present
	Users       int `json:"users"`    // in all of them: a uid counts for each
	Connections int `json:"connections"`
}

// presence tells who is in a channel.
func (t *Table[C]) presence(q *Request, done func(Reply)) {
	if len(q.To) != 1 {
		done(t.refuse(q, invalid("presence wants one channel")))
		return
	}
	err := t.hub.Presence(q.To[0], func(p push.Presence, err error) {
		if err != nil {
			done(t.refuse(q, err))
			return
		}
		r := reached(p.N)
		r.More = p.More
		if users := jsonUsers(p.Users); !p.More {
			r.Users = &users
		}
		done(r)
	})
	if err != nil {
		done(t.refuse(q, err))
	}
}

// jsonUsers are users as JSON has them: of whom nothing is known, null is.
func jsonUsers(all map[string]json.RawMessage) map[string]json.RawMessage {
	users := make(map[string]json.RawMessage, len(all))
	for uid, info := range all {
		if info == nil {
			info = json.RawMessage("null")
		}
		users[uid] = info
	}
	return users
}

// countPresent tells of each channel how many are there.
func (t *Table[C]) countPresent(q *Request, done func(Reply)) {
	err := t.hub.CountPresent(q.To, func(n []int, err error) {
		if err != nil {
			done(t.refuse(q, err))
			return
		}
		r := counts(q, push.Answer{Counts: n})
		r.OK = true
		done(r)
	})
	if err != nil {
		done(t.refuse(q, err))
	}
}

// presenceStats tells of all channels together, and how many connections there are.
func (t *Table[C]) presenceStats(q *Request, done func(Reply)) {
	err := t.hub.PresenceStats(func(s push.PresenceStats, err error) {
		if err != nil {
			done(t.refuse(q, err))
			return
		}
		t.countConnections(q, Stats{Channels: s.Channels, Users: s.Users}, done)
	})
	if err != nil {
		done(t.refuse(q, err))
	}
}

// countConnections completes what presence_stats answers.
func (t *Table[C]) countConnections(q *Request, s Stats, done func(Reply)) {
	all := push.Question{Verb: push.Count, To: []push.Target{push.Everyone}}
	err := t.hub.Ask(all, func(a push.Answer, err error) {
		if err != nil && !errors.Is(err, push.ErrUnanswered) {
			done(t.refuse(q, err))
			return
		}
		for _, n := range a.Counts {
			s.Connections += n
		}
		done(Reply{OK: true, Stats: &s, Incomplete: err != nil})
	})
	if err != nil {
		done(t.refuse(q, err))
	}
}
