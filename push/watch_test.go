package push_test

import (
	"bytes"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
)

// diary is what a Watch was told, with short names in place of the nodes'.
type diary []string

func (d *diary) tell(e *push.Event) {
	node, number, _ := strings.Cut(e.Number, ".")
	who := "own"
	if node != e.Node {
		who = "other"
	}
	switch e.Step {
	case push.Published:
		*d = append(*d, fmt.Sprintf("%s %s %s %q hidden %d", who, number, e.To, e.Data, e.Hidden))
	case push.Refused:
		*d = append(*d, fmt.Sprintf("refused %s %v", e.To, e.Err))
	case push.Delivered:
		var uids []string
		for _, r := range e.Conns {
			uids = append(uids, r.UID)
		}
		slices.Sort(uids)
		*d = append(*d, fmt.Sprintf("%s %s delivered %d %s full %d", who, number, e.N, uids, e.Full))
	case push.Finished:
		*d = append(*d, fmt.Sprintf("%s %s outcome %d %v", who, number, e.N, e.Err))
	}
}

// take gets what was told since.
func (d *diary) take() []string {
	told := *d
	*d = nil
	return told
}

// watch watches a target until the end of the test.
func watch(t *testing.T, h *hub, target push.Target, may func(push.Target) bool) (d *diary, stop func()) {
	t.Helper()
	d = &diary{}
	began := false
	stop, err := h.Watch(push.Watch{Target: target, May: may, MaxConns: 2, Tell: d.tell}, func() { began = true })
	if err != nil || !began {
		t.Fatalf("watching %s: %v, began: %v", target, err, began)
	}
	return d, stop
}

// TestWatch tells who watches a target what is published for it, and for a uid or a connection what it gets by others.
func TestWatch(t *testing.T) {
	h := newHub(t, options())
	ann, _ := add(t, h, 1, "ann")
	_, deaf := add(t, h, 2, "ann")
	add(t, h, 3, "bob")
	for m := range h.Members(push.Everyone) {
		if err := m.Join("room"); err != nil {
			t.Fatal(err)
		}
	}
	if err := ann.Subscribe("news"); err != nil {
		t.Fatal(err)
	}
	deaf.full = true
	of := map[string]*diary{}
	for _, target := range []push.Target{"*", "u:ann", "u:nobody", "g:room", "news", ann.Target()} {
		of[string(target)], _ = watch(t, h, target, nil)
	}
	of["shy"], _ = watch(t, h, "u:ann", func(t push.Target) bool { return strings.HasPrefix(string(t), "u:") })
	mine := string(ann.Target())
	for _, c := range []struct {
		to   []push.Target
		want map[string][]string // by who watches; who is not in it is told nothing
	}{
		{[]push.Target{"u:ann"}, map[string][]string{
			"*":     {`own 1 [u:ann] "x" hidden 0`, "own 1 delivered 2 [ann ann] full 1", "own 1 outcome 1 <nil>"},
			"u:ann": {`own 1 [u:ann] "x" hidden 0`, "own 1 delivered 2 [ann ann] full 1", "own 1 outcome 1 <nil>"},
			"shy":   {`own 1 [u:ann] "x" hidden 0`, "own 1 delivered 2 [ann ann] full 1", "own 1 outcome 1 <nil>"},
			mine:    {`own 1 [u:ann] "x" hidden 0`, "own 1 delivered 1 [ann] full 1"},
		}},
		{[]push.Target{"u:nobody"}, map[string][]string{
			"*":        {`own 2 [u:nobody] "x" hidden 0`, "own 2 outcome 0 <nil>"},
			"u:nobody": {`own 2 [u:nobody] "x" hidden 0`, "own 2 outcome 0 <nil>"},
		}},
		{[]push.Target{"g:room", "u:bob"}, map[string][]string{
			"*": {`own 3 [g:room u:bob] "x" hidden 0`,
				"own 3 delivered 3 [ann ann] full 1", "own 3 outcome 2 <nil>"},
			"u:ann": {`own 3 [g:room u:bob] "x" hidden 0`, "own 3 delivered 2 [ann ann] full 1"},
			"g:room": {`own 3 [g:room u:bob] "x" hidden 0`, "own 3 delivered 3 [ann ann] full 1",
				"own 3 outcome 2 <nil>"},
			"shy": {`own 3 [u:bob] "x" hidden 1`, "own 3 delivered 2 [ann ann] full 1"},
			mine:  {`own 3 [g:room u:bob] "x" hidden 0`, "own 3 delivered 1 [ann] full 1"},
		}},
		{[]push.Target{"news"}, map[string][]string{
			"*":     {`own 4 [news] "x" hidden 0`, "own 4 delivered 1 [ann] full 0", "own 4 outcome 1 <nil>"},
			"u:ann": {`own 4 [news] "x" hidden 0`, "own 4 delivered 1 [ann] full 0"},
			"news":  {`own 4 [news] "x" hidden 0`, "own 4 delivered 1 [ann] full 0", "own 4 outcome 1 <nil>"},
			mine:    {`own 4 [news] "x" hidden 0`, "own 4 delivered 1 [ann] full 0"},
		}},
		{[]push.Target{"u:ann", "g:"}, map[string][]string{
			"*":     {"refused [u:ann g:] push: a group has no name"},
			"u:ann": {"refused [u:ann g:] push: a group has no name"},
			"shy":   {"refused [u:ann] push: a group has no name"},
		}},
	} {
		err := h.Publish(message{To: c.to, Data: []byte("x")}, nil)
		if (err != nil) != (c.to[len(c.to)-1] == "g:") {
			t.Errorf("%s: %v", c.to, err)
		}
		for who, d := range of {
			if got := d.take(); !slices.Equal(got, c.want[who]) {
				t.Errorf("%s: %s is told %q, want %q", c.to, who, got, c.want[who])
			}
		}
	}
	_, err := h.Watch(push.Watch{Target: "c:elsewhere.1", Tell: (&diary{}).tell}, func() {})
	if err == nil || !strings.Contains(err.Error(), "not on this node") {
		t.Errorf("a connection of another node: %v", err)
	}
}

// TestWatchStop tells nothing to who has stopped, though that is while all are told.
func TestWatchStop(t *testing.T) {
	h := newHub(t, options())
	add(t, h, 1, "ann")
	told := 0
	var stops []func()
	for range 3 {
		stop, err := h.Watch(push.Watch{Target: push.Everyone, Tell: func(*push.Event) {
			told++
			for _, stop := range stops {
				stop()
			}
		}}, func() {})
		if err != nil {
			t.Fatal(err)
		}
		stops = append(stops, stop)
	}
	for range 2 {
		if err := h.Publish(message{To: []push.Target{"u:ann"}, Data: []byte("x")}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if told != 1 {
		t.Errorf("told %d times, want once", told)
	}
}

// TestWatchNodes tells on a node what another publishes for a target, whoever of its connections is there, and what its
// own publication comes to on all.
func TestWatchNodes(t *testing.T) {
	overBrokers(t, func(t *testing.T, o push.Options[*conn], _, _ func()) {
		all := append(sites(t, 1, o), sites(t, 1, o)...)
		a, b := all[0], all[1]
		begin := func(target push.Target) (d *diary, stop func()) {
			d = &diary{}
			began := make(chan error, 1)
			a.loop.Await(func() {
				var err error
				if stop, err = a.hub.Watch(push.Watch{Target: target, Tell: d.tell},
					func() { began <- nil }); err != nil {
					began <- err
				}
			})
			if err := <-began; err != nil {
				t.Fatal(err)
			}
			return d, stop
		}
		told := func(d *diary, want ...string) {
			t.Helper()
			var got []string
			a.until(func() bool {
				got = append(got, d.take()...)
				return len(got) >= len(want)
			})
			if !slices.Equal(got, want) {
				t.Errorf("told %q, want %q", got, want)
			}
		}
		ann, stop := begin("u:ann")
		b.add("ann")
		publish := func(s *site) {
			t.Helper()
			if o := s.publish(message{To: []push.Target{"u:ann"}, Data: []byte("x")}); o.Err != nil {
				t.Errorf("the outcome is %+v", o)
			}
		}
		publish(a)
		told(ann, `own 1 [u:ann] "x" hidden 0`, "own 1 outcome 1 <nil>")
		publish(b)
		told(ann, `other 1 [u:ann] "x" hidden 0`)
		m, _ := a.add("ann")
		publish(b)
		told(ann, `other 2 [u:ann] "x" hidden 0`, "other 2 delivered 1 [] full 0")
		a.loop.Await(func() { a.hub.Remove(m) })
		publish(b) // the node is still subscribed
		told(ann, `other 3 [u:ann] "x" hidden 0`)
		everything, _ := begin("*")
		publish(b)
		told(ann, `other 4 [u:ann] "x" hidden 0`)
		told(everything, `other 4 [u:ann] "x" hidden 0`)
		a.loop.Await(stop)
		if _, err := b.ask(push.Question{Verb: push.Count, To: []push.Target{"u:ann"}}); err != nil { // comes behind
			t.Error(err)
		}
		m, _ = a.add("ann")
		publish(b)
		told(everything, `other 5 [u:ann] "x" hidden 0`, "other 5 delivered 1 [] full 0")
		a.loop.Await(func() { a.hub.Remove(m) })
	})
}

// TestWatchReplay tells of a delivery to a connection that comes back.
func TestWatchReplay(t *testing.T) {
	o := options()
	o.Reconnect, o.After = time.Hour, func(time.Duration, func()) {}
	h := newHub(t, o)
	d, _ := watch(t, h, "u:ann", nil)
	if err := h.Publish(message{To: []push.Target{"u:ann"}, Data: []byte("x"), Wait: time.Minute}, nil); err != nil {
		t.Fatal(err)
	}
	m, _ := add(t, h, 1, "ann")
	h.Replay(m)
	want := []string{`own 1 [u:ann] "x" hidden 0`, "own 1 outcome 0 <nil>", "own 1 delivered 1 [ann] full 0"}
	if got := d.take(); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// TestTrace writes one record for each step, and for each login, subscription and refusal.
func TestTrace(t *testing.T) {
	var log bytes.Buffer
	o := options()
	untimed := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}
	o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: untimed}))
	o.Remote = func(c *conn) string { return fmt.Sprint("192.0.2.", c.id) }
	h := newHub(t, o)
	m, _ := add(t, h, 7, "ann")
	if err := m.Subscribe("news"); err != nil {
		t.Fatal(err)
	}
	node, _, _ := strings.Cut(strings.TrimPrefix(string(m.Target()), "c:"), ".")
	from := &push.Source{Via: "line", Peer: netip.MustParseAddr("192.0.2.1"), Key: "shop"}
	for _, to := range []push.Target{"news", "g:"} {
		_ = h.Publish(message{To: []push.Target{to}, Data: []byte("secret"), From: from}, nil) // one of them is wrong
	}
	m.Unsubscribe("news")
	h.Remove(m)
	h.Trace().Refusal(from, "kick", []push.Target{"u:ann"}, push.ErrLimit)
	want := `msg="push: login" conn=c:NODE.7 uid=ann remote=192.0.2.7 node=NODE
msg="push: join" conn=c:NODE.7 uid=ann target=news node=NODE
msg="push: publication" number=NODE.1 from.via=line from.remote=192.0.2.1 from.key=shop to=[news] size=6 node=NODE
msg="push: delivery" number=NODE.1 n=1 full=0 conns="[c:NODE.7 (ann)]" node=NODE
msg="push: outcome" number=NODE.1 n=1 node=NODE
msg="push: refusal" from.via=line from.remote=192.0.2.1 from.key=shop to=[g:] size=6 ` +
		`error="push: a group has no name" node=NODE
msg="push: leave" conn=c:NODE.7 uid=ann target=news node=NODE
msg="push: logout" conn=c:NODE.7 uid=ann node=NODE
msg="push: refusal" from.via=line from.remote=192.0.2.1 from.key=shop cmd=kick to=[u:ann] ` +
		`error="push: a limit was reached" node=NODE
`
	if got := strings.ReplaceAll(log.String(), node, "NODE"); got != want {
		t.Errorf("the log is\n%swant\n%s", got, want)
	}
	docs, err := os.ReadFile("../docs/push.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`msg="(.*?)"| ([a-z.]+)=`).FindAllStringSubmatch(want, -1) {
		if name := found[1] + found[2]; !strings.Contains(string(docs), "`"+name+"`") {
			t.Errorf("docs/push.md has no `%s`", name)
		}
	}
}

// TestUntraced allocates for a publication as much as without a log, when the log leaves out debug records and nobody
// watches any more.
func TestUntraced(t *testing.T) {
	cost := func(o push.Options[*conn]) float64 {
		o.Fanout = func(to iter.Seq[*conn], _ []byte, _ *push.Forms) (n int) {
			for range to {
				n++
			}
			return n
		}
		h := newHub(t, o)
		add(t, h, 1, "ann")
		_, stop := watch(t, h, push.Everyone, nil)
		stop()
		m := message{To: []push.Target{"u:ann"}, Data: []byte("x"), From: &push.Source{Via: "line"}}
		return testing.AllocsPerRun(500, func() {
			if err := h.Publish(m, nil); err != nil {
				t.Error(err)
			}
		})
	}
	o := options()
	without := cost(o)
	o.Log = slog.New(slog.NewTextHandler(&bytes.Buffer{}, nil))
	if with := cost(o); !linemantest.Raced() && (with != without || with > 3) {
		t.Errorf("%v allocations, and %v without a log; want 3", with, without)
	}
}
