package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/lineman-go/lineman/push"
)

// Event is a line that the command watch has a connection be told: a JSON object. What an event does not have is left
// out.
type Event struct {
	Event  string    `json:"event"` // a push.Step, or Missed
	At     time.Time `json:"at"`
	Node   string    `json:"node,omitempty"`   // where it happened
	Number string    `json:"number,omitempty"` // of the publication

	From   *Source       `json:"from,omitempty"`   // who has published; on the node that was asked
	To     []push.Target `json:"to,omitempty"`     // of the publication
	Others int           `json:"others,omitempty"` // targets that are not in To: too many, or the key is not for them
	Size   *int          `json:"size,omitempty"`   // of the publication, in bytes
	Text   *string       `json:"text,omitempty"`   // the publication, up to some bytes

	N     *int   `json:"n,omitempty"`     // connections that have it; of Missed, events
	Conns []Conn `json:"conns,omitempty"` // some of these
	Full  int    `json:"full,omitempty"`  // connections that did not accept it

	Incomplete bool   `json:"incomplete,omitempty"` // some nodes have not answered in time
	Error      *Error `json:"error,omitempty"`      // why it was refused
}

// Missed is the Event that counts those that were left out, as the connection did not read.
const Missed = "missed"

// Source is a push.Source as an Event has it.
type Source struct {
	Via    string      `json:"via"`
	Remote string      `json:"remote,omitempty"`
	Key    string      `json:"key,omitempty"`
	Conn   push.Target `json:"conn,omitempty"` // of the page that has published
	UID    string      `json:"uid,omitempty"`  // likewise
}

// Conn is a push.Recipient as an Event has it.
type Conn struct {
	Conn push.Target `json:"conn"`
	UID  string      `json:"uid,omitempty"`
}

const (
	maxWatching  = 16   // connections that watch at a time on a node: each costs the loop time for each publication
	shownText    = 1024 // bytes of a publication that an Event has
	shownTargets = 20
	shownConns   = 20
)

// Watching is a connection that is told events. Owned by the loop of the Hub.
type Watching struct {
	target push.Target
	stream Stream
	failed func(error) Reply
	end    func() // nil once it has ended
	full   bool
	missed int // events that were left out since one was sent
	line   bytes.Buffer
}

// watch makes a connection one of events.
func (t *Table[C]) watch(q *Request, done func(Reply)) {
	switch {
	case q.by.Stream == nil:
		done(t.refuse(q, invalid("watch is for the port for lines")))
		return
	case len(q.To) != 1:
		done(t.refuse(q, invalid("watch wants one target")))
		return
	case t.watching == maxWatching:
		text := "there are as many connections that watch as may be: end one of them"
		done(t.refuse(q, &Error{Code: TooMany, Text: text}))
		return
	}
	w := t.newWatching(q.by)
	w.target = q.To[0]
	if err := t.begin(w, q.by.Permit, func() { done(Reply{OK: true}) }); err != nil {
		done(t.refuse(q, err))
	}
}

func (t *Table[C]) newWatching(by Caller) *Watching {
	return &Watching{stream: by.Stream, failed: t.failed}
}

// begin has a connection be told events.
func (t *Table[C]) begin(w *Watching, p *Permit, began func()) error {
	begin := t.hub.Watch
	if t.options.Watch != nil {
		begin = t.options.Watch
	}
	stop, err := begin(push.Watch{Target: w.target, May: p.filter(), MaxConns: shownConns, Tell: w.tell}, began)
	if err != nil {
		return err
	}
	t.watching++
	w.end = func() {
		t.watching--
		stop()
	}
	w.stream.Begin(w)
	return nil
}

// End ends it. The second End does nothing.
func (w *Watching) End() {
	if end := w.end; end != nil {
		w.end = nil
		end()
	}
}

// Resume goes on when the stream has room again: the first that it gets is how many events it has missed.
func (w *Watching) Resume() {
	if w.full = false; w.missed > 0 {
		w.send(&Event{Event: Missed, At: time.Now(), N: &w.missed})
	}
}

// tell sends an event, or counts it.
func (w *Watching) tell(e *push.Event) {
	if !w.full {
		w.send(w.event(e))
	}
	if w.full {
		w.missed++
	}
}

// send writes an event, and notes whether there was no room for it.
func (w *Watching) send(e *Event) {
	w.line.Reset()
	to := json.NewEncoder(&w.line)
	to.SetEscapeHTML(false)
	if err := to.Encode(e); err != nil { // it can always be written
		return
	}
	if w.full = !w.stream.Send(bytes.TrimSuffix(w.line.Bytes(), []byte("\n"))); !w.full && e.Event == Missed {
		w.missed = 0
	}
}

// event is a step as it is told.
func (w *Watching) event(e *push.Event) *Event {
	out := &Event{Event: string(e.Step), At: time.Now(), Node: e.Node, Number: e.Number}
	switch e.Step {
	case push.Published, push.Refused:
		size, text := len(e.Data), beginning(e.Data)
		out.Size, out.Text = &size, &text
		out.To = e.To[:min(len(e.To), shownTargets)]
		out.Others = e.Hidden + len(e.To) - len(out.To)
		if from := e.From; from != nil {
			out.From = &Source{Via: from.Via, Key: from.Key, Conn: from.Page.Conn, UID: from.Page.UID}
			if from.Peer != nil {
				out.From.Remote = from.Peer.String()
			}
		}
	case push.Delivered:
		out.N, out.Full = &e.N, e.Full
		for _, r := range e.Conns {
			out.Conns = append(out.Conns, Conn(r))
		}
	case push.Finished:
		out.N = &e.N
	}
	if out.Incomplete = errors.Is(e.Err, push.ErrUnanswered); e.Err != nil && !out.Incomplete {
		out.Error = w.failed(e.Err).Error
	}
	return out
}

// beginning is as much of a publication as is shown, in whole characters.
func beginning(data []byte) string {
	end := min(len(data), shownText)
	for end > 0 && end < len(data) && !utf8.RuneStart(data[end]) {
		end--
	}
	return string(data[:end])
}

// filter reports of targets whether who has the permit may be told of them; nil: of all.
func (p *Permit) filter() func(push.Target) bool {
	if p == nil || len(p.Targets) == 0 {
		return nil
	}
	targets := slices.Clone(p.Targets)
	return func(t push.Target) bool { return push.Match(targets, string(t)) }
}
