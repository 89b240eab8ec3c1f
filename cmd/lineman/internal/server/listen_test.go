package server_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push/events"
)

// heard is an event of a page as a listener gets it.
type heard struct {
	Type         events.Kind
	Conn, UID    string
	Call         string
	Seq, N       uint64
	Time, Lasted int64
	Again        bool
	Remote, Why  string
	Level, Code  int
	Text, B64    string
	Data         json.RawMessage
	Session      json.RawMessage
}

// hear is what a listener is told next.
func hear(t *testing.T, b *linemantest.Client) (e heard) {
	t.Helper()
	line := b.Receive()
	if err := json.Unmarshal([]byte(line), &e); err != nil || e.Type == "" {
		t.Fatalf("the event %s: %v", line, err)
	}
	return e
}

// listening is a connection that listens.
func (r *running) listening(request string) *linemantest.Client {
	r.t.Helper()
	b := r.backend()
	if got := ask(b, request); got != `{"ok":true}` {
		r.t.Fatalf("%s: %s", request, got)
	}
	return b
}

func TestListen(t *testing.T) {
	r := start(t, devMode(), server.Options{})
	l := r.listening(`{"cmd":"listen","events":["connect","close"],"group":"chat"}`)
	p := r.page("ann")
	came := hear(t, l)
	if came.Type != events.Connect || came.UID != "ann" || came.N != 1 || came.Level != 0 ||
		!strings.HasPrefix(came.Remote, "127.0.0.1:") || !strings.HasPrefix(came.Conn, "c:") || came.Time == 0 {
		t.Errorf("ann came: %+v", came)
	}
	if got := ask(l, `{"cmd":"session","to":"u:ann","data":{"cart":3}}`); got != `{"ok":true,"n":1}` {
		t.Errorf("another command on the same connection: %s", got)
	}
	l.Write(`{"cmd":"ack","n":1}` + "\n")
	p.Goodbye(1000, "enough")
	gone := hear(t, l)
	if gone.Type != events.Close || gone.Conn != came.Conn || gone.UID != "ann" || gone.Code != 1000 ||
		gone.Why != "enough" || gone.N != 2 || gone.Seq <= came.Seq || string(gone.Session) != `{"cart":3}` {
		t.Errorf("ann went: %+v", gone)
	}
	for line, want := range map[string]string{
		`{"cmd":"ack","n":9}`:                   "no event 9 was sent",
		`{"cmd":"ack"}`:                         `ack wants \"n\"`,
		`{"cmd":"listen","events":["message"]}`: "once on a connection",
		`{"cmd":"reply","call":"x","data":1}`:   "nobody waits",
	} {
		if got := ask(l, line); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// What a listener has not acknowledged goes to another one.
func TestListenerEnds(t *testing.T) {
	r := start(t, devMode(), server.Options{})
	l := r.listening(`{"cmd":"listen","events":["connect","close"]}`)
	r.page("ann")
	first := hear(t, l)
	l.Reset()
	second := hear(t, r.listening(`{"cmd":"listen","events":["connect","close"]}`))
	if second.Conn != first.Conn || !second.Again || second.N != 1 || second.Seq != first.Seq {
		t.Errorf("first %+v, then %+v", first, second)
	}
}

// A page that a back end closes tells why.
func TestKickedIsHeard(t *testing.T) {
	t.Parallel()
	r := start(t, devMode(), server.Options{})
	r.page("ann")
	b := r.backend()
	r.known(b, "ann")
	l := r.listening(`{"cmd":"listen","events":["close"]}`)
	if got := ask(b, `{"cmd":"kick","to":"u:ann","code":4321,"reason":"rude"}`); got != `{"ok":true,"n":1}` {
		t.Fatal(got)
	}
	if e := hear(t, l); e.UID != "ann" || e.Code != 4321 || e.Why != "rude" {
		t.Errorf("told %+v", e)
	}
}

func TestListenRefused(t *testing.T) {
	c := devMode()
	c.API.Keys = []config.Key{
		{Name: "shop", Key: "the key of the shop is long", Scopes: []string{"listen"}, Targets: []string{"u:a*"}},
		{Name: "read", Key: "the key that only reads is long", Scopes: []string{"read"}},
	}
	r := start(t, c, server.Options{})
	for line, want := range map[string]string{
		`{"cmd":"listen"}`:                                     "wants",
		`{"cmd":"listen","events":[]}`:                         "nothing is asked for",
		`{"cmd":"listen","events":["sync"]}`:                   "no event is called",
		`{"cmd":"listen","events":["close"],"group":"hook:a"}`: "no listener can be",
		`{"cmd":"listen","events":["close"],"of":[]}`:          "is empty",
		`{"cmd":"listen","events":["close"],"window":-1}`:      "a window is",
		`{"cmd":"ack","n":1}`:                                  "say listen first",
	} {
		if got := ask(r.backend(), line); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	b := r.backend()
	ask(b, `{"cmd":"auth","key":"the key that only reads is long"}`)
	if got := ask(b, `{"cmd":"listen","events":["close"]}`); !strings.Contains(got, "does not have the scope listen") {
		t.Errorf("without the scope: %s", got)
	}
	ask(b, `{"cmd":"auth","key":"the key of the shop is long"}`)
	if got := ask(b, `{"cmd":"listen","events":["close"],"of":["u:b"]}`); !strings.Contains(got, "is not for") {
		t.Errorf("targets that the key is not for: %s", got)
	}
	if got := ask(b, `{"cmd":"listen","events":["connect"]}`); got != `{"ok":true}` {
		t.Fatal(got)
	}
	r.page("bob")
	r.page("ann")
	if e := hear(t, b); e.UID != "ann" {
		t.Errorf("told of %s", e.UID)
	}
}
