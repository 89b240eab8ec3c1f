package push_test

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pushtest"
)

// conn is a connection that keeps what it gets.
type conn struct {
	id     uint64
	got    []string
	full   bool // it accepts nothing
	closed string
}

func (c *conn) ID() uint64 { return c.id }

// take gets what was sent since.
func (c *conn) take() []string {
	got := c.got
	c.got = nil
	return got
}

type (
	hub     = push.Hub[*conn]
	member  = push.Member[*conn]
	message = push.Message[*conn]
)

// options are those of a Hub whose connections are conns.
func options() push.Options[*conn] {
	return push.Options[*conn]{
		Fanout: func(to iter.Seq[*conn], msg []byte, _ *push.Forms) (n int) {
			for c := range to {
				if !c.full {
					c.got = append(c.got, string(msg))
					n++
				}
			}
			return n
		},
		Close: func(c *conn, code int, reason string) { c.closed = fmt.Sprint(code, " ", reason) },
	}
}

func newHub(t *testing.T, o push.Options[*conn]) *hub {
	t.Helper()
	h, err := push.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// add makes a connection a member.
func add(t *testing.T, h *hub, id uint64, uid string) (*member, *conn) {
	t.Helper()
	c := &conn{id: id}
	m, err := h.Add(c, uid)
	if err != nil {
		t.Fatal(err)
	}
	return m, c
}

// publish returns how many it reached.
func publish(t *testing.T, h *hub, m message) int {
	t.Helper()
	reached := -1
	if err := h.Publish(m, func(o push.Outcome) {
		if o.Err != nil {
			t.Error(o.Err)
		}
		reached = o.Reached
	}); err != nil {
		t.Fatal(err)
	}
	return reached
}

// TestPublish reaches exactly whom its targets name.
func TestPublish(t *testing.T) {
	h := newHub(t, options())
	_, phone := add(t, h, 1, "ann")
	m2, laptop := add(t, h, 2, "ann")
	m3, bob := add(t, h, 3, "bob")
	m4, guest := add(t, h, 4, "")
	all := []*conn{phone, laptop, bob, guest}
	for _, err := range []error{m2.Join("room"), m3.Join("room"), m3.Subscribe("news:go"), m4.Subscribe("news:go")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		to     []push.Target
		except *member
		want   []*conn
	}{
		{[]push.Target{push.UID("ann")}, nil, []*conn{phone, laptop}},
		{[]push.Target{push.UID("ann")}, m2, []*conn{phone}},
		{[]push.Target{push.UID("nobody")}, nil, nil},
		{[]push.Target{push.Group("room")}, nil, []*conn{laptop, bob}},
		{[]push.Target{push.Channel("news:go")}, nil, []*conn{bob, guest}},
		{[]push.Target{push.Channel("room")}, nil, nil},
		{[]push.Target{push.Everyone}, nil, all},
		{[]push.Target{push.Everyone}, m4, []*conn{phone, laptop, bob}},
		{[]push.Target{"u:ann", "g:room", "news:go"}, nil, all},
		{[]push.Target{"u:bob", "g:room"}, m3, []*conn{laptop}},
		{[]push.Target{m2.Target()}, nil, []*conn{laptop}},
		{[]push.Target{m2.Target(), m3.Target(), "u:bob"}, m4, []*conn{laptop, bob}},
		{[]push.Target{"c:elsewhere.1"}, nil, nil},
	} {
		except := push.Target("")
		if c.except != nil {
			except = c.except.Target()
		}
		if n := publish(t, h, message{To: c.to, Data: []byte("x"), Except: except}); n != len(c.want) {
			t.Errorf("%v reached %d, want %d", c.to, n, len(c.want))
		}
		for _, one := range all {
			want := 0
			if slices.Contains(c.want, one) {
				want = 1
			}
			if got := len(one.take()); got != want {
				t.Errorf("%v: connection %d got it %d times, want %d", c.to, one.id, got, want)
			}
		}
	}
	laptop.full = true
	if n := publish(t, h, message{To: []push.Target{"u:ann"}, Data: []byte("x")}); n != 1 {
		t.Errorf("with one connection that takes nothing, %d were reached", n)
	}
}

// TestPublishWrong refuses what is wrong, and sends none of it.
func TestPublishWrong(t *testing.T) {
	o := options()
	o.MaxMessage = 10
	o.Namespaces = map[string]push.Namespace{"small": {MaxMessage: 3}, "large": {MaxMessage: 20}}
	h := newHub(t, o)
	m, c := add(t, h, 1, "ann")
	for _, channel := range []string{"small:x", "large:x"} {
		if err := m.Subscribe(channel); err != nil {
			t.Fatal(err)
		}
	}
	for _, wrong := range []struct {
		to   []push.Target
		data string
		text string
	}{
		{nil, "x", "no target"},
		{[]push.Target{""}, "x", "has no name"},
		{[]push.Target{"u:"}, "x", "a uid has no name"},
		{[]push.Target{"u:ann", "u:ann"}, "x", "named twice"},
		{[]push.Target{"u:" + push.Target(strings.Repeat("x", 256))}, "x", "256 bytes: at most 255"},
		{[]push.Target{"g:\xff"}, "x", "not UTF-8"},
		{[]push.Target{"a\nb"}, "x", "control character"},
		{[]push.Target{"c:12"}, "x", `no connection is called "12"`},
		{[]push.Target{"c:node.x"}, "x", "no connection"},
		{[]push.Target{"u:ann"}, "12345678901", "at most 10"},
		{[]push.Target{"u:ann", "small:x"}, "1234", "at most 3"},
		{[]push.Target{"large:x"}, strings.Repeat("x", 21), "at most 20"},
	} {
		err := h.Publish(message{To: wrong.to, Data: []byte(wrong.data)},
			func(push.Outcome) { t.Errorf("%q was done", wrong.to) })
		if err == nil || !strings.Contains(err.Error(), wrong.text) {
			t.Errorf("%.40q: %v, want %s", wrong.to, err, wrong.text)
		}
	}
	if got := c.take(); len(got) > 0 {
		t.Errorf("it got %q", got)
	}
	if n := publish(t, h, message{To: []push.Target{"large:x"}, Data: []byte(strings.Repeat("x", 20))}); n != 1 {
		t.Errorf("the longest that may be reached %d", n)
	}
}

// TestMembers tells of a connection what it is in, and refuses what may not be.
func TestMembers(t *testing.T) {
	o := options()
	o.MaxPlaces = 3
	o.Namespaces = map[string]push.Namespace{"": {}, "vip": {MaxSubscribers: 1}, "shut": {Closed: true}}
	h := newHub(t, o)
	m, _ := add(t, h, 1, "ann")
	n, _ := add(t, h, 2, "bob")
	m.SetValue(7)
	for _, err := range []error{m.Join("b"), m.Join("a"), m.Join("a"), m.Subscribe("vip:x")} {
		if err != nil {
			t.Error(err)
		}
	}
	if got := fmt.Sprint(m.UID(), m.Groups(), m.Channels(), m.Value()); got != "ann[a b] [vip:x] 7" {
		t.Errorf("it is %s", got)
	}
	if err := m.Join("c"); !errors.Is(err, push.ErrLimit) {
		t.Errorf("one group too many: %v", err)
	}
	if err := n.Subscribe("vip:x"); !errors.Is(err, push.ErrLimit) {
		t.Errorf("one subscriber too many: %v", err)
	}
	if err := n.Subscribe("shut:x"); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("a namespace that is closed: %v", err)
	}
	for _, name := range []string{"", "u:x", "g:x", "c:x.1", "*", "a\x00"} {
		if n.Subscribe(name) == nil {
			t.Errorf("channel %q was subscribed to", name)
		}
	}
	m.Leave("a")
	m.Leave("a")
	m.Unsubscribe("vip:x")
	if err := n.Subscribe("vip:x"); err != nil {
		t.Error(err)
	}
	h.Remove(m)
	h.Remove(m)
	if err := m.Join("a"); !errors.Is(err, push.ErrRemoved) {
		t.Errorf("a connection that was removed: %v", err)
	}
	if _, err := h.Add(&conn{id: 2}, "x"); err == nil {
		t.Error("a connection was added twice")
	}
	if _, err := h.Add(&conn{id: 3}, strings.Repeat("x", 256)); err == nil {
		t.Error("an overlong uid was taken")
	}
}

// TestKick closes connections with a reason; a newer login closes the others, where it is alone.
func TestKick(t *testing.T) {
	o := options()
	h := newHub(t, o)
	m1, c1 := add(t, h, 1, "ann")
	_, c2 := add(t, h, 2, "ann")
	_, c3 := add(t, h, 3, "bob")
	h.Kick(m1, push.CodeKicked, "enough")
	if c1.closed != "4010 enough" || h.Count("u:ann") != 1 {
		t.Errorf("%q, and %d are left", c1.closed, h.Count("u:ann"))
	}
	if n := h.KickUID("ann", 4000, "all of you"); n != 1 || c2.closed != "4000 all of you" || c3.closed != "" {
		t.Errorf("%d were kicked: %q, %q", n, c2.closed, c3.closed)
	}
	if got := h.Online([]string{"ann", "bob", ""}); !slices.Equal(got, []bool{false, true, false}) {
		t.Errorf("online: %v", got)
	}
	o.SingleLogin = true
	h = newHub(t, o)
	_, first := add(t, h, 1, "ann")
	_, guest1 := add(t, h, 2, "")
	_, second := add(t, h, 3, "ann")
	_, guest2 := add(t, h, 4, "")
	if !strings.HasPrefix(first.closed, "4009") || second.closed+guest1.closed+guest2.closed != "" ||
		h.Count(push.Everyone) != 3 {
		t.Errorf("%q %q %q %q, and %d are left", first.closed, guest1.closed, second.closed, guest2.closed,
			h.Count(push.Everyone))
	}
}

// TestOptions refuses a Hub that cannot work.
func TestOptions(t *testing.T) {
	for name, spoil := range map[string]func(o *push.Options[*conn]){
		"Fanout is required":  func(o *push.Options[*conn]) { o.Fanout = nil },
		"Do is required":      func(o *push.Options[*conn]) { o.Broker = push.NewMemory() },
		`can be called "u"`:   func(o *push.Options[*conn]) { o.Namespaces = map[string]push.Namespace{"u": {}} },
		`can be called "a:b"`: func(o *push.Options[*conn]) { o.Namespaces = map[string]push.Namespace{"a:b": {}} },
		"broker: not this one": func(o *push.Options[*conn]) {
			o.Broker, o.Do = refusing{}, func(func()) bool { return true }
		},
	} {
		o := options()
		spoil(&o)
		if _, err := push.New(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %s", err, name)
		}
	}
}

type refusing struct{}

func (refusing) Join(push.Node) (push.Link, error) { return nil, errors.New("not this one") }

// TestNodes has two Hubs share a Broker: what one publishes reaches the connections of both, in one order.
func TestNodes(t *testing.T) {
	for name, broker := range map[string]func(t *testing.T) push.Broker{
		"memory": func(*testing.T) push.Broker { return push.NewMemory() },
		"network": func(t *testing.T) push.Broker {
			w := pushtest.NewNetwork()
			t.Cleanup(w.End)
			return w
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := broker(t)
			var hubs []*hub
			var loops []*pushtest.Loop
			var conns []*conn
			for id := range uint64(3) {
				l := pushtest.NewLoop(t)
				o := options()
				o.Broker, o.Do = b, l.Do
				l.Await(func() {
					h := newHub(t, o)
					m, c := add(t, h, id+1, "ann") // the ids of different nodes may be the same
					if err := m.Join("room"); err != nil {
						t.Error(err)
					}
					hubs, conns = append(hubs, h), append(conns, c)
				})
				loops = append(loops, l)
			}
			linemantest.Until(t, "the hubs are not linked", func() bool {
				linked := 0
				for i, l := range loops {
					l.Await(func() {
						if hubs[i].Linked() {
							linked++
						}
					})
				}
				return linked == 3
			})
			// A subscription is under way for some time.
			linemantest.Until(t, "one of the targets does not reach all nodes", func() bool {
				reached := 0
				for i, l := range loops {
					l.Await(func() {
						for _, to := range []push.Target{"u:ann", "g:room"} {
							if err := hubs[i].Publish(message{To: []push.Target{to}, Data: []byte("probe " + to)},
								nil); err != nil {
								t.Error(err)
							}
						}
						if slices.Contains(conns[i].got, "probe u:ann") &&
							slices.Contains(conns[i].got, "probe g:room") {
							reached++
						}
					})
				}
				return reached == len(loops)
			})
			const each = 50
			for i, l := range loops {
				for n := range each {
					l.Await(func() {
						to := []push.Target{"u:ann", "g:room"}[n%2:]
						if err := hubs[i].Publish(message{To: to, Data: fmt.Appendf(nil, "%d.%d", i, n)},
							nil); err != nil {
							t.Error(err)
						}
					})
				}
			}
			probe := func(text string) bool { return strings.HasPrefix(text, "probe") }
			var got [3][]string
			for i, l := range loops {
				linemantest.Until(t, "not all arrive", func() bool {
					l.Await(func() { got[i] = slices.DeleteFunc(slices.Clone(conns[i].got), probe) })
					return len(got[i]) >= 3*each
				})
				if !slices.Equal(got[i], got[0]) || len(got[i]) != 3*each {
					t.Errorf("node %d got %d messages, want %d, in the order of all", i, len(got[i]), 3*each)
				}
			}
			for i, l := range loops {
				l.Await(func() { hubs[i].Close() })
			}
		})
	}
}

// count is a Fanout that reaches everybody.
func count(to iter.Seq[*conn], _ []byte, _ *push.Forms) (n int) {
	for range to {
		n++
	}
	return n
}
