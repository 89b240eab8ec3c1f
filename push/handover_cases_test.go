package push_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/internal/fields"
	"github.com/lineman-go/lineman/push"
)

// aside is a Hub alone, with all that a Hub may have, in a bubble.
type aside struct {
	*hub
	alarms
	told  *recorder
	rolls []string // that were told
}

func newAside(t *testing.T) *aside {
	a := &aside{told: &recorder{since: make(map[string]push.Since)}}
	o := options()
	o.After = a.after
	o.Followers, o.Reconnect = a.told, time.Minute
	o.Namespaces = map[string]push.Namespace{
		"chat": {History: push.Retention{Size: 8, TTL: time.Minute}}, "room": {Presence: push.PresenceList},
	}
	o.RollChanged = func(r push.Roll, name string, here bool) { a.rolls = append(a.rolls, fmt.Sprint(r, name, here)) }
	a.hub = newHub(t, o)
	return a
}

// TestHandoverLate has a connection that crosses after the others get what was published meanwhile.
func TestHandoverLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := newAside(t), newAside(t)
		early, late := &conn{id: 1}, &conn{id: 2}
		for _, c := range []*conn{early, late} {
			m, err := from.AddFollower(c, "ann")
			if err == nil {
				err = m.Subscribe("chat:1")
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		publish(t, from.hub, message{To: []push.Target{"chat:1"}, Data: []byte("a")})
		x := save(t, []*hub{from.hub}, everybody)
		all := x.members
		x.members = slices.DeleteFunc(slices.Clone(all), func(m memberState) bool { return m.conn == late })
		x.restore([]*hub{to.hub})
		to.Restored()
		for _, data := range []string{"b", "c"} {
			publish(t, to.hub, message{To: []push.Target{"chat:1"}, Data: []byte(data)})
		}
		late.take()
		x.members = slices.DeleteFunc(all, func(m memberState) bool { return m.conn == early })
		m, err := to.RestoreMember(late, x.members[0].is)
		if err != nil {
			t.Fatal(err)
		}
		publish(t, to.hub, message{To: []push.Target{"chat:1"}, Data: []byte("d")})
		if got := fmt.Sprint(late.take()); got != "[2b 3c 4d]" {
			t.Errorf("who crosses late gets %s", got)
		}
		if _, err := to.RestoreMember(late, x.members[0].is); err == nil {
			t.Error("it has come twice")
		}
		other := newAside(t)
		if _, err := other.RestoreMember(late, x.members[0].is); err == nil || !strings.Contains(err.Error(), "node") {
			t.Errorf("it has come to a node that is not its own: %v", err)
		}
		m.SetValue(7)
		if _, err := to.AppendMember(nil, m); err == nil {
			t.Error("any value crosses")
		}
		to.Remove(m)
		if _, err := to.AppendMember(nil, m); !errors.Is(err, push.ErrRemoved) {
			t.Errorf("who has gone: %v", err)
		}
	})
}

// TestHandoverPause has everything be as old as it is, however long the handover takes.
func TestHandoverPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := newAside(t)
		publish(t, from.hub, message{To: []push.Target{"chat:1"}, Data: []byte("a")})
		at := time.Now()
		time.Sleep(50 * time.Second)
		x := save(t, []*hub{from.hub}, everybody)
		time.Sleep(5 * time.Second)
		to := newAside(t)
		x.restore([]*hub{to.hub})
		to.Restored()
		if m := to.read(t); len(m) != 1 || !m[0].At.Equal(at) {
			t.Errorf("the history is %v, want one of %v", m, at)
		}
		time.Sleep(5 * time.Second)
		if m := to.read(t); len(m) != 0 {
			t.Errorf("after a minute there is %v", m)
		}
	})
}

// TestHandoverClock has the clock be set in a handover: forward, which makes nothing older than a handover may take, or
// back, which makes nothing younger.
func TestHandoverClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := newAside(t)
		publish(t, from.hub, message{To: []push.Target{"chat:1"}, Data: []byte("a")})
		time.Sleep(30 * time.Second)
		x := save(t, []*hub{from.hub}, everybody)
		time.Sleep(24 * time.Hour) // as the clock has it
		to := newAside(t)
		x.restore([]*hub{to.hub})
		to.Restored()
		if m := to.read(t); len(m) != 1 {
			t.Errorf("the history is %v, want one", m)
		}
		time.Sleep(21 * time.Second)
		if m := to.read(t); len(m) != 0 {
			t.Errorf("after a minute there is %v", m)
		}
	})
	for moved, want := range map[time.Duration]time.Duration{
		-24 * time.Hour: 0, -1: 0, time.Second: time.Second, 24 * time.Hour: 10 * time.Second,
	} {
		if got := push.Pause(moved); got != want {
			t.Errorf("%v by the clock are %v, want %v", moved, got, want)
		}
	}
}

func (a *aside) read(t *testing.T) (all []push.Stored) {
	if err := a.History("chat:1", push.Range{Limit: 10}, func(h push.History, err error) {
		if all = h.Messages; err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Error(err)
	}
	return all
}

// TestHandoverKept has a message that was answered be kept for those who come back, and one that was not be refused by
// the predecessor.
func TestHandoverKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := newAside(t), newAside(t)
		m, _ := add(t, from.hub, 1, "ann")
		wait := func(h *hub, to push.Target) *push.Outcome {
			o := &push.Outcome{Reached: -1}
			if err := h.Publish(message{To: []push.Target{to}, Data: []byte(to), Wait: 30 * time.Second},
				func(is push.Outcome) { *o = is }); err != nil {
				t.Fatal(err)
			}
			return o
		}
		had, owed := wait(from.hub, "u:ann"), wait(from.hub, "u:bob")
		from.Remove(m)
		from.pass(10 * time.Second)
		handOver(t, from.hub, to.hub)
		if had.Reached != 1 || !errors.Is(owed.Err, push.ErrClosed) {
			t.Errorf("the outcomes are %+v and %+v", had, owed)
		}
		replayed := func(id uint64, uid string) string {
			m, c := add(t, to.hub, id, uid)
			to.Replay(m)
			return fmt.Sprint(c.take())
		}
		if ann, bob := replayed(2, "ann"), replayed(3, "bob"); ann != "[u:ann]" || bob != "[]" {
			t.Errorf("who comes back gets %s, and %s", ann, bob)
		}
		to.pass(20 * time.Second)
		if late := replayed(4, "ann"); late != "[]" {
			t.Errorf("after half a minute one gets %s", late)
		}
	})
}

// TestHandoverRolls has a roll go on without a word, and names go when they would have gone.
func TestHandoverRolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := newAside(t), newAside(t)
		from.Roll(push.RollUIDs, true)
		for id, uid := range []string{"ann", "bob", "eve"} {
			add(t, from.hub, uint64(id), uid)
		}
		from.Remove(from.Member(1))
		from.pass(3 * time.Second)
		x := save(t, []*hub{from.hub}, func(c *conn) bool { return c.id != 2 })
		x.restore([]*hub{to.hub})
		from.HandedOver(func(c *conn) bool { return c.id != 2 })
		to.Restored()
		from.Remove(from.Member(2))
		from.pass(time.Minute)
		to.pass(0)
		if len(from.rolls) != 3 {
			t.Errorf("the predecessor tells %q", from.rolls)
		}
		if fmt.Sprint(to.rolls) != "[uidsbobfalse uidsevefalse]" {
			t.Errorf("the successor tells %q", to.rolls)
		}
		to.ListRoll(push.RollUIDs, func(names []string, err error) {
			if fmt.Sprint(names, err) != "[ann] <nil>" {
				t.Errorf("there are %v, %v", names, err)
			}
		})
	})
}

// TestHandoverNumbers has names of connections and publications go on, and the counters.
func TestHandoverNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := newAside(t), newAside(t)
		m, c := add(t, from.hub, 7, "ann")
		m.SetValue(json.RawMessage(`{"a":1}`))
		name := m.Target()
		publish(t, from.hub, message{To: []push.Target{name}, Data: []byte("a")})
		members := handOver(t, from.hub, to.hub)
		if got := members[c].Target(); got != name || to.ID() != from.ID() {
			t.Errorf("it is called %s, and was %s", got, name)
		}
		if session, _ := members[c].Value().(json.RawMessage); string(session) != `{"a":1}` {
			t.Errorf("its session is %s", session)
		}
		var number string
		all := push.Watch{Target: push.Everyone, Tell: func(e *push.Event) { number = e.Number }}
		stop, err := to.Watch(all, func() {})
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		publish(t, to.hub, message{To: []push.Target{name}, Data: []byte("b")})
		if want := from.ID() + ".2"; number != want {
			t.Errorf("the publication is %s, want %s", number, want)
		}
		if s := to.Stats(); s.Published != 2 || s.Delivered != 2 || s.Conns != 1 {
			t.Errorf("the counters are %+v", s)
		}
		kick := push.Question{Verb: push.Kick, To: []push.Target{name}, Code: 4000}
		if err := from.Ask(kick, func(_ push.Answer, err error) {
			if !errors.Is(err, push.ErrClosed) {
				t.Errorf("the predecessor answers %v", err)
			}
		}); err != nil {
			t.Error(err)
		}
	})
}

// TestHandoverDrains has a Broker refuse that cannot be handed over.
func TestHandoverDrains(t *testing.T) {
	f := newFollowing(t)
	if err := f.hub.SaveBrokerState(nil); err == nil {
		t.Error("a broker that knows nothing of it is handed over")
	}
}

// TestHandoverParts has a history of several parts cross, with data that two targets share across the end of one. A
// part that is missing is noticed, and an error of send ends it.
func TestHandoverParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := newAside(t), newAside(t)
		channels := []push.Target{"chat:1", "chat:2", "chat:3", "chat:4", "chat:5", "chat:6"}
		for i := range 60 {
			data := slices.Repeat([]byte{byte(i)}, []int{60_000, 60_000, 100}[i%3])
			publish(t, from.hub, message{To: channels[i%5 : 2+i%5], Data: data})
		}
		x := save(t, []*hub{from.hub}, everybody)
		if len(x.broker) < 4 {
			t.Fatalf("there are %d parts", len(x.broker))
		}
		x.restore([]*hub{to.hub})
		to.Restored()
		for _, c := range channels {
			was, is := stored(t, from.hub, c), stored(t, to.hub, c)
			if len(was) != 8 || !slices.EqualFunc(was, is, func(a, b push.Stored) bool {
				return a.Position == b.Position && bytes.Equal(a.Data, b.Data) && a.At.Equal(b.At)
			}) {
				t.Errorf("%s: %d messages have become %d, or others", c, len(was), len(is))
			}
		}
		if was, is := from.Stats(), to.Stats(); was.HistoryBytes != is.HistoryBytes {
			t.Errorf("the history took %d bytes, and takes %d", was.HistoryBytes, is.HistoryBytes)
		}
		if err := newAside(t).RestoreBrokerState(x.broker[1]); !errors.Is(err, fields.ErrMalformed) {
			t.Errorf("a part without the first one: %v", err)
		}
		sent, failed := 0, errors.New("the successor has died")
		if err := from.SaveBrokerState(func([]byte) error { sent++; return failed }); err != failed || sent != 1 {
			t.Errorf("%d parts were sent, %v", sent, err)
		}
	})
}

// stored is what is kept of a target.
func stored(t *testing.T, h *hub, of push.Target) (all []push.Stored) {
	t.Helper()
	if err := h.History(of, push.Range{Limit: 100}, func(h push.History, err error) {
		if all = h.Messages; err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return all
}
