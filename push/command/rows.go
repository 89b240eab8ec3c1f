package command

import (
	"errors"
	"slices"
	"time"

	"github.com/lineman-go/lineman/push"
)

// rows are all commands.
func rows[C push.Conn]() []*row[C] {
	return slices.Concat(changes[C](), questions[C](), questionsOfPresence[C](), hearing[C]())
}

// changes are the commands that publish, and that change who gets what.
func changes[C push.Conn]() []*row[C] {
	return []*row[C]{
		{
			name: "pub", scope: Publish,
			does:  "sends data as it is written, or text, to the connections of the targets, once to each",
			needs: []string{"to"}, fields: []string{"to", "data", "text", "except", "wait"},
			answers: []string{"n", "pos"}, drops: true, run: (*Table[C]).publish,
		},
		{
			name: "join", scope: Manage, does: "puts connections into a group",
			needs: []string{"to", "group"}, fields: []string{"to", "group"}, answers: []string{"n"},
			run: asks[C](group(push.Join), counted),
		},
		{
			name: "leave", scope: Manage, does: "takes connections out of a group",
			needs: []string{"to", "group"}, fields: []string{"to", "group"}, answers: []string{"n"},
			run: asks[C](group(push.Leave), counted),
		},
		{
			name: "subscribe", scope: Manage, does: "has connections get what is published on a channel",
			needs: []string{"to", "channel"}, fields: []string{"to", "channel"}, answers: []string{"n"},
			run: asks[C](channel(push.Subscribe), counted),
		},
		{
			name: "unsubscribe", scope: Manage, does: "ends that",
			needs: []string{"to", "channel"}, fields: []string{"to", "channel"}, answers: []string{"n"},
			run: asks[C](channel(push.Unsubscribe), counted),
		},
		{
			name: "kick", scope: Manage,
			does:  "closes connections, with 4010 unless code, 4000 to 4999, says otherwise",
			needs: []string{"to"}, fields: []string{"to", "code", "reason"}, answers: []string{"n"},
			run: asks[C](kick, counted),
		},
		{
			name: "session", scope: Manage,
			does:  "keeps data with connections in place of what was there; null keeps nothing",
			needs: []string{"to", "data"}, fields: []string{"to", "data"}, answers: []string{"n"},
			run: asks[C](session, counted),
		},
		{
			name: "revoke", scope: Manage,
			does: "has the credentials of a uid that were issued up to now be refused, and closes its connections " +
				"with 4001",
			needs: []string{"uid"}, fields: []string{"uid"}, answers: []string{"n"},
			run: (*Table[C]).revoke,
		},
		{
			name: "forget", scope: Manage, does: "removes what is kept of the history of the targets",
			needs: []string{"to"}, fields: []string{"to"}, run: (*Table[C]).forget,
		},
	}
}

// questions are the commands that only tell something.
func questions[C push.Conn]() []*row[C] {
	return []*row[C]{
		{
			name: "online", scope: Read, does: "tells of each uid whether it has a connection",
			needs: []string{"uids"}, fields: []string{"uids"}, answers: []string{"online"},
			run: asks[C](online, connected),
		},
		{
			name: "count", scope: Read, does: "counts the connections of each target",
			needs: []string{"to"}, fields: []string{"to"}, answers: []string{"counts"},
			run: asks[C](about(push.Count), counts),
		},
		{
			name: "list", scope: Read, does: "names the uids and the connections of the targets",
			needs: []string{"to"}, fields: []string{"to"}, answers: []string{"uids", "conns"}, lists: true,
			run: asks[C](about(push.List), listed),
		},
		{
			name: "sessions", scope: Read,
			does:  "tells what session keeps with the connections of the targets that have something",
			needs: []string{"to"}, fields: []string{"to"}, answers: []string{"sessions"}, lists: true,
			run: asks[C](about(push.ListSessions), sessions),
		},
		{
			name: "groups", scope: Read, does: "names the groups that have somebody",
			answers: []string{"groups"}, lists: true,
			run: asks[C](about(push.ListGroups),
				func(_ *Request, a push.Answer) Reply { return Reply{Groups: named(a.Names)} }),
		},
		{
			name: "channels", scope: Read, does: "names the channels that have a subscriber",
			answers: []string{"channels"}, lists: true,
			run: asks[C](about(push.ListChannels),
				func(_ *Request, a push.Answer) Reply { return Reply{Channels: named(a.Names)} }),
		},
		{
			name: "nodes", scope: Read, does: "tells of each node how many connections it has",
			answers: []string{"nodes"},
			run: asks[C](about(push.ListNodes),
				func(_ *Request, a push.Answer) Reply { return Reply{Nodes: a.Nodes} }),
		},
		{
			name: "history", scope: Read,
			does: "tells what was published for a target and is kept: what came after since, from the oldest on, or " +
				"the last ones",
			needs: []string{"to"}, fields: []string{"to", "since", "limit"}, lists: true,
			answers: []string{"messages", "top", "gap"}, run: (*Table[C]).history,
		},
		{
			name: "watch", scope: Watch,
			does:  "has the connection be told what is published for a target, and to whom it goes",
			needs: []string{"to"}, fields: []string{"to"}, streams: true, run: (*Table[C]).watch,
		},
	}
}

// asks has a command be a Question to all nodes, and their Answer be a Reply.
func asks[C push.Conn](
	question func(*Request) (push.Question, error), reply func(*Request, push.Answer) Reply,
) func(*Table[C], *Request, func(Reply)) {
	return func(t *Table[C], q *Request, done func(Reply)) {
		ask, err := question(q)
		if err == nil {
			err = t.hub.Ask(ask, func(a push.Answer, err error) {
				if err != nil && !errors.Is(err, push.ErrUnanswered) {
					done(t.refuse(q, err))
					return
				}
				r := reply(q, a)
				r.OK, r.Incomplete = true, err != nil
				done(r)
			})
		}
		if err != nil {
			done(t.refuse(q, err))
		}
	}
}

// What follows makes Questions of Requests.

func about(v push.Verb) func(*Request) (push.Question, error) {
	return func(q *Request) (push.Question, error) { return push.Question{Verb: v, To: q.To}, nil }
}

func group(v push.Verb) func(*Request) (push.Question, error) {
	return func(q *Request) (push.Question, error) { return push.Question{Verb: v, To: q.To, Name: q.Group}, nil }
}

func channel(v push.Verb) func(*Request) (push.Question, error) {
	return func(q *Request) (push.Question, error) {
		return push.Question{Verb: v, To: q.To, Name: q.Channel}, nil
	}
}

func kick(q *Request) (push.Question, error) {
	if q.Code == 0 {
		q.Code = push.CodeKicked
	}
	if q.Code < 4000 || q.Code > 4999 || len(q.Reason) > 123 {
		return push.Question{}, invalid("kick: a code is 4000 to 4999, a reason has at most 123 bytes")
	}
	return push.Question{Verb: push.Kick, To: q.To, Code: q.Code, Reason: q.Reason}, nil
}

// maxSession is how long the session of a connection may be, in bytes.
const maxSession = 4 << 10

func session(q *Request) (push.Question, error) {
	if len(q.Data) > maxSession {
		return push.Question{}, invalid("a session has at most %d bytes", maxSession)
	}
	ask := push.Question{Verb: push.SetSession, To: q.To}
	if string(q.Data) != "null" {
		ask.Data = slices.Clone(q.Data)
	}
	return ask, nil
}

func online(q *Request) (push.Question, error) {
	ask := push.Question{Verb: push.Count}
	for _, uid := range q.UIDs {
		ask.To = append(ask.To, push.UID(string(uid)))
	}
	return ask, nil
}

// What follows makes Replies of Answers.

func counted(_ *Request, a push.Answer) Reply { return reached(a.N) }

func connected(q *Request, a push.Answer) Reply {
	r := Reply{Online: make(map[UID]bool, len(q.UIDs))}
	for i, uid := range q.UIDs {
		r.Online[uid] = a.Counts[i] > 0
	}
	return r
}

func counts(q *Request, a push.Answer) Reply {
	r := Reply{Counts: make(map[push.Target]int, len(q.To))}
	for i, target := range q.To {
		r.Counts[target] = a.Counts[i]
	}
	return r
}

func listed(_ *Request, a push.Answer) Reply {
	conns := append([]push.Target{}, a.Conns...)
	return Reply{UIDs: named(a.UIDs), Conns: &conns}
}

func sessions(_ *Request, a push.Answer) Reply { return Reply{Sessions: a.Sessions} }

// maxWait is how long a publication may wait for other nodes, in milliseconds.
const maxWait = 30_000

// publish sends data as it was written, or text.
func (t *Table[C]) publish(q *Request, done func(Reply)) {
	m := push.Message[C]{
		To: q.To, Data: q.Data, Except: q.Except, From: q.by.From, Wait: time.Duration(q.Wait) * time.Millisecond,
	}
	switch {
	case (q.Data == nil) == (q.Text == nil && q.text == nil):
		done(t.refuse(q, invalid(`pub wants "data", any JSON, or "text", a string`)))
		return
	case q.Wait < 0 || q.Wait > maxWait:
		done(t.refuse(q, invalid(`"wait" is 0 to %d milliseconds`, maxWait)))
		return
	case q.text != nil:
		m.Data = q.text
	case q.Text != nil:
		m.Data = []byte(*q.Text)
	}
	p := t.beginPublication(q.To, done)
	if err := t.hub.Publish(m, p.finish); err != nil {
		p.end()
		done(t.failed(err))
		return
	}
	p.goOn()
}

// revoke closes the connections once it is sure that they cannot come back.
func (t *Table[C]) revoke(q *Request, done func(Reply)) {
	uid, now := string(q.UID), time.Now()
	if err := push.UID(uid).Check(); err != nil {
		done(t.refuse(q, err))
		return
	}
	everywhere := asks[C](func(*Request) (push.Question, error) {
		return push.Question{Verb: push.Revoked, Name: uid, At: now.Unix()}, nil
	}, counted)
	t.options.Revoke(uid, now, func(err error) {
		if err != nil {
			text := "it is not sure that this was kept, though it may have taken effect: revoke again: " + err.Error()
			done(t.refuse(q, &Error{Code: Unavailable, Text: text}))
			return
		}
		everywhere(t, q, func(r Reply) {
			if r.Error != nil && r.Error.Code == Unavailable {
				r.Error.Text = "the credentials are refused now, but connections may still be there: revoke " +
					"again: " + r.Error.Text
			}
			done(r)
		})
	})
}
