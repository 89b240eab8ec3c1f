package command

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/lineman-go/lineman/internal/jsontext"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/events"
)

// A Listening is the connection of a back end, which the command listen makes a listener of events. Its methods are
// called on the loop of the Hub.
type Listening interface {
	// Begin is called once. The connection acknowledges by l, and closes it when it has closed, at the latest.
	Begin(l *events.Listener)

	// Send is that of events.Sink. It may be called before Begin: what would go before the answer to the command has to
	// wait for Listener.Resume.
	events.Sink
}

// HookGroups begins the names of the groups that hooks have. No listener can be in one.
const HookGroups = "hook:"

// defaultGroup is the group of a listener that names none.
const defaultGroup = "default"

// listen makes a connection a listener.
func (t *Table[C]) listen(q *Request, done func(Reply)) {
	want := events.Listen{Group: q.Group, Of: q.Of, Window: q.Window, Observe: q.Observe, Sink: q.by.Listening}
	if want.Group == "" {
		want.Group = defaultGroup
	}
	for _, kind := range q.Events {
		want.Events = append(want.Events, events.Kind(kind))
	}
	var err error
	switch {
	case q.by.Listening == nil:
		err = invalid("listen is for the port for lines, once on a connection")
	case strings.HasPrefix(want.Group, HookGroups):
		err = invalid("no listener can be in a group called %q", want.Group)
	default:
		want.Of, err = q.by.Permit.narrow(want.Of)
	}
	if err != nil {
		done(t.refuse(q, err))
		return
	}
	l, err := t.options.Dispatcher.Listen(want)
	if err != nil {
		done(t.refuse(q, err))
		return
	}
	q.by.Listening.Begin(l)
	done(Reply{OK: true})
}

// narrow are the patterns that a listener has asked for, if the permit allows them all; those of the permit, if it has
// asked for everything.
func (p *Permit) narrow(of []string) ([]string, error) {
	if of != nil && len(of) == 0 {
		return nil, invalid(`"of" is empty: leave it out, or name targets`)
	}
	if p == nil || len(p.Targets) == 0 {
		return of, nil
	}
	if of == nil {
		return slices.Clone(p.Targets), nil
	}
	for _, pattern := range of {
		if !push.Match(p.Targets, pattern) {
			return nil, &Error{Code: Denied, Text: "the key \"" + p.Name + "\" is not for \"" + pattern + "\""}
		}
	}
	return of, nil
}

// reply answers what a page has asked back ends.
func (t *Table[C]) reply(q *Request, done func(Reply)) {
	switch {
	case (q.Data == nil) == (q.Failure == nil):
		done(t.refuse(q, invalid(`reply wants "data", any JSON, or "error", a text`)))
		return
	case q.Code != 0 && q.Failure == nil, q.Code < 0, q.Code > maxReplyCode:
		done(t.refuse(q, invalid(`"code" is 1 to %d, and goes with "error"`, maxReplyCode)))
		return
	}
	a := CallAnswer{Data: slices.Clone(q.Data), Code: q.Code}
	if q.Failure != nil {
		a.Text = *q.Failure
	}
	t.options.Reply(q.Call, a, func(err error) {
		if err != nil {
			done(t.refuse(q, err))
			return
		}
		done(Reply{OK: true})
	})
}

// maxReplyCode is the greatest code of the answer to a page.
const maxReplyCode = 999

// CallAnswer is what a back end answers to a page: Data, or else an error with a text and perhaps a code.
type CallAnswer struct {
	Data json.RawMessage
	Code int
	Text string
}

// ErrNoCall is the answer to a reply that nobody waits for.
var ErrNoCall error = &Error{
	Code: Invalid, Text: "nobody waits for this reply: it has come already, or too late, or the page has gone",
}

// ackBegins begins an acknowledgement as most are written.
var ackBegins = []byte(`{"cmd":"ack","n":`)

// Acknowledged is the number that a line of a listener acknowledges: {"cmd":"ack","n":17}.
func Acknowledged(line []byte) (n uint64, says bool, err error) {
	if number, found := bytes.CutPrefix(line, ackBegins); found && bytes.HasSuffix(number, []byte("}")) {
		if n, err = strconv.ParseUint(string(number[:len(number)-1]), 10, 64); err == nil {
			return n, true, nil
		}
	}
	if !bytes.Contains(line, []byte(`"ack"`)) {
		return 0, false, nil
	}
	o, err := parseObject(line, &jsontext.Object{})
	if err != nil || string(o.get("cmd")) != `"ack"` {
		return 0, false, nil
	}
	n, err = strconv.ParseUint(string(o.get("n")), 10, 64)
	if err != nil || o.Len() != 2 {
		err = invalid(`ack wants "n", the number of an event, and nothing else`)
	}
	return n, true, err
}

// refuseAck answers ack where nothing is listened to.
func (t *Table[C]) refuseAck(q *Request, done func(Reply)) {
	done(t.refuse(q, invalid("ack is for a connection that listens: say listen first")))
}

// hearing are the commands of who hears of pages.
func hearing[C push.Conn]() []*row[C] {
	return []*row[C]{
		{
			name: "listen", scope: Listen,
			does:  "has the connection be told what pages say, who comes and who goes, as one of a group",
			needs: []string{"events"}, fields: []string{"events", "group", "of", "window", "observe"}, streams: true,
			run: (*Table[C]).listen,
		},
		{
			name: "ack", scope: Listen, does: "says that all events up to the n-th are done; it is not answered",
			needs: []string{"n"}, fields: []string{"n"}, streams: true, run: (*Table[C]).refuseAck,
		},
		{
			name: "reply", scope: Listen, does: "answers what a page has asked by rpc",
			needs: []string{"call"}, fields: []string{"call", "data", "error", "code"}, run: (*Table[C]).reply,
		},
	}
}
