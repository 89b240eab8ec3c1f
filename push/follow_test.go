package push_test

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// recorder writes down what followers are told.
type recorder struct{ since map[string]push.Since }

func (r *recorder) Since(c *conn, of push.Target) push.Since {
	return r.since[fmt.Sprint(c.id, " ", of)]
}

func (r *recorder) Begun(c *conn, of push.Target, found push.Recovery) {
	text := fmt.Sprint("begun ", of, " ", found.Top)
	for _, m := range found.Messages {
		text += fmt.Sprint(" ", m.Position.Offset, string(m.Data))
	}
	c.got = append(c.got, strings.TrimSpace(text+" "+string(found.Gap)))
}

func (r *recorder) Published(to iter.Seq[*conn], of push.Target, m push.Stored) (n int) {
	for c := range to {
		text := string(m.Data)
		if m.Position != (push.Position{}) {
			text = fmt.Sprint(m.Position.Offset, text)
		}
		c.got = append(c.got, text)
		n++
	}
	return n
}

func (r *recorder) Passed(c *conn, of push.Target, at push.Position) {
	c.got = append(c.got, fmt.Sprint("passed ", at.Offset))
}

func (r *recorder) Missed(to iter.Seq[*conn], of push.Target, why push.Gap, top push.Position) {
	for c := range to {
		c.got = append(c.got, fmt.Sprint("missed ", why, " ", top))
	}
}

func (r *recorder) Ended(c *conn, of push.Target) { c.got = append(c.got, fmt.Sprint("ended ", of)) }

// script is a Broker whose answers a test gives.
type script struct {
	node       push.Node
	subscribes []func(error)
	reads      []func(push.History, error)
	ranges     []push.Range
}

func (s *script) Join(n push.Node) (push.Link, error) { s.node = n; return s, nil }

func (s *script) Subscribe(_ []push.Target, done func(error)) {
	s.subscribes = append(s.subscribes, done)
}
func (s *script) Unsubscribe([]push.Target) {}
func (s *script) Close()                    {}

func (s *script) Publish([]push.Target, push.Publication, func(push.Receipt, error)) {}
func (s *script) Ask([]push.Target, []byte, func([][]byte, error))                   {}
func (s *script) Forget([]push.Target, func(error))                                  {}

func (s *script) History(_ push.Target, r push.Range, done func(push.History, error)) {
	s.reads, s.ranges = append(s.reads, done), append(s.ranges, r)
}

// confirm confirms all subscriptions.
func (s *script) confirm() {
	all := s.subscribes
	s.subscribes = nil
	for _, done := range all {
		done(nil)
	}
}

func offset(n uint64) push.Position { return push.Position{Epoch: "e", Offset: n} }

// deliver delivers the messages of some offsets of chat:7.
func (s *script) deliver(offsets ...uint64) {
	for _, n := range offsets {
		s.node.Deliver([]push.Target{"chat:7"}, push.Publication{
			Node: "other", Number: n, Data: []byte("m"), Positions: []push.Position{offset(n)},
		})
	}
}

// answer answers the oldest question for history with messages up to top.
func (s *script) answer(top uint64, messages ...uint64) {
	h := push.History{Top: offset(top)}
	for _, n := range messages {
		h.Messages = append(h.Messages, push.Stored{Position: offset(n), Data: []byte("m")})
	}
	s.reply(h, nil)
}

func (s *script) reply(h push.History, err error) {
	done := s.reads[0]
	s.reads = s.reads[1:]
	done(h, err)
}

// following is a Hub over a script, with its timers.
type following struct {
	*script
	hub    *hub
	told   *recorder
	timers []func()
}

func newFollowing(t *testing.T) *following {
	f := &following{script: &script{}, told: &recorder{since: make(map[string]push.Since)}}
	o := options()
	o.Do = func(f func()) bool { f(); return true }
	o.After = func(_ time.Duration, run func()) { f.timers = append(f.timers, run) }
	o.Broker, o.Followers, o.MaxRecover = f.script, f.told, 4
	o.Namespaces = map[string]push.Namespace{"chat": {History: push.Retention{Size: 100}}}
	f.hub = newHub(t, o)
	f.node.Linked(true)
	return f
}

// follower is a connection that follows chat:7 since an offset; negative: from now on.
func (f *following) follower(t *testing.T, id uint64, since int) (*member, *conn) {
	t.Helper()
	if since >= 0 {
		f.told.since[fmt.Sprint(id, " chat:7")] = push.Since{Position: offset(uint64(since))}
	}
	c := &conn{id: id}
	m, err := f.hub.AddFollower(c, "")
	if err == nil {
		err = m.Subscribe("chat:7")
	}
	if err != nil {
		t.Fatal(err)
	}
	return m, c
}

func (c *conn) is(t *testing.T, want ...string) {
	t.Helper()
	if got := c.take(); !slices.Equal(got, want) {
		t.Errorf("connection %d got %q, want %q", c.id, got, want)
	}
}

// TestCatchUp has a connection get what it has missed, then what is published, without a hole, a double or a turn, in
// whatever order the Broker answers.
func TestCatchUp(t *testing.T) {
	f := newFollowing(t)
	_, c := f.follower(t, 1, 3)
	f.deliver(5) // before the subscription is confirmed
	c.is(t)
	f.confirm()
	f.deliver(6, 7)
	c.is(t)
	f.answer(6, 4, 5, 6)
	c.is(t, "begun chat:7 e.6 4m 5m 6m", "7m")
	f.deliver(8)
	c.is(t, "8m")
	if want := (push.Range{Since: offset(3), Limit: 4, Bytes: 512 << 10}); f.ranges[0] != want {
		t.Errorf("the history was asked for %+v", f.ranges[0])
	}

	_, late := f.follower(t, 2, 8) // the history is ahead of what the node has delivered
	f.confirm()
	f.answer(10, 9, 10)
	late.is(t, "begun chat:7 e.a 9m 10m")
	f.deliver(9)
	late.is(t)
	_, third := f.follower(t, 3, -1)
	f.confirm()
	f.answer(10)
	f.deliver(10, 11)
	late.is(t, "11m")
	third.is(t, "begun chat:7 e.a", "11m")
	c.is(t, "9m", "10m", "11m")
}

// TestCatchUpNew begins with a target of which this node knows nothing: what the history had is not told again.
func TestCatchUpNew(t *testing.T) {
	f := newFollowing(t)
	_, c := f.follower(t, 1, 0)
	f.confirm()
	f.answer(2, 1, 2)
	f.deliver(1, 2, 3)
	c.is(t, "begun chat:7 e.2 1m 2m", "3m")
}

// TestCatchUpLimit tells none of what is too much, and why.
func TestCatchUpLimit(t *testing.T) {
	f := newFollowing(t)
	_, c := f.follower(t, 1, 1)
	f.confirm()
	f.answer(9, 2, 3, 4, 5)
	c.is(t, "begun chat:7 e.9 limit")
	f.deliver(10)
	c.is(t, "10m")
}

// TestRepair reads from the history what the Broker has lost, for all who follow.
func TestRepair(t *testing.T) {
	f := newFollowing(t)
	_, a := f.follower(t, 1, -1)
	_, b := f.follower(t, 2, -1)
	f.confirm()
	f.answer(5) // for both
	f.deliver(6, 8, 9)
	a.is(t, "begun chat:7 e.5", "6m")
	f.answer(8, 7, 8)
	a.is(t, "7m", "8m", "9m")
	b.is(t, "begun chat:7 e.5", "6m", "7m", "8m", "9m")
	f.deliver(9, 10)
	a.is(t, "10m")

	f.node.Linked(false)
	f.node.Linked(true)
	f.deliver(13)
	a.is(t)
	f.answer(12, 11, 12)
	a.is(t, "11m", "12m", "13m")
	b.is(t, "10m", "11m", "12m", "13m")

	f.hub.CheckTails(1)
	f.reply(push.History{Top: push.Position{Epoch: "other", Offset: 3}, Gap: push.GapEpoch}, nil)
	a.is(t, "missed epoch other.3")
	f.node.Deliver([]push.Target{"chat:7"}, push.Publication{
		Data: []byte("n"), Positions: []push.Position{{Epoch: "other", Offset: 4}},
	})
	b.is(t, "missed epoch other.3", "4n")
}

// TestRepairAgain has a hole in what was held be read as well.
func TestRepairAgain(t *testing.T) {
	f := newFollowing(t)
	_, c := f.follower(t, 1, -1)
	f.confirm()
	f.answer(5)
	f.deliver(7, 9)
	f.answer(7, 6, 7)
	c.is(t, "begun chat:7 e.5", "6m", "7m")
	f.answer(9, 8, 9)
	c.is(t, "8m", "9m")
	f.deliver(10)
	c.is(t, "10m")
}

// TestCatchUpBreaks asks for the history again when the link is back, and ignores what is answered late.
func TestCatchUpBreaks(t *testing.T) {
	f := newFollowing(t)
	m, c := f.follower(t, 1, 3)
	f.confirm()
	f.node.Linked(false)
	late := f.reads[0]
	f.reads = nil
	f.node.Linked(true)
	late(push.History{}, push.ErrUnlinked)
	late(push.History{Top: offset(9)}, nil)
	c.is(t)
	f.answer(4, 4)
	c.is(t, "begun chat:7 e.4 4m")

	if err := m.Follow("chat:7"); err != nil {
		t.Fatal(err)
	}
	f.confirm()
	f.deliver(5)
	f.reply(push.History{}, push.ErrUnanswered) // the link is up: a second later it is asked again
	c.is(t)
	if len(f.timers) != 1 {
		t.Fatalf("%d timers", len(f.timers))
	}
	f.timers[0]()
	f.answer(5, 4, 5)
	c.is(t, "begun chat:7 e.5 4m 5m")

	m.Unsubscribe("chat:7")
	if err := m.Subscribe("chat:7"); err != nil {
		t.Fatal(err)
	}
	f.confirm()
	m.Unsubscribe("chat:7")
	f.answer(7, 6, 7)
	f.deliver(8)
	c.is(t)
}

// TestCatchUpHolds holds so much, and reads the history again if more comes.
func TestCatchUpHolds(t *testing.T) {
	f := newFollowing(t)
	_, c := f.follower(t, 1, 0)
	f.confirm()
	for n := range uint64(1002) {
		f.deliver(n + 1)
	}
	f.answer(2, 1, 2)
	c.is(t, "begun chat:7 e.2 1m 2m")
	f.reply(push.History{Top: offset(1002), Gap: push.GapExpired}, nil)
	f.deliver(1003)
	c.is(t, "missed expired e.ru", "1003m")
}

// TestFollowersAndPlain gives each connection of a target what it wants: those that follow once for each target, in
// their order, and others once.
func TestFollowersAndPlain(t *testing.T) {
	told := &recorder{since: map[string]push.Since{"2 chat:7": {Last: 2}}}
	o := options()
	o.Followers = told
	o.Namespaces = map[string]push.Namespace{"chat": {History: push.Retention{Size: 100}}}
	h := newHub(t, o)
	for _, data := range []string{"a", "b", "c"} {
		publish(t, h, message{To: []push.Target{"chat:7"}, Data: []byte(data)})
	}
	follower, plain := &conn{id: 1}, &conn{id: 2}
	m, err := h.AddFollower(follower, "ann")
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Add(plain, "ann")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*member{m, p} {
		if err := m.Subscribe("chat:7"); err != nil {
			t.Fatal(err)
		}
	}
	plain.is(t, "b", "c")
	if n := publish(t, h, message{To: []push.Target{"u:ann", "chat:7", "*"}, Data: []byte("d")}); n != 2 {
		t.Errorf("it reached %d", n)
	}
	plain.is(t, "d")
	got := follower.take()
	if len(got) != 5 || got[0] != "begun u:ann" || !strings.HasPrefix(got[1], "begun chat:7 ") ||
		!slices.Equal(got[2:], []string{"d", "4d", "d"}) {
		t.Errorf("the follower got %q", got)
	}
	publish(t, h, message{To: []push.Target{"chat:7"}, Data: []byte("e"), Except: m.Target()})
	follower.is(t, "passed 5")
	plain.is(t, "e")
	if err := h.Ask(push.Question{Verb: push.Unsubscribe, To: []push.Target{"u:ann"}, Name: "chat:7"},
		func(push.Answer, error) {}); err != nil {
		t.Fatal(err)
	}
	follower.is(t, "ended chat:7")
	publish(t, h, message{To: []push.Target{"chat:7"}, Data: []byte("f")})
	follower.is(t)
	if s := h.Stats(); s.Conns != 2 {
		t.Errorf("the stats are %+v", s)
	}
}

// TestSubscribedKeepsCount has a target that somebody follows keep its count, however short memory is.
func TestSubscribedKeepsCount(t *testing.T) {
	o := options()
	o.Followers, o.HistoryBytes = &recorder{}, 2000
	o.Namespaces = map[string]push.Namespace{"": {History: push.Retention{Size: 1}}}
	h := newHub(t, o)
	c := &conn{id: 1}
	m, err := h.AddFollower(c, "")
	if err == nil {
		err = m.Subscribe("quiet")
	}
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 { // they count nothing
		if err := m.Subscribe(fmt.Sprint("unused", i)); err != nil {
			t.Fatal(err)
		}
	}
	c.take()
	publish(t, h, message{To: []push.Target{"quiet"}, Data: []byte("x")})
	history := 0
	if err := h.History("quiet", push.Range{Limit: 10}, func(found push.History, err error) {
		history = len(found.Messages)
	}); err != nil || history != 1 {
		t.Errorf("%d messages are kept: %v", history, err)
	}
	for i := range 100 {
		publish(t, h, message{To: []push.Target{push.Channel(fmt.Sprint("other", i))}, Data: make([]byte, 500)})
	}
	publish(t, h, message{To: []push.Target{"quiet"}, Data: []byte("y")})
	if got := c.take(); !slices.Equal(got, []string{"1x", "2y"}) {
		t.Errorf("it got %q", got)
	}
}
