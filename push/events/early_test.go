package events

import (
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// What pages say just after the start is for all groups that begin in the time after it, once each, whoever has it
// already; a connection that has closed since is forgotten when that is done.
func TestEarly(t *testing.T) {
	for _, hooked := range []bool{true, false} {
		w := newWorld(t, Options{Early: 10 * time.Second})
		if hooked {
			w.begin(&listener{w: w, room: -1}, Listen{Group: "hook:app", Events: []Kind{Message}, Hook: true})
		}
		w.say("c:1.1", "7", "one")
		w.say("c:1.1", "7", "two")
		w.Gone("c:1.1")
		first := w.listen("a", Message)
		w.say("c:1.2", "8", "three")
		second := w.listen("b", Message)
		check(t, texts(first.got), []string{"one", "two", "three"})
		check(t, texts(second.got), []string{"one", "two", "three"})
		of := &listener{w: w, room: -1}
		w.begin(of, Listen{Group: "c", Events: []Kind{Message}, Of: []string{"u:8"}})
		check(t, texts(of.got), []string{"three"})
		if err := second.Ack(3); err != nil {
			t.Error(err)
		}
		if g, _, _ := w.find("b"); g.bindings["c:1.1"] != nil {
			t.Error("the binding of a connection that has closed is left")
		}
		if joined := w.listen("a", Message); len(joined.got) > 0 {
			t.Errorf("one that joins a group gets %v", texts(joined.got))
		}
		w.pass(10 * time.Second)
		check(t, texts(w.listen("d", Message).got), []string(nil))
		w.say("c:1.2", "8", "four")
		check(t, texts(w.listen("e", Message).got), []string(nil))
	}
}

// Nothing is kept beyond the budget.
func TestEarlyIsBounded(t *testing.T) {
	w := newWorld(t, Options{Early: time.Second, Waiting: 2})
	first := w.listen("a", Message)
	for range 5 {
		w.say("c:1.1", "7", "x")
		if err := first.Ack(uint64(len(first.got))); err != nil {
			t.Error(err)
		}
	}
	check(t, len(w.listen("b", Message).got), 2)
	if len(w.early.said) != 2 || w.early.gone[push.Target("c:1.1")] {
		t.Errorf("%+v is kept", w.early)
	}
}
