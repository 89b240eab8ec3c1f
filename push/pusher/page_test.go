package pusher_test

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pusher"
)

// TestTricks has no name bring a page what is published on a private channel.
func TestTricks(t *testing.T) {
	w := newWorld(t, 1, nil)
	for _, secret := range []string{
		"private-x", "presence-x", "private-encrypted-x", "private-cache-x", "#server-to-user-ann", "#online-ann",
	} {
		a := w.nodes[0].open(w.app)
		public := w.app.AuthorizeChannel(a.socket(), "public", "")
		for _, data := range []string{
			`{"channel":%q}`, `{"channel":%q,"auth":""}`, `{"channel":%q,"auth":":"}`,
			`{"channel":%q,"auth":"` + public + `"}`, `{"channel":%q,"Channel":"public"}`,
			`{"channel":"public","channel":%q}`, `{"channel":%q,"channel":"public"}`, `{"channel":" ","channel":%q}`,
			`{"channel":%q,"channel_data":"{\"user_id\":\"ann\"}"}`,
			`{"channel":%q,"auth":null}`, `{"channel":%q,"auth":["` + public + `"]}`,
		} {
			for _, name := range []string{
				secret, " " + secret, secret + " ", secret + "\x00", "\x00" + secret, strings.ToUpper(secret),
				"shop:" + secret, ":" + secret, "x:" + secret, secret + "\n", "x\n" + secret, "./" + secret,
				strings.Replace(secret, "-", "\u2010", 1), "\ufeff" + secret, secret + "\u200b", "../" + secret,
			} {
				a.page = pusher.NewPage(w.app)
				a.says(`{"event":"pusher:subscribe","data":` + fmt.Sprintf(data, name) + `}`)
				a.says(`{"event":"pusher:subscribe","data":` + fmt.Sprintf("%q", fmt.Sprintf(data, name)) + `}`)
			}
		}
		a.says(`{"event":"pusher:subscribe","data":{"channel":"\u0070` + secret[1:] + `"}}`)
		a.got = nil
		w.nodes[0].publish(w.app.Channel(secret), `{"event":"e","data":"secret"}`)
		a.hears()
		for _, name := range w.nodes[0].hub.Channels() {
			if name == string(w.app.Channel(secret)) {
				t.Errorf("somebody is in %q", name)
			}
		}
	}
}

// TestSocketIDs has each connection have one socket_id, and no other text be it.
func TestSocketIDs(t *testing.T) {
	w := newWorld(t, 1, nil)
	a := w.nodes[0].open(w.app)
	target, err := pusher.ParseSocketID(a.socket())
	if err != nil || target != w.nodes[0].hub.Name(a) {
		t.Errorf("%s is %q, %v", a.socket(), target, err)
	}
	for _, target := range []push.Target{
		"c:0000000000000000.0", "c:ffffffffffffffff.18446744073709551615", "c:00000000000000ff.7",
	} {
		id := pusher.SocketID(target)
		if back, err := pusher.ParseSocketID(id); back != target || err != nil {
			t.Errorf("%s is %s, which is %s, %v", target, id, back, err)
		}
	}
	for _, text := range []string{
		"", ".", "1", "1.", ".1", "01.1", "1.01", "1.1.1", "+1.1", "1.-1", "1.1 ", "a.1", "18446744073709551616.1",
		"1.18446744073709551616", "1.1\n", "1_0.1",
	} {
		if target, err := pusher.ParseSocketID(text); err == nil {
			t.Errorf("%q is %s", text, target)
		}
	}
	for _, target := range []push.Target{"", "x", "c:1.1x", "c:zz.1", "c:1.01", "c:1.", "u:1.1"} {
		if id := pusher.SocketID(target); id != "" {
			t.Errorf("%q is %s", target, id)
		}
	}
}

// TestHandshakes has each error of an address have its code.
func TestHandshakes(t *testing.T) {
	w := newWorld(t, 1, nil)
	for _, one := range []struct {
		path, query string
		code        int
	}{
		{"/app/" + w.app.Key, "protocol=7&client=js&version=8.4.0&flash=false", 0},
		{"/app/" + w.app.Key, "protocol=5", 0},
		{"/app/" + w.app.Key, "", pusher.CodeNoProtocol},
		{"/app/" + w.app.Key, "protocol=x", pusher.CodeVersion},
		{"/app/" + w.app.Key, "protocol=4", pusher.CodeProtocol},
		{"/app/" + w.app.Key, "protocol=8", pusher.CodeProtocol},
		{"/app/" + w.app.Key, "protocol=7&version=" + strings.Repeat("1", 65), pusher.CodeVersion},
		{"/app/" + w.app.Key, "protocol=7;%", pusher.CodeVersion},
		{"/app/" + w.app.Key + "x", "protocol=7", pusher.CodeUnknownApp},
		{"/app/", "protocol=7", pusher.CodeUnknownApp},
		{"/app/a/b", "protocol=7", pusher.CodePath},
		{"/", "protocol=7", pusher.CodePath},
	} {
		h, wrong := w.apps.ParseHandshake(one.path, one.query)
		switch {
		case one.code == 0 && (wrong != nil || h.App != w.app):
			t.Errorf("%s?%s: %v", one.path, one.query, wrong)
		case one.code != 0 && (wrong == nil || wrong.Code != one.code):
			t.Errorf("%s?%s: %v, want %d", one.path, one.query, wrong, one.code)
		}
	}
}

// TestApps has what is wrong with apps be told.
func TestApps(t *testing.T) {
	good := func() *pusher.App { return &pusher.App{ID: "a", Key: "k", Secret: "s"} }
	for wrong, change := range map[string]func(a *pusher.App){
		"the id of":              func(a *pusher.App) { a.ID = "" },
		"letters, digits, - and": func(a *pusher.App) { a.ID = "a:b" },
		"the key of":             func(a *pusher.App) { a.Key = "a/b" },
		"needs a secret":         func(a *pusher.App) { a.Secret = "" },
		"another kind":           func(a *pusher.App) { a.ID, a.Key = "u", "other" },
		"two apps have the id":   func(a *pusher.App) { a.Key = "other" },
		"have the same key":      func(a *pusher.App) { a.ID = "other" },
	} {
		a := good()
		change(a)
		if _, err := pusher.NewApps(good(), a); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%+v: %v, want %s", a, err, wrong)
		}
	}
}

// TestPagesCross has pages go to another process: who they are, and what they were about to be told.
func TestPagesCross(t *testing.T) {
	w := newWorld(t, 1, nil)
	n := w.nodes[0]
	a := n.open(w.app)
	a.signsIn(`{"id":"ann","user_info":{"name":"Ann"}}`)
	a.subscribes("presence-x", "")
	a.got = nil
	p, err := pusher.RestorePage(w.apps, a.page.Append(nil))
	if err != nil || p.User() != "ann" || p.App() != w.app {
		t.Fatalf("it is %q of %v, %v", p.User(), p.App(), err)
	}
	if before, after := a.page.Append(nil), p.Append(nil); !slices.Equal(before, after) {
		t.Errorf("the state is %q, was %q", after, before)
	}
	a.page = p
	n.service.Restored(a)
	a.hears() // it was told all
	a.subscribes("presence-y", "")
	a.hears(`{"event":"pusher_internal:subscription_succeeded","channel":"presence-y","data":` +
		`"{\"presence\":{\"count\":1,\"ids\":[\"ann\"],\"hash\":{\"ann\":{\"name\":\"Ann\"}}}}"}`)

	for i := range a.page.Append(nil) { // cut off, at any byte
		if p, err := pusher.RestorePage(w.apps, a.page.Append(nil)[:i]); err == nil && p.App() != w.app {
			t.Errorf("of %d bytes there is a page of %v", i, p.App())
		}
	}
	others, _ := pusher.NewApps(&pusher.App{ID: "a", Key: "k", Secret: "s"})
	if _, err := pusher.RestorePage(others, a.page.Append(nil)); err != pusher.ErrNoApp {
		t.Errorf("without the app: %v", err)
	}
}

// TestJoiningCrosses has a page that has asked for a presence channel, and was told nothing, be told by the successor.
func TestJoiningCrosses(t *testing.T) {
	w := newWorld(t, 3, nil)
	n := w.nodes[0]
	a := n.open(w.app)
	a.asks("presence-x", `{"user_id":"ann","user_info":7}`)
	if len(a.got) > 0 {
		t.Fatalf("it is told at once: %s", a.got)
	}
	page, err := pusher.RestorePage(w.apps, a.page.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	*a.page = *pusher.NewPage(w.app) // the predecessor does nothing any more
	a.page = page
	n.service.Restored(a)
	a.hears(`{"event":"pusher_internal:subscription_succeeded","channel":"presence-x","data":` +
		`"{\"presence\":{\"count\":1,\"ids\":[\"ann\"],\"hash\":{\"ann\":7}}}"}`)
}

// TestChangesOfMind has a page that leaves a presence channel before it was told anything be told nothing.
func TestChangesOfMind(t *testing.T) {
	w := newWorld(t, 3, nil)
	n := w.nodes[0]
	a := n.open(w.app)
	a.asks("presence-x", `{"user_id":"ann"}`)
	if len(a.got) > 0 {
		t.Fatalf("it is told at once: %s", a.got)
	}
	a.says(`{"event":"pusher:unsubscribe","data":{"channel":"presence-x"}}`)
	a.hears()
	w.pass(10 * time.Second)
	w.answers(`200 {"users":[]}`, "GET", "/channels/presence-x/users", "")
}

// gate is a Broker whose nodes do not reach each other at times.
type gate struct {
	push.Broker
	down bool
	node push.Node
}

func (g *gate) Join(n push.Node) (push.Link, error) {
	l, err := g.Broker.Join(n)
	g.node = n
	return &gatedLink{l.(wholeLink), g}, err
}

// wholeLink is all that a Link of a Memory can do.
type wholeLink interface {
	push.HistoryLink
	push.PresenceLink
}

type gatedLink struct {
	wholeLink
	gate *gate
}

func (l *gatedLink) Present(in push.Target, most int, done func(push.Presence, error)) {
	if l.gate.down {
		done(push.Presence{}, push.ErrUnlinked)
		return
	}
	l.wholeLink.Present(in, most, done)
}

func (l *gatedLink) CountPresent(in []push.Target, done func([]int, error)) {
	if l.gate.down {
		done(nil, push.ErrUnlinked)
		return
	}
	l.wholeLink.CountPresent(in, done)
}

// TestLinkDownMeanwhile has a page that comes to a presence channel while other nodes cannot be reached be told who is
// there when they can.
func TestLinkDownMeanwhile(t *testing.T) {
	w := newWorld(t, 1, nil)
	g := &gate{Broker: push.NewMemory()}
	w.broker = g
	w.nodes = []*node{w.node()}
	w.settle()
	g.down = true
	g.node.Linked(false)
	a := w.nodes[0].open(w.app)
	a.subscribes("presence-x", `{"user_id":"ann"}`)
	a.hears()
	g.down = false
	g.node.Linked(true)
	a.hears(`{"event":"pusher_internal:subscription_succeeded","channel":"presence-x","data":` +
		`"{\"presence\":{\"count\":1,\"ids\":[\"ann\"],\"hash\":{\"ann\":null}}}"}`)
}

// TestOvertaken has a page that comes to a presence channel with a cache get no event behind a newer one, though the
// list comes late.
func TestOvertaken(t *testing.T) {
	w := newWorld(t, 3, nil)
	n := w.nodes[0]
	a, in := n.open(w.app), w.app.Channel("presence-cache-x")
	a.asks("presence-cache-x", `{"user_id":"ann"}`)
	all := slices.Values([]*conn{a})
	old, live := []byte(`{"event":"old","data":"1"}`), []byte(`{"event":"live","data":"2"}`)
	n.service.Begun(a, in, push.Recovery{Messages: []push.Stored{{Data: old}}})
	n.service.Published(all, in, push.Stored{Data: live})
	n.service.PresenceRenewed(all, in, push.Presence{})
	events := slices.DeleteFunc(a.got, isSucceeded)
	if want := `{"event":"live","channel":"presence-cache-x","data":"2"}`; !slices.Equal(events, []string{want}) {
		t.Errorf("it gets %s, want %s", events, want)
	}
}

// TestEnded has a page be told that a back end has taken it out of a channel.
func TestEnded(t *testing.T) {
	w := newWorld(t, 1, nil)
	a := w.nodes[0].open(w.app)
	a.subscribes("x", "")
	a.got = nil
	q := push.Question{Verb: push.Unsubscribe, To: []push.Target{w.app.Channel("x")}, Name: string(w.app.Channel("x"))}
	if err := w.nodes[0].hub.Ask(q, func(push.Answer, error) {}); err != nil {
		t.Fatal(err)
	}
	a.hears(`{"event":"pusher:subscription_error","channel":"x",` +
		`"data":"{\"type\":\"Ended\",\"error\":\"the back end has ended it\",\"status\":403}"}`)
}

// TestTooMany has a page be told that it has as many channels as it may have.
func TestTooMany(t *testing.T) {
	w := newWorld(t, 1, nil)
	a := w.nodes[0].open(w.app)
	for i := range 300 {
		a.subscribes(fmt.Sprint(i), "")
	}
	a.got = nil
	for _, name := range []string{"more", "presence-more"} {
		a.subscribes(name, `{"user_id":"ann"}`)
		if len(a.got) != 1 || !strings.Contains(a.got[0], "LimitReached") {
			t.Errorf("of %s it hears %q", name, a.got)
		}
		a.got = nil
	}
	w.answers(`200 {"users":[]}`, "GET", "/channels/presence-more/users", "")
}

// TestEncodedOnce has an event be encoded once for a thousand pages, and take no more memory for more pages.
func TestEncodedOnce(t *testing.T) {
	w := newWorld(t, 1, nil)
	n := w.nodes[0]
	for range 1000 {
		n.open(w.app).subscribes("x", "")
	}
	data := []byte(`{"event":"e","data":"` + strings.Repeat(`{\"a\":1}`, 20) + `"}`)
	m := push.Message[*conn]{To: []push.Target{w.app.Channel("x")}, Data: data}
	n.encoded = 0
	if err := n.hub.Publish(m, nil); err != nil || n.encoded != 1 || n.accepted != 1000 {
		t.Fatalf("%v: it is encoded %d times, for %d pages", err, n.encoded, n.accepted)
	}
	text := make([]byte, 0, 4<<10)
	quiet, err := pusher.New(pusher.Options[*conn]{
		Hub: n.hub, Apps: w.apps, Page: func(c *conn) *pusher.Page { return c.page }, Send: func(*conn, []byte) {},
		SendAll: func(_ iter.Seq[*conn], _ push.Target, _ push.Stored, encode func([]byte) []byte) int {
			text = encode(text[:0])
			return 0
		},
		Close: func(*conn, int, string) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	allocs := testing.AllocsPerRun(100, func() {
		quiet.Published(nil, w.app.Channel("x"), push.Stored{Data: data})
	})
	if t.Logf("%v allocations of an event", allocs); allocs > 3 {
		t.Errorf("an event takes %v allocations", allocs)
	}
}

// TestSubscriptionCount tells pages of an app that wants it how many connections their channels have on all nodes, but
// not those of presence channels; at most once a second, and the last number in any case.
func TestSubscriptionCount(t *testing.T) {
	w := newWorld(t, 3, func(a *pusher.App) { a.SubscriptionCount = true })
	tells := func(channel string, n int) string {
		return fmt.Sprintf(`{"event":"pusher_internal:subscription_count","channel":%q,`+
			`"data":"{\"subscription_count\":%d}"}`, channel, n)
	}
	succeeded := func(channel string) string {
		return fmt.Sprintf(`{"event":"pusher_internal:subscription_succeeded","channel":%q,"data":"{}"}`, channel)
	}
	a, b := w.nodes[0].open(w.app), w.nodes[1].open(w.app)
	a.subscribes("cache-orders", "")
	a.hears(succeeded("cache-orders"), `{"event":"pusher:cache_miss","channel":"cache-orders"}`,
		tells("cache-orders", 1))
	b.subscribes("orders.v1", "")
	b.hears(succeeded("orders.v1"), tells("orders.v1", 1))
	w.pass(time.Second)
	a.subscribes("orders.v1", "")
	a.hears(succeeded("orders.v1"), tells("orders.v1", 2))
	b.hears(tells("orders.v1", 2))
	for range 5 {
		w.nodes[2].open(w.app).subscribes("orders.v1", "")
	}
	plain := w.nodes[0].openPlain(w.app.Channel("orders.v1"))
	a.hears()
	w.pass(time.Second)
	w.pass(time.Second)
	b.got = b.got[max(0, len(b.got)-1):] // what was told in between depends on the order of nodes
	b.hears(tells("orders.v1", 8))
	plain.hears()

	stranger := w.nodes[0].open(w.apps.ByID("other"))
	stranger.subscribes("orders.v1", "")
	stranger.hears(succeeded("orders.v1"))
	c := w.nodes[0].open(w.app)
	c.subscribes("presence-x", `{"user_id":"ann"}`)
	w.pass(time.Second)
	if c.got = c.got[1:]; len(c.got) > 0 {
		t.Errorf("of a presence channel a page is told %q", c.got)
	}
}
