package redis

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/lineman-go/lineman/internal/fields"
	"github.com/lineman-go/lineman/push"
)

// stateOfLink is one of version 1, which is read for ever: of a link that is up, one of whose seats is not said yet.
const stateOfLink = "\x01" + "\x01\x05redis" + "\x02\x0flineman 1 false" + "\x03\x01\x01" + "\x04\x02t1" +
	"\x05\x0f" + "\x01\x01e" + "\x02\x01f" + "\x03\x01\x07" + "\x04\x01a" + "\x05\x01\x09" +
	"\x06\x07" + "\x01\x01a" + "\x02\x02\x80\x01" +
	"\x07\x06" + "\x01\x01b" + "\x02\x01\x05" +
	"\x08\x0a" + "\x01\x03c:x" + "\x02\x03ann"

// newSuccessor makes a link that is to be that of a predecessor, and which nobody starts.
func newSuccessor(t testing.TB) (l *link, linked *int) {
	t.Helper()
	b, err := New(Options{Addresses: []string{"127.0.0.1:1"}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	linked = new(int)
	l = newLink(b, push.Node{
		ID: "new", Succeeds: true, Do: func(func()) bool { return true }, Linked: func(bool) { *linked++ },
		Presence: func(push.Target, push.PresenceEvent) {}, PresenceEvents: func(push.Target) bool { return true },
	})
	t.Cleanup(l.cancel)
	return l, linked
}

// TestHandoverState reads what version 1 has written.
func TestHandoverState(t *testing.T) {
	l, linked := newSuccessor(t)
	l.Rename("n1")
	l.Seat("c:x", "ann", []byte("1"))
	if err := l.RestoreState([]byte(stateOfLink)); err != nil {
		t.Fatal(err)
	}
	s := l.shards[0]
	if *linked != 1 || !l.up || s.succession == nil || s.succession.token != "t1" ||
		s.reached.mark() != (mark{"e", "f", 7}) || s.last != (origin{"a", 9}) {
		t.Errorf("linked %d times, %+v", *linked, s)
	}
	if m := l.membership; len(m.seen) != 1 || len(m.gone) != 1 || m.seen["a"].IsZero() || m.gone["b"].IsZero() {
		t.Errorf("nodes: %v, and gone %v", m.seen, m.gone)
	}
	if unsaid := s.outbox.unsaid(); len(unsaid) != 1 || unsaid[0] != (seat{"c:x", "ann"}) {
		t.Errorf("unsaid: %v", unsaid)
	}
	if info := l.Seated("c:x", "ann"); string(info) != "1" {
		t.Errorf("the info is %q", info)
	}
}

// TestHandoverStateOfOthers does without the state of another Broker, or of one elsewhere, and refuses what is none.
func TestHandoverStateOfOthers(t *testing.T) {
	for name, state := range map[string]string{
		"another broker": "\x01" + "\x01\x04nats" + "\x03\x01\x01" + "\x63\x01\x01",
		"elsewhere":      "\x01" + "\x01\x05redis" + "\x02\x0dother 1 false" + "\x03\x01\x01" + "\x05\x00",
	} {
		l, linked := newSuccessor(t)
		if err := l.RestoreState([]byte(state)); err != nil || *linked != 0 || l.up {
			t.Errorf("%s: %v, linked %d times", name, err, *linked)
		}
	}
	l, _ := newSuccessor(t)
	for _, state := range []string{"", "\x02", stateOfLink[:len(stateOfLink)-1]} {
		if l.RestoreState([]byte(state)) == nil {
			t.Errorf("%q is taken", state)
		}
	}
	for _, later := range []string{"\x02" + stateOfLink[1:], stateOfLink + "\x63\x01\x01"} {
		if err := l.RestoreState([]byte(later)); !errors.Is(err, fields.ErrNewer) {
			t.Errorf("what a later version says: %v", err)
		}
	}
}

// FuzzHandoverState has no state make a link panic.
func FuzzHandoverState(f *testing.F) {
	f.Add([]byte(stateOfLink))
	f.Fuzz(func(t *testing.T, state []byte) {
		l, _ := newSuccessor(t)
		if l.RestoreState(state) == nil {
			l.AppendState(nil)
			l.lapse()
		}
	})
}
