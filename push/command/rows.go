package command

import (
	"encoding/json"
	"slices"

	"github.com/lineman-go/lineman/push"
)

// rows are all commands.
func rows[C push.Conn]() []*row[C] {
	return []*row[C]{
		{
			name: "pub", scope: Publish, does: "sends data as it is written, or text, to the connections of the targets, once to each",
			needs: []string{"to"}, fields: []string{"to", "data", "text", "except"}, answers: []string{"n"}, run: (*Table[C]).publish,
		},
		{
			name: "join", scope: Manage, does: "puts connections into a group",
			needs: []string{"to", "group"}, fields: []string{"to", "group"}, answers: []string{"n"},
			run: each(func(m *push.Member[C], q *Request) error { return m.Join(q.Group) }),
		},
		{
			name: "leave", scope: Manage, does: "takes connections out of a group",
			needs: []string{"to", "group"}, fields: []string{"to", "group"}, answers: []string{"n"},
			run: each(func(m *push.Member[C], q *Request) error { m.Leave(q.Group); return nil }),
		},
		{
			name: "subscribe", scope: Manage, does: "has connections get what is published on a channel",
			needs: []string{"to", "channel"}, fields: []string{"to", "channel"}, answers: []string{"n"},
			run: each(func(m *push.Member[C], q *Request) error { return m.Subscribe(q.Channel) }),
		},
		{
			name: "unsubscribe", scope: Manage, does: "ends that",
			needs: []string{"to", "channel"}, fields: []string{"to", "channel"}, answers: []string{"n"},
			run: each(func(m *push.Member[C], q *Request) error { m.Unsubscribe(q.Channel); return nil }),
		},
		{
			name: "kick", scope: Manage, does: "closes connections, with 4010 unless code, 4000 to 4999, says otherwise",
			needs: []string{"to"}, fields: []string{"to", "code", "reason"}, answers: []string{"n"}, run: (*Table[C]).kick,
		},
		{
			name: "session", scope: Manage, does: "keeps data with connections in place of what was there; null keeps nothing",
			needs: []string{"to", "data"}, fields: []string{"to", "data"}, answers: []string{"n"}, run: (*Table[C]).session,
		},
		{
			name: "revoke", scope: Manage, does: "has the credentials of a uid that were issued up to now be refused, and closes its connections with 4001",
			needs: []string{"uid"}, fields: []string{"uid"}, answers: []string{"n"}, run: (*Table[C]).revoke,
		},
		{
			name: "online", scope: Read, does: "tells of each uid whether it has a connection",
			needs: []string{"uids"}, fields: []string{"uids"}, answers: []string{"online"}, run: (*Table[C]).online,
		},
		{
			name: "count", scope: Read, does: "counts the connections of each target",
			needs: []string{"to"}, fields: []string{"to"}, answers: []string{"counts"}, run: (*Table[C]).count,
		},
		{
			name: "list", scope: Read, does: "names the uids and the connections of the targets",
			needs: []string{"to"}, fields: []string{"to"}, answers: []string{"uids", "conns"}, run: (*Table[C]).list,
		},
		{
			name: "sessions", scope: Read, does: "tells what session keeps with the connections of the targets that have something",
			needs: []string{"to"}, fields: []string{"to"}, answers: []string{"sessions"}, run: (*Table[C]).sessions,
		},
		{
			name: "groups", scope: Read, does: "names the groups that have somebody", answers: []string{"groups"},
			run: func(t *Table[C], _ *Request, done func(Reply)) { done(Reply{OK: true, Groups: named(t.hub.Groups())}) },
		},
		{
			name: "channels", scope: Read, does: "names the channels that have a subscriber", answers: []string{"channels"},
			run: func(t *Table[C], _ *Request, done func(Reply)) {
				done(Reply{OK: true, Channels: named(t.hub.Channels())})
			},
		},
	}
}

// publish sends data as it was written, or text.
func (t *Table[C]) publish(q *Request, done func(Reply)) {
	m := push.Message[C]{To: q.To, Data: q.Data, Except: q.Except}
	switch {
	case (q.Data == nil) == (q.Text == nil):
		done(Failed(invalid(`pub wants "data", any JSON, or "text", a string`)))
		return
	case q.Text != nil:
		m.Data = []byte(*q.Text)
	}
	err := t.hub.Publish(m, func(o push.Outcome) {
		if o.Err != nil {
			done(Failed(o.Err))
			return
		}
		done(reached(o.Reached))
	})
	if err != nil {
		done(Failed(err))
	}
}

// chosen are the connections of a request's targets, each once.
func (t *Table[C]) chosen(q *Request) (members []*push.Member[C], err error) {
	seen := make(map[*push.Member[C]]bool)
	for _, target := range q.To {
		if err := target.Check(); err != nil {
			return nil, err
		}
		for m := range t.hub.Members(target) {
			if !seen[m] {
				seen[m] = true
				members = append(members, m)
			}
		}
	}
	return members, nil
}

// each does something with each connection that a request names. The answer is how many there are.
func each[C push.Conn](f func(*push.Member[C], *Request) error) func(*Table[C], *Request, func(Reply)) {
	return func(t *Table[C], q *Request, done func(Reply)) {
		members, err := t.chosen(q)
		if err == nil {
			err = q.checkNames()
		}
		for _, m := range members {
			if err == nil {
				err = f(m, q)
			}
		}
		if err != nil {
			done(Failed(err))
			return
		}
		done(reached(len(members)))
	}
}

// checkNames looks at the group and the channel before anything is done with them.
func (q *Request) checkNames() error {
	if q.Group != "" {
		return push.Group(q.Group).Check()
	}
	return push.Channel(q.Channel).Check()
}

func (t *Table[C]) kick(q *Request, done func(Reply)) {
	if q.Code == 0 {
		q.Code = push.CodeKicked
	}
	if q.Code < 4000 || q.Code > 4999 || len(q.Reason) > 123 {
		done(Failed(invalid("kick: a code is 4000 to 4999, a reason has at most 123 bytes")))
		return
	}
	members, err := t.chosen(q)
	if err != nil {
		done(Failed(err))
		return
	}
	for _, m := range members {
		t.hub.Kick(m, q.Code, q.Reason)
	}
	done(reached(len(members)))
}

// maxSession is how long the session of a connection may be, in bytes.
const maxSession = 4 << 10

func (t *Table[C]) session(q *Request, done func(Reply)) {
	members, err := t.chosen(q)
	if err == nil && len(q.Data) > maxSession {
		err = invalid("a session has at most %d bytes", maxSession)
	}
	if err != nil {
		done(Failed(err))
		return
	}
	for _, m := range members {
		if string(q.Data) == "null" {
			m.SetValue(nil)
		} else {
			m.SetValue(q.Data)
		}
	}
	done(reached(len(members)))
}

// revoke closes the connections once it is sure that they cannot come back.
func (t *Table[C]) revoke(q *Request, done func(Reply)) {
	uid := string(q.UID)
	if err := push.UID(uid).Check(); err != nil {
		done(Failed(err))
		return
	}
	t.options.Revoke(uid, func(err error) {
		if err != nil {
			done(Failed(&Error{Code: Unavailable, Text: "the revocation could not be kept: " + err.Error()}))
			return
		}
		done(reached(t.hub.KickUID(uid, push.CodeUnauthorized, "the credential was revoked")))
	})
}

func (t *Table[C]) online(q *Request, done func(Reply)) {
	r := Reply{OK: true, Online: make(map[UID]bool, len(q.UIDs))}
	for _, uid := range q.UIDs {
		r.Online[uid] = t.hub.Count(push.UID(string(uid))) > 0
	}
	done(r)
}

func (t *Table[C]) count(q *Request, done func(Reply)) {
	r := Reply{OK: true, Counts: make(map[push.Target]int, len(q.To))}
	for _, target := range q.To {
		if err := target.Check(); err != nil {
			done(Failed(err))
			return
		}
		r.Counts[target] = t.hub.Count(target)
	}
	done(r)
}

func (t *Table[C]) list(q *Request, done func(Reply)) {
	members, err := t.chosen(q)
	if err != nil {
		done(Failed(err))
		return
	}
	uids, conns := []string{}, []push.Target{}
	for _, m := range members {
		conns = append(conns, m.Target())
		if m.UID() != "" {
			uids = append(uids, m.UID())
		}
	}
	slices.Sort(uids)
	slices.Sort(conns)
	uids = slices.Compact(uids)
	done(Reply{OK: true, UIDs: &uids, Conns: &conns})
}

func (t *Table[C]) sessions(q *Request, done func(Reply)) {
	members, err := t.chosen(q)
	if err != nil {
		done(Failed(err))
		return
	}
	r := Reply{OK: true, Sessions: map[push.Target]json.RawMessage{}}
	for _, m := range members {
		if data, ok := m.Value().(json.RawMessage); ok {
			r.Sessions[m.Target()] = data
		}
	}
	done(r)
}
