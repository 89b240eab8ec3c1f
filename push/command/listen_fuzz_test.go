package command_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/command"
	"github.com/lineman-go/lineman/push/events"
)

// ear is the connection of a back end that may become a listener.
type ear struct {
	listener *events.Listener
	got      int // events that it was sent
}

func (e *ear) Begin(l *events.Listener) { e.listener = l }

func (e *ear) Send(event []byte) bool {
	e.got++
	return json.Valid(event) && bytes.Contains(event, []byte(fmt.Sprintf(`,"n":%d}`, e.got)))
}

// FuzzListening says whatever may come on the connection of a listener: what acknowledges is well-formed and was sent,
// and any other line has one answer.
func FuzzListening(f *testing.F) {
	for _, line := range []string{
		`{"cmd":"listen","events":["message"],"group":"a","of":["u:*"],"window":1}`,
		`{"cmd":"listen","events":["message"],"observe":true}`, `{"cmd":"listen","group":"hook:x"}`,
		`{"cmd":"ack","n":1}`, `{"n":2,"cmd":"ack"}`, `{"cmd":"ack","n":-1}`, `{"cmd":"ack","n":1,"id":"x"}`,
		`{"cmd":"ack","n":18446744073709551616}`, `{"cmd":"ack","n":1}}`, `{"cmd":"ack"}`,
		`{"cmd":"reply","call":"x","data":[1]}`, `{"cmd":"reply","call":"x","error":"no","code":404}`,
		`{"cmd":"reply","call":"x","data":1,"error":"no"}`, `{"cmd":"reply"}`,
	} {
		f.Add([]byte(line), true)
		f.Add([]byte(line), false)
	}
	f.Fuzz(func(t *testing.T, line []byte, listens bool) {
		e := &ear{}
		table, dispatcher := hearingTable(t)
		say := func(line []byte) (answers int) {
			by := command.Caller{}
			if e.listener == nil {
				by.Listening = e
			}
			table.Line(line, by, func(answer []byte) {
				answers++
				if bytes.ContainsAny(answer, "\r\n") {
					t.Errorf("%q: the answer is several lines: %q", line, answer)
				}
			})
			return answers
		}
		if listens {
			say([]byte(`{"cmd":"listen","events":["message","rpc"],"window":1}`))
		}
		for range 2 {
			dispatcher.Emit(&events.Event{Kind: events.Message, Conn: "c:a.1", Data: []byte("1")}, nil)
		}
		n, says, err := command.Acknowledged(line)
		if !says {
			if answers := say(line); answers != 1 {
				t.Errorf("%q has %d answers", line, answers)
			}
			return
		}
		var o struct {
			Cmd string
			N   json.Number
		}
		if json.Unmarshal(line, &o) == nil && (o.Cmd != "ack" || err == nil && o.N.String() != fmt.Sprint(n)) {
			t.Errorf("%q acknowledges %d, %v", line, n, err)
		}
		if err == nil && e.listener != nil && (e.listener.Ack(n) == nil) != (n <= 1) {
			t.Errorf("%q acknowledges what was not sent", line)
		}
	})
}

// hearingTable is one with commands of listeners.
func hearingTable(t *testing.T) (*command.Table[*conn], *events.Dispatcher) {
	hub, err := push.New(push.Options[*conn]{Fanout: func(iter.Seq[*conn], []byte, *push.Forms) int { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	d := events.New(events.Options{Do: func(f func()) bool { f(); return true }, After: func(time.Duration, func()) {}})
	return command.New(hub, command.Options{
		Dispatcher: d, Reply: func(_ string, _ command.CallAnswer, done func(error)) { done(command.ErrNoCall) },
	}), d
}
