package server

import (
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/text"
	"github.com/lineman-go/lineman/push"
)

// maxWaiting is how many lines of a back end may wait for their answers: then no more of its lines are read.
const maxWaiting = 1024

// backend is a back end's connection: its answers, in the order of its lines.
type backend struct {
	conn    *lineman.Conn
	waiting []*answer
}

// answer is that of a line; its text is nil until it is known.
type answer struct{ text []byte }

// expect takes a place among the answers.
func (b *backend) expect() *answer {
	a := &answer{}
	b.waiting = append(b.waiting, a)
	if len(b.waiting) == maxWaiting {
		b.conn.Pause()
	}
	return a
}

// settle gives an answer its text, and sends those that are known, up to the first that is not.
func (b *backend) settle(a *answer, text string) {
	a.text = []byte(text)
	full := len(b.waiting) >= maxWaiting
	for len(b.waiting) > 0 && b.waiting[0].text != nil {
		_ = b.conn.Send(b.waiting[0].text) // a back end that does not read its answers loses them
		b.waiting = b.waiting[1:]
	}
	if full && len(b.waiting) < maxWaiting {
		b.conn.Resume()
	}
}

// textWorker is the port for back ends: a line of JSON goes, as it is, to the pages of its uid; the answer is ok, fail or an error.
func (s *Server) textWorker() *lineman.Worker {
	w := &lineman.Worker{
		Name: "backends", Addr: "text://" + s.config.Text,
		Protocol: text.Protocol{RefuseHTTP: true}, // a page of another site can post to this port
		Limits:   lineman.Limits{MaxMessage: 64 << 10},
	}
	w.OnConnect = func(c *lineman.Conn) { c.SetValue(&backend{conn: c}) }
	w.OnMessage = func(c *lineman.Conn, line []byte) { s.line(c.Value().(*backend), line) }
	w.OnInvalid = func(c *lineman.Conn, err error) {
		b := c.Value().(*backend)
		b.settle(b.expect(), "error: "+err.Error())
	}
	return w
}

// line does what a line asks: one with "cmd" is a command, any other goes to the pages of its uid as it is.
func (s *Server) line(b *backend, line []byte) {
	a := b.expect()
	fields, err := parseLine(line)
	switch {
	case err != nil:
		b.settle(a, "error: "+err.Error())
	case fields["cmd"] != nil:
		s.do(line, func(r reply) { b.settle(a, r.String()) })
	default:
		s.pass(line, fields, func(answer string) { b.settle(a, answer) })
	}
}

// pass publishes a line as it is.
func (s *Server) pass(line []byte, fields map[string]json.RawMessage, done func(answer string)) {
	to, err := targetOf(fields)
	if err == nil {
		message := push.Message[*lineman.Conn]{To: []push.Target{to}, Data: slices.Clone(line)}
		err = s.hub.Publish(message, func(o push.Outcome) {
			if o.Err != nil || o.Reached == 0 {
				done("fail")
				return
			}
			done("ok")
		})
	}
	if err != nil {
		done("error: " + strings.TrimPrefix(err.Error(), "push: "))
	}
}

// parseLine reads a line, which is a JSON object.
func parseLine(line []byte) (fields map[string]json.RawMessage, err error) {
	switch {
	case len(line) == 0:
		return nil, errors.New("empty line: want a JSON object")
	case !utf8.Valid(line):
		return nil, errors.New("not UTF-8")
	}
	if err := json.Unmarshal(line, &fields); err != nil || fields == nil {
		return nil, errors.New("not a JSON object")
	}
	return fields, nil
}

// targetOf is whom a line is for: it has "uid", a string or an integer, or "all":true.
func targetOf(fields map[string]json.RawMessage) (push.Target, error) {
	all, one := fields["all"], fields["uid"]
	switch {
	case all != nil && string(all) != "true":
		return "", errors.New(`"all" must be true`)
	case all != nil && one != nil:
		return "", errors.New(`"uid" and "all" in one line`)
	case all != nil:
		return push.Everyone, nil
	}
	uid, err := parseUID(one)
	return push.UID(uid), err
}

// parseUID reads a uid: 7 and "7" are the same.
func parseUID(raw json.RawMessage) (string, error) {
	if raw == nil {
		return "", errors.New(`no "uid"`)
	}
	var uid string
	if json.Unmarshal(raw, &uid) == nil && raw[0] == '"' {
		return uid, nil
	}
	n, ok := new(big.Int).SetString(string(raw[:min(len(raw), push.MaxName+1)]), 10)
	if !ok {
		return "", errors.New(`"uid" must be a string or an integer`)
	}
	return n.String(), nil
}
