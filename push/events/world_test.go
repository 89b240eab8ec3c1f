package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// world is a Dispatcher on a loop of its own.
type world struct {
	*Dispatcher
	t      testing.TB
	now    time.Time
	due    []func()
	timers []timer
	held   map[push.Target]bool
	uids   []string
	stale  int
	name   string // among nodes
}

type timer struct {
	at time.Time
	f  func()
}

func newWorld(t testing.TB, o Options) *world {
	w := &world{t: t, now: time.Unix(1_795_400_000, 0), held: make(map[push.Target]bool)}
	o.Do = func(f func()) bool { w.due = append(w.due, f); return true }
	o.After = func(d time.Duration, f func()) { w.timers = append(w.timers, timer{w.now.Add(d), f}) }
	o.Now = func() time.Time { return w.now }
	o.Hold = func(conn push.Target, on bool) {
		if w.held[conn] == on {
			t.Errorf("%s: told twice that it is held: %v", conn, on)
		}
		w.held[conn] = on
	}
	o.State = func(uids, channels bool, done func(u, c []string, err error)) { done(slices.Clone(w.uids), nil, nil) }
	w.Dispatcher = New(o)
	return w
}

// tick runs what is due.
func (w *world) tick() {
	for len(w.due) > 0 {
		f := w.due[0]
		w.due = w.due[1:]
		f()
	}
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	w.now = w.now.Add(d)
	for i := 0; i < len(w.timers); i++ {
		if t := w.timers[i]; !t.at.After(w.now) {
			w.timers = slices.Delete(w.timers, i, i+1)
			i = -1
			t.f()
			w.tick()
		}
	}
}

// told is an event as a listener gets it.
type told struct {
	Type                Kind
	Conn, UID           string
	Seq, N              uint64
	Again, First, Last  bool
	Data                json.RawMessage
	Text, B64, Why      string
	Events, Code, Level int
	UIDs, Channels      []string
}

// listener is a Sink that notes what it gets.
type listener struct {
	*Listener
	w    *world
	got  []told
	room int // negative: there is always some
}

func (w *world) listen(group string, kinds ...Kind) *listener {
	l := &listener{w: w, room: -1}
	w.begin(l, Listen{Group: group, Events: kinds})
	return l
}

func (w *world) begin(l *listener, want Listen) {
	want.Sink = l
	var err error
	if l.Listener, err = w.Dispatcher.Listen(want); err != nil {
		w.t.Fatal(err)
	}
}

func (l *listener) Send(event []byte) bool {
	if l.room == 0 {
		return false
	}
	l.room--
	var e told
	if err := json.Unmarshal(event, &e); err != nil {
		l.w.t.Errorf("%s: %v", event, err)
	}
	l.got = append(l.got, e)
	return true
}

func (w *world) say(conn, uid, text string) *error {
	result := errors.New("pending")
	w.Emit(&Event{Kind: Message, Conn: push.Target(conn), UID: uid, Data: []byte(text), Form: Text},
		func(err error) { result = err })
	w.tick()
	return &result
}

func texts(all []told) (texts []string) {
	for _, e := range all {
		text := e.Text
		if e.Again {
			text += " again"
		}
		texts = append(texts, text)
	}
	return texts
}

func check(t testing.TB, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}
