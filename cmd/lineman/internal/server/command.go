package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push"
)

// request is what a back end asks for: a JSON object with "cmd". A command takes the fields that its row in commands names.
type request struct {
	Cmd     string          `json:"cmd"`
	To      targets         `json:"to"`
	Data    json.RawMessage `json:"data"`
	Text    *string         `json:"text"`
	Except  uint64          `json:"except"`
	UID     name            `json:"uid"`
	UIDs    []name          `json:"uids"`
	Conn    uint64          `json:"conn"`
	Group   string          `json:"group"`
	Channel string          `json:"channel"`
	Code    int             `json:"code"`
	Reason  string          `json:"reason"`
	ID      string          `json:"id"`
}

// reply is the answer to a request: one line of JSON.
type reply struct {
	OK       bool            `json:"ok"`
	Error    string          `json:"error,omitempty"`
	N        *int            `json:"n,omitempty"` // connections
	Counts   map[string]int  `json:"counts,omitempty"`
	Online   map[string]bool `json:"online,omitempty"`
	UIDs     []string        `json:"uids,omitempty"`
	Conns    []uint64        `json:"conns,omitempty"`
	Groups   []string        `json:"groups,omitempty"`
	Channels []string        `json:"channels,omitempty"`
}

// String is the reply as a line of JSON.
func (r reply) String() string {
	text, err := json.Marshal(r)
	if err != nil {
		return `{"ok":false,"error":"the answer cannot be written"}`
	}
	return string(text)
}

// targets are one target, or a list of them.
type targets []push.Target

func (t *targets) UnmarshalJSON(b []byte) error {
	var one push.Target
	if json.Unmarshal(b, &one) == nil {
		*t = targets{one}
		return nil
	}
	var all []push.Target
	if err := json.Unmarshal(b, &all); err != nil {
		return errors.New(`"to" must be a target, or a list of them`)
	}
	*t = all
	return nil
}

// name is a uid: a string, or an integer.
type name string

func (n *name) UnmarshalJSON(b []byte) error {
	uid, err := parseUID(b)
	*n = name(uid)
	return err
}

// command is what a back end can ask for, whichever way it asks.
type command struct {
	fields []string // that it takes beside cmd and id
	run    func(s *Server, q *request, done func(reply))
}

// commands has all of them, by name.
var commands = map[string]command{
	"pub":         {[]string{"to", "data", "text", "except"}, (*Server).publish},
	"join":        {[]string{"uid", "conn", "group"}, each((*push.Member[*lineman.Conn]).Join, groupOf)},
	"leave":       {[]string{"uid", "conn", "group"}, each(leaveGroup, groupOf)},
	"subscribe":   {[]string{"uid", "conn", "channel"}, each((*push.Member[*lineman.Conn]).Subscribe, channelOf)},
	"unsubscribe": {[]string{"uid", "conn", "channel"}, each(unsubscribe, channelOf)},
	"kick":        {[]string{"uid", "conn", "code", "reason"}, (*Server).kick},
	"online":      {[]string{"uids"}, (*Server).online},
	"count":       {[]string{"to"}, (*Server).count},
	"list":        {[]string{"to"}, (*Server).list},
	"groups":      {nil, func(s *Server, _ *request, done func(reply)) { done(reply{OK: true, Groups: s.hub.Groups()}) }},
	"channels":    {nil, func(s *Server, _ *request, done func(reply)) { done(reply{OK: true, Channels: s.hub.Channels()}) }},
}

// do runs a request, given as a JSON object.
func (s *Server) do(text []byte, done func(reply)) {
	q, err := parseRequest(slices.Clone(text)) // a message keeps its data
	if err != nil {
		done(failed(err))
		return
	}
	run := commands[q.Cmd].run
	if q.ID == "" {
		run(s, q, done)
		return
	}
	if first := s.done.begin(q.ID, time.Now(), done); first != nil {
		run(s, q, first)
	}
}

func failed(err error) reply {
	return reply{Error: strings.TrimPrefix(err.Error(), "push: ")}
}

// parseRequest reads a request, and refuses fields that its command does not take.
func parseRequest(text []byte) (*request, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, errors.New("not a JSON object")
	}
	var q request
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&q); err != nil {
		return nil, describe(err)
	}
	c, known := commands[q.Cmd]
	if !known {
		return nil, fmt.Errorf("unknown command %q: want one of %s", q.Cmd, strings.Join(names(), ", "))
	}
	for field := range fields {
		if field != "cmd" && field != "id" && !slices.Contains(c.fields, field) {
			return nil, fmt.Errorf("%s takes no %q: it takes %s", q.Cmd, field, strings.Join(append(c.fields, "id"), ", "))
		}
	}
	return &q, nil
}

// describe says what of a request has a wrong type.
func describe(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%q must be of type %s", wrong.Field, wrong.Type)
	}
	return err
}

func names() (all []string) {
	for n := range commands {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}

// publish sends data as it was written, or text.
func (s *Server) publish(q *request, done func(reply)) {
	m := push.Message[*lineman.Conn]{To: q.To, Data: q.Data}
	switch {
	case (q.Data == nil) == (q.Text == nil):
		done(failed(errors.New(`pub wants "data", any JSON, or "text", a string`)))
		return
	case q.Text != nil:
		m.Data = []byte(*q.Text)
	}
	if q.Except != 0 {
		if m.Except = s.hub.Member(q.Except); m.Except == nil {
			done(failed(fmt.Errorf("except: no connection has the id %d", q.Except)))
			return
		}
	}
	err := s.hub.Publish(m, func(o push.Outcome) {
		if o.Err != nil {
			done(failed(o.Err))
			return
		}
		done(reply{OK: true, N: &o.Reached})
	})
	if err != nil {
		done(failed(err))
	}
}

// chosen are the connections that a request means: those of a uid, or one.
func (s *Server) chosen(q *request) ([]*push.Member[*lineman.Conn], error) {
	switch {
	case (q.UID == "") == (q.Conn == 0):
		return nil, fmt.Errorf(`%s wants "uid" or "conn"`, q.Cmd)
	case q.UID != "":
		return slices.Collect(s.hub.Members(push.UID(string(q.UID)))), nil
	}
	if m := s.hub.Member(q.Conn); m != nil {
		return []*push.Member[*lineman.Conn]{m}, nil
	}
	return nil, nil
}

// each does something with each connection that a request means, and a name in it. The answer is how many there are.
func each(f func(*push.Member[*lineman.Conn], string) error, target func(*request) push.Target) func(*Server, *request, func(reply)) {
	return func(s *Server, q *request, done func(reply)) {
		members, err := s.chosen(q)
		t := target(q)
		if err == nil {
			err = t.Check()
		}
		_, name := t.Split()
		for _, m := range members {
			if err == nil {
				err = f(m, name)
			}
		}
		if err != nil {
			done(failed(err))
			return
		}
		n := len(members)
		done(reply{OK: true, N: &n})
	}
}

func groupOf(q *request) push.Target   { return push.Group(q.Group) }
func channelOf(q *request) push.Target { return push.Channel(q.Channel) }

func leaveGroup(m *push.Member[*lineman.Conn], group string) error {
	m.Leave(group)
	return nil
}

func unsubscribe(m *push.Member[*lineman.Conn], channel string) error {
	m.Unsubscribe(channel)
	return nil
}

// kick closes connections.
func (s *Server) kick(q *request, done func(reply)) {
	code := q.Code
	if code == 0 {
		code = push.CodeKicked
	}
	if code < 4000 || code > 4999 || len(q.Reason) > 123 {
		done(failed(errors.New("kick: a code is 4000 to 4999, a reason has at most 123 bytes")))
		return
	}
	members, err := s.chosen(q)
	if err != nil {
		done(failed(err))
		return
	}
	for _, m := range members {
		s.hub.Kick(m, code, q.Reason)
	}
	n := len(members)
	done(reply{OK: true, N: &n})
}

func (s *Server) online(q *request, done func(reply)) {
	r := reply{OK: true, Online: make(map[string]bool, len(q.UIDs))}
	for _, uid := range q.UIDs {
		r.Online[string(uid)] = s.hub.Count(push.UID(string(uid))) > 0
	}
	done(r)
}

func (s *Server) count(q *request, done func(reply)) {
	r := reply{OK: true, Counts: make(map[string]int, len(q.To))}
	for _, t := range q.To {
		if err := t.Check(); err != nil {
			done(failed(err))
			return
		}
		r.Counts[string(t)] = s.hub.Count(t)
	}
	done(r)
}

// list names the uids and the connections of some targets.
func (s *Server) list(q *request, done func(reply)) {
	if len(q.To) != 1 {
		done(failed(errors.New(`list wants one target in "to"`)))
		return
	}
	if err := q.To[0].Check(); err != nil {
		done(failed(err))
		return
	}
	r := reply{OK: true, UIDs: s.hub.UIDs(q.To[0])}
	for m := range s.hub.Members(q.To[0]) {
		r.Conns = append(r.Conns, m.Conn().ID())
	}
	slices.Sort(r.Conns)
	done(r)
}
