package push_test

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
)

// rooms are options whose channels of room have presence with events, and those of hall without. Connections that
// follow write down what they are told.
func rooms() push.Options[*conn] {
	o := options()
	o.Namespaces = map[string]push.Namespace{
		"room": {Presence: push.PresenceEvents, MaxPresent: 3}, "hall": {Presence: push.PresenceList},
	}
	o.Followers = &recorder{since: make(map[string]push.Since)}
	o.PresenceChanged = func(to iter.Seq[*conn], in push.Target, e push.PresenceEvent) {
		text := fmt.Sprintf("%s -%s %d", in, e.UID, e.N)
		if e.Here {
			text = fmt.Sprintf("%s +%s%s %d", in, e.UID, e.Info, e.N)
		}
		for c := range to {
			c.got = append(c.got, text)
		}
	}
	o.PresenceRenewed = func(to iter.Seq[*conn], in push.Target, p push.Presence) {
		for c := range to {
			c.got = append(c.got, fmt.Sprintf("%s is %s", in, written(p)))
		}
	}
	return o
}

// written is who is there, in order, with what is known of each.
func written(p push.Presence) string {
	text := fmt.Sprint(p.N)
	for _, uid := range slices.Sorted(maps.Keys(p.Users)) {
		text += " " + uid + string(p.Users[uid])
	}
	if p.More {
		text += " more"
	}
	return text
}

// hall is a Hub alone, whose timers a test runs.
type hall struct {
	*hub
	t      *testing.T
	last   uint64
	timers []func()
}

func newHall(t *testing.T, o push.Options[*conn]) *hall {
	h := &hall{t: t}
	o.After = func(d time.Duration, f func()) {
		if d != 5*time.Second {
			t.Errorf("a timer of %v", d)
		}
		h.timers = append(h.timers, f)
	}
	h.hub = newHub(t, o)
	return h
}

// elapse runs the timers.
func (h *hall) elapse() {
	timers := h.timers
	h.timers = nil
	for _, f := range timers {
		f()
	}
}

// comes adds a connection of a uid that follows some channels.
func (h *hall) comes(uid string, channels ...string) (*member, *conn) {
	h.t.Helper()
	h.last++
	c := &conn{id: h.last}
	m, err := h.AddFollower(c, uid)
	for _, name := range channels {
		if err == nil {
			err = m.Subscribe(name)
		}
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return m, c
}

// is checks who is in a channel.
func (h *hall) is(in push.Target, want string) {
	h.t.Helper()
	got := "not told"
	if err := h.Presence(in, func(p push.Presence, err error) {
		if got = written(p); err != nil {
			got = err.Error()
		}
	}); err != nil {
		h.t.Fatal(err)
	}
	if got != want {
		h.t.Errorf("%s is %s, want %s", in, got, want)
	}
}

// got checks what a connection was told since.
func (h *hall) got(c *conn, want ...string) {
	h.t.Helper()
	all := slices.DeleteFunc(c.take(), func(text string) bool { return strings.HasPrefix(text, "begun") })
	if !slices.Equal(all, want) {
		h.t.Errorf("it was told %q, want %q", all, want)
	}
}

// TestPresence tells of a channel who is there, each once, and those who follow it who comes and goes: the last
// connection, by whatever way it goes, when it has not come back for a while.
func TestPresence(t *testing.T) {
	o := rooms()
	o.SingleLogin = false
	h := newHall(t, o)
	watcher, told := h.comes("eve", "room:1", "hall:1", "news")
	h.got(told, "room:1 +eve 1")
	phone, _ := h.comes("ann", "room:1")
	laptop, _ := h.comes("ann", "room:1", "hall:1")
	h.comes("", "room:1") // nobody's
	_, plain := add(t, h.hub, 100, "ann")
	h.got(told, "room:1 +ann 2")
	h.is("room:1", "2 ann eve")
	h.is("hall:1", "2 ann eve")
	if err := h.Presence("news", nil); !errors.Is(err, push.ErrNoPresence) {
		t.Errorf("a channel without presence: %v", err)
	}
	for name, leave := range map[string]func(m *member){
		"unsubscribe": func(m *member) { m.Unsubscribe("room:1") },
		"remove":      h.Remove,
		"kick":        func(m *member) { h.Kick(m, 4010, "") },
		"kick uid":    func(m *member) { h.KickUID(m.UID(), 4010, "") },
	} {
		m, _ := h.comes("bob", "room:1")
		leave(m)
		h.is("room:1", "3 ann bob eve")
		h.elapse()
		h.is("room:1", "2 ann eve")
		if got := told.take(); !slices.Equal(got, []string{"room:1 +bob 3", "room:1 -bob 2"}) {
			t.Errorf("%s: told %q", name, got)
		}
	}
	h.Remove(phone)
	h.elapse()
	h.Remove(laptop)
	h.got(told)
	h.comes("ann", "room:1") // it was loaded again
	h.elapse()
	h.got(told)
	h.is("hall:1", "1 eve")
	watcher.Unsubscribe("room:1")
	again, _ := h.comes("eve", "room:1")
	h.Remove(again)
	h.timers[0]() // that of the first time: another one runs now
	h.is("room:1", "2 ann eve")
	h.elapse()
	h.is("room:1", "1 ann")
	if got := plain.take(); got != nil {
		t.Errorf("a connection that does not follow was told %q", got)
	}
}

// TestPresenceSingleLogin has a newer login be no event, though the older connection is closed.
func TestPresenceSingleLogin(t *testing.T) {
	o := rooms()
	o.SingleLogin = true
	h := newHall(t, o)
	_, told := h.comes("eve", "room:1")
	_, first := h.comes("ann", "room:1")
	h.comes("ann", "room:1")
	h.elapse()
	h.got(told, "room:1 +eve 1", "room:1 +ann 2")
	h.is("room:1", "2 ann eve")
	if first.closed == "" {
		t.Error("the first login is still there")
	}
}

// TestPresenceRefused tells what has no presence, and refuses options of presence over a broker that knows none.
func TestPresenceRefused(t *testing.T) {
	h := newHall(t, rooms())
	for _, in := range []push.Target{"u:ann", "g:room:1", "news", "*", "c:node.1"} {
		told := h.Presence(in, func(push.Presence, error) { t.Errorf("%s is told", in) })
		counted := h.CountPresent([]push.Target{"room:1", in}, func([]int, error) { t.Errorf("%s is counted", in) })
		if !errors.Is(told, push.ErrNoPresence) || !errors.Is(counted, push.ErrNoPresence) {
			t.Errorf("%s: %v, %v", in, told, counted)
		}
	}
	if err := h.Presence("room:\x00", nil); err == nil || errors.Is(err, push.ErrNoPresence) {
		t.Errorf("a name that cannot be: %v", err)
	}
	many := make([]push.Target, push.MaxTargets+1)
	if h.CountPresent(many, nil) == nil {
		t.Error("too many are counted")
	}
	if err := newHub(t, options()).PresenceStats(nil); !errors.Is(err, push.ErrNoPresence) {
		t.Errorf("without any presence: %v", err)
	}
	h.Close()
	h.is("room:1", push.ErrClosed.Error())
	p := &parted{}
	o := rooms()
	o.Broker, o.Do = p, func(f func()) bool { f(); return true }
	if _, err := push.New(o); err == nil || !p.closed {
		t.Errorf("over a broker that does not know who is present: %v", err)
	}
	o.Namespaces = nil
	newHub(t, o)
	if p.node.Presence != nil || p.node.PresenceEvents != nil {
		t.Error("a Hub without presence asks for it")
	}
}

// TestPresenceNodes tells who is there over all nodes, also when one of them goes, and after the links broke.
func TestPresenceNodes(t *testing.T) {
	overBrokers(t, func(t *testing.T, o push.Options[*conn], cut, mend func()) {
		r := rooms()
		r.Broker = o.Broker
		all := sites(t, 3, r)
		told := make([]*conn, len(all))
		for i, s := range all {
			s.loop.Await(func() {
				told[i] = &conn{id: 1000}
				m, err := s.hub.AddFollower(told[i], fmt.Sprint("u", i))
				if err != nil || m.Subscribe("room:1") != nil {
					t.Error(err)
				}
			})
			s.until(func() bool { return slices.ContainsFunc(told[i].got, isOf(fmt.Sprint("+u", i))) })
		}
		for i := range all {
			all[i].until(func() bool { return slices.ContainsFunc(told[i].got, isOf("+u2")) })
		}
		if cut != nil {
			cut()
			for _, s := range all {
				s.until(func() bool { return !s.hub.Linked() })
			}
			mend()
			for i, s := range all {
				s.until(func() bool { return slices.ContainsFunc(told[i].got, isOf("room:1 is ")) })
			}
		}
		all[0].loop.Await(func() { told[0].take(); all[2].loop.Do(all[2].hub.Close) })
		all[0].until(func() bool { return slices.ContainsFunc(told[0].got, isOf("-u2 2")) })
		done := make(chan error, 1)
		var p push.Presence
		all[1].loop.Await(func() {
			if err := all[1].hub.Presence("room:1", func(told push.Presence, err error) {
				p = told
				done <- err
			}); err != nil {
				done <- err
			}
		})
		if err := all[1].wait(done); err != nil || written(p) != "2 u0 u1" {
			t.Errorf("two nodes have %s, %v", written(p), err)
		}
	})
}

// isOf finds a text in what was told.
func isOf(part string) func(string) bool {
	return func(text string) bool { return strings.Contains(text, part) }
}

// TestPresenceCosts has a channel without presence cost what it did, though another one has it; and a connection.
func TestPresenceCosts(t *testing.T) {
	if linemantest.Raced() {
		t.Skip("the race detector allocates")
	}
	cost := func(o push.Options[*conn], channel string) float64 {
		h := newHub(t, o)
		m, _ := add(t, h, 1, "ann")
		if err := m.Subscribe("keep"); err != nil {
			t.Fatal(err)
		}
		return testing.AllocsPerRun(500, func() {
			if err := m.Subscribe(channel); err != nil {
				t.Error(err)
			}
			m.SetValue(nil)
			m.Unsubscribe(channel)
		})
	}
	without, with := cost(options(), "news:1"), cost(rooms(), "news:1")
	if with != without {
		t.Errorf("%v allocations where another namespace has presence, and %v without", with, without)
	}
	if size := unsafe.Sizeof(member{}); size > 80 {
		t.Errorf("a connection has %d bytes", size)
	}
}
