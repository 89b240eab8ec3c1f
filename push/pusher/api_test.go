package pusher_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push/pusher"
)

// TestRequests goes through the documentation of the HTTP API.
func TestRequests(t *testing.T) {
	w := newWorld(t, 1, nil)
	a, b := w.nodes[0].open(w.app), w.nodes[0].open(w.app)
	for _, c := range []*conn{a, b} {
		c.subscribes("presence-x", fmt.Sprintf(`{"user_id":"u%d"}`, c.id))
	}
	a.subscribes("x", "")
	a.subscribes("cache-x", "")
	stranger := w.nodes[0].open(w.apps.ByID("other"))
	stranger.subscribes("theirs", "")
	a.signsIn(`{"id":"ann"}`)
	a.got, b.got = nil, nil

	event := `{"name":"e","channels":["x","presence-x"],"data":"1","info":"user_count,subscription_count"}`
	w.answers(`200 {"channels":{"presence-x":{"user_count":2,"subscription_count":2},"x":{"subscription_count":1}}}`,
		"POST", "/events", event)
	a.hears(`{"event":"e","channel":"presence-x","data":"1"}`, `{"event":"e","channel":"x","data":"1"}`)
	b.hears(`{"event":"e","channel":"presence-x","data":"1"}`)

	batch := `{"batch":[{"channel":"x","name":"one","data":"1"},{"channel":"x","name":"two","data":"2","socket_id":"` +
		a.socket() + `"},{"channel":"presence-x","name":"three","data":"3"}]}`
	w.answers(ok, "POST", "/batch_events", batch)
	a.hears(`{"event":"one","channel":"x","data":"1"}`, `{"event":"three","channel":"presence-x","data":"3"}`)
	b.hears(`{"event":"three","channel":"presence-x","data":"3"}`)
	w.answers(`200 {"batch":[{"subscription_count":1},{"user_count":2}]}`, "POST", "/batch_events",
		`{"batch":[{"channel":"x","name":"e","data":"1","info":"subscription_count"},`+
			`{"channel":"presence-x","name":"e","data":"1","info":"user_count"}]}`)

	w.answers(`200 {"channels":{"cache-x":{},"presence-x":{},"x":{}}}`, "GET", "/channels", "")
	w.answers(`200 {"channels":{"presence-x":{"user_count":2}}}`, "GET", "/channels", "",
		"filter_by_prefix=presence-", "info=user_count")
	w.answers(`200 {"channels":{}}`, "GET", "/channels", "", "filter_by_prefix=y")
	w.answers(`200 {"occupied":true}`, "GET", "/channels/x", "")
	w.answers(`200 {"occupied":false}`, "GET", "/channels/y", "")
	w.answers(`200 {"occupied":true,"user_count":2,"subscription_count":2}`, "GET", "/channels/presence-x", "",
		"info=user_count,subscription_count")
	w.answers(`200 {"users":[{"id":"u1"},{"id":"u2"}]}`, "GET", "/channels/presence-x/users", "")
	w.answers(`200 {"users":[]}`, "GET", "/channels/presence-y/users", "")
	w.answers(ok, "POST", "/events", `{"name":"e","channel":"cache-x","data":"\"1\""}`)
	w.now = time.Now() // of the history
	w.begins(`200 {"occupied":true,"cache":{"data":"\"1\"","ttl":1`, "GET", "/channels/cache-x", "", "info=cache")
	w.answers(`200 {"occupied":false}`, "GET", "/channels/cache-y", "", "info=cache")
	w.answers(ok, "POST", "/users/nobody/terminate_connections", "{}")
}

// TestRequestsRefused has each limit be kept, with its status.
func TestRequestsRefused(t *testing.T) {
	w := newWorld(t, 1, nil)
	names := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`"c%d"`, i))
		}
		return strings.Join(all, ",")
	}
	events := func(n int) string {
		return strings.TrimSuffix(strings.Repeat(`{"name":"e","channel":"x","data":"1"},`, n), ",")
	}
	data := func(n int) string { return strings.Repeat("x", n) }
	for _, one := range []struct{ want, body string }{
		{"200", `{"name":"e","channels":[` + names(100) + `],"data":"1"}`},
		{"400", `{"name":"e","channels":[` + names(101) + `],"data":"1"}`},
		{"400", `{"name":"e","channels":[],"data":"1"}`},
		{"200", `{"name":"e","channels":["x","x"],"data":"1"}`},
		{"200", `{"name":"e","channel":"x","data":"` + data(10<<10) + `"}`},
		{"413", `{"name":"e","channel":"x","data":"` + data(10<<10+1) + `"}`},
		{"200", `{"name":"e","channel":"x","data":"` + strings.Repeat(`\u0041`, 10<<10) + `"}`},
		{"200", `{"name":"` + data(200) + `","channel":"x","data":"1"}`},
		{"400", `{"name":"` + data(201) + `","channel":"x","data":"1"}`},
		{"400", `{"name":"","channel":"x","data":"1"}`},
		{"400", `{"name":"e","channel":"x"}`},
		{"200", `{"name":"e","channel":"x","data":{"a":1}}`},
		{"400", `{"name":"pusher:error","channel":"x","data":"1"}`},
		{"400", `{"name":"pusher_internal:member_added","channel":"x","data":"1"}`},
		{"200", `{"name":"e","channel":"` + data(200) + `","data":"1"}`},
		{"400", `{"name":"e","channel":"` + data(201) + `","data":"1"}`},
		{"400", `{"name":"e","channel":"a b","data":"1"}`},
		{"400", `{"name":"e","channel":"other:x","data":"1"}`},
		{"400", `{"name":"e","channel":"#online-ann","data":"1"}`},
		{"400", `{"name":"e","channel":"x","data":"1","socket_id":"x"}`},
		{"400", `{"name":"e","channel":"x","data":"1","socket_id":"1.1\n"}`},
		{"400", `{"name":"e","channel":"x","data":"1","info":"all"}`},
		{"400", `{"name":"e","channel":"x","data":"1","info":"cache"}`},
		{"400", `{"name":"e","channels":"x","data":"1"}`},
		{"400", `[]`}, {"400", `x`}, {"400", ``}, {"400", `{"name":"e","channel":"x","data":"` + "\xff" + `"}`},
	} {
		w.begins(one.want+" ", "POST", "/events", one.body)
	}
	w.begins("200 ", "POST", "/batch_events", `{"batch":[`+events(10)+`]}`)
	w.begins("400 ", "POST", "/batch_events", `{"batch":[`+events(11)+`]}`)
	w.begins("400 ", "POST", "/batch_events", `{"batch":[]}`)
	w.begins("400 ", "POST", "/batch_events", `{"batch":[{"name":"e","channel":"#x","data":"1"}]}`)
	w.begins("413 ", "POST", "/events", data(200<<10))
	w.begins("400 ", "GET", "/channels", "", "info=user_count")
	w.begins("400 ", "GET", "/channels", "", "info=user_count", "filter_by_prefix=pre")
	w.begins("400 ", "GET", "/channels", "", "info=cache", "filter_by_prefix=cache-")
	w.begins("400 ", "GET", "/channels/x", "", "info=user_count")
	w.begins("400 ", "GET", "/channels/x", "", "info=cache")
	w.begins("400 ", "GET", "/channels/"+data(201), "")
	w.begins("400 ", "GET", "/channels/x/users", "")
	w.begins("400 ", "POST", "/users/"+data(129)+"/terminate_connections", "{}")
	w.begins("404 ", "GET", "/nothing", "")
	w.begins("404 ", "GET", "", "")
	w.begins("404 ", "GET", "/channels/x/y/z", "")
	w.begins("405 ", "GET", "/events", "")
	w.begins("405 ", "POST", "/channels", "")
}

// TestAltered has no request be done of which one byte is another one, nor one without a part of its signature, nor one
// that is too old or from the future.
func TestAltered(t *testing.T) {
	w := newWorld(t, 1, nil)
	body := `{"name":"e","channel":"x","data":"1"}`
	r := request{"POST", "/apps/shop/events", body, []string{"x=y"}, w.now.Unix(), w.app}
	query := r.signed()
	if got := w.send(r.method, r.path, query, body); got != ok {
		t.Fatal(got)
	}
	refused := func(what, method, path, query, body string) {
		t.Helper()
		if got := w.send(method, path, query, body); strings.HasPrefix(got, "200") {
			t.Errorf("%s: %s %s?%s %s is done", what, method, path, query, body)
		} else if strings.Contains(got, w.app.Sign(method+"\n"+path+"\n"+query)) {
			t.Errorf("%s: the answer tells the signature: %s", what, got)
		}
	}
	flip := func(text string, i int) string { return text[:i] + string(text[i]^1) + text[i+1:] }
	for i := range query {
		refused("a byte of the query", r.method, r.path, flip(query, i), body)
		refused("the query cut", r.method, r.path, query[:i], body)
	}
	for i := range body {
		refused("a byte of the body", r.method, r.path, query, flip(body, i))
		refused("the body cut", r.method, r.path, query, body[:i])
	}
	for i := range r.path {
		refused("a byte of the path", r.method, flip(r.path, i), query, body)
	}
	parts := strings.Split(query, "&")
	for i, part := range parts {
		rest := strings.Join(slices.Delete(slices.Clone(parts), i, i+1), "&")
		refused("without "+part, r.method, r.path, rest, body)
		refused("twice "+part, r.method, r.path, query+"&"+part, body)
	}
	refused("another method", "GET", r.path, query, body)
	refused("another app", r.method, "/apps/other/events", query, body)
	for _, off := range []time.Duration{-11 * time.Minute, 11 * time.Minute} {
		old := r
		old.at = w.now.Add(off).Unix()
		refused("another time", r.method, r.path, old.signed(), body)
	}
	theirs := r
	theirs.app = w.apps.ByID("other")
	refused("the secret of another app", r.method, r.path, theirs.signed(), body)
}

// TestWindow has requests within ten minutes be done.
func TestWindow(t *testing.T) {
	w := newWorld(t, 1, nil)
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		r := request{"GET", "/apps/shop/channels", "", nil, w.now.Add(off).Unix(), w.app}
		if got := w.send(r.method, r.path, r.signed(), ""); got != `200 {"channels":{}}` {
			t.Errorf("%s off: %s", off, got)
		}
	}
}

// TestEncodedPath has a path be signed as it is sent, or as it was before it was encoded.
func TestEncodedPath(t *testing.T) {
	w := newWorld(t, 1, nil)
	for _, one := range []struct{ signed, sent, want string }{
		{"/apps/shop/users/a@b c/terminate_connections", "/apps/shop/users/a@b%20c/terminate_connections", ok},
		{"/apps/shop/users/a@b%20c/terminate_connections", "/apps/shop/users/a@b%20c/terminate_connections", ok},
		{"/apps/shop/users/é/terminate_connections", "/apps/shop/users/%C3%A9/terminate_connections", ok},
		{"/apps/shop/users/%41/terminate_connections", "/apps/shop/users/%2541/terminate_connections", "401"},
		{"/apps/shop/users/a/terminate_connections", "/apps/shop/users%2Fa/terminate_connections", "401"},
	} {
		r := request{"POST", one.signed, "{}", nil, w.now.Unix(), w.app}
		if got := w.send("POST", one.sent, r.signed(), "{}"); !strings.HasPrefix(got, one.want) {
			t.Errorf("%s signed as %s: %s", one.sent, one.signed, got)
		}
	}
}

// TestReplay has a request that comes again at once be another one, and later be refused, also by a successor.
func TestReplay(t *testing.T) {
	w := newWorld(t, 1, nil)
	body := `{"name":"e","channel":"x","data":"1"}`
	r := request{"POST", "/apps/shop/events", body, nil, w.now.Unix(), w.app}
	send := func() string { return w.send(r.method, r.path, r.signed(), body) }
	if one, two := send(), send(); one != ok || two != ok {
		t.Errorf("two equal events: %s, %s", one, two)
	}
	for _, after := range []time.Duration{6 * time.Second, time.Minute, 9 * time.Minute} {
		w.now = begin.Add(after)
		if got := send(); !strings.HasPrefix(got, "401") {
			t.Errorf("after %s: %s", after, got)
		}
	}
	state := w.seen.Append(nil)
	w.seen = pusher.Replays{}
	if err := w.seen.Restore(state); err != nil {
		t.Fatal(err)
	}
	if got := send(); !strings.HasPrefix(got, "401") {
		t.Errorf("the successor: %s", got)
	}
	w.now = begin.Add(11 * time.Minute)
	if got := send(); !strings.Contains(got, "auth_timestamp") {
		t.Errorf("too old: %s", got)
	}
	w.answers(ok, "POST", "/events", body)
}

// TestReplaysBounded has the window become narrower where more requests come than can be remembered, and no replay be
// done.
func TestReplaysBounded(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.seen.Bound(1000)
	of := func(i int) request {
		at := begin.Unix() + int64(i>>5)
		return request{"POST", "/apps/shop/events", "", []string{fmt.Sprintf("n=%d", i)}, at, w.app}
	}
	done := func(i int) bool {
		r := of(i)
		_, wrong := w.apps.CheckHead(r.method, r.path, r.signed(), w.now, &w.seen)
		return wrong == nil
	}
	const n = 3000
	for i := range n {
		w.now = time.Unix(of(i).at, 0)
		if !done(i) {
			t.Fatalf("request %d is refused", i)
		}
	}
	w.now = w.now.Add(6 * time.Second)
	for i := range n {
		if done(i) {
			t.Fatalf("request %d is done again", i)
		}
	}
	if size := len(w.seen.Append(nil)); size > 40<<10 {
		t.Errorf("what is remembered has %d bytes", size)
	}
}

// TestManyMembers has a list be told whole by the API, however many may be there.
func TestManyMembers(t *testing.T) {
	w := newWorld(t, 3, func(a *pusher.App) { a.MaxMembers = 250 })
	var want []string
	for i := range 250 {
		id := fmt.Sprintf("u%03d", i)
		want = append(want, fmt.Sprintf(`{"id":%q}`, id))
		c := w.nodes[i%3].open(w.app)
		if c.subscribes("presence-x", fmt.Sprintf(`{"user_id":%q}`, id)); !slices.ContainsFunc(c.got, isSucceeded) {
			t.Fatalf("%s gets %s", id, c.got)
		}
	}
	w.answers(`200 {"users":[`+strings.Join(want, ",")+`]}`, "GET", "/channels/presence-x/users", "")
	late := w.nodes[0].open(w.app)
	late.subscribes("presence-x", `{"user_id":"late"}`)
	late.hears(`{"event":"pusher:subscription_error","channel":"presence-x",` +
		`"data":"{\"type\":\"LimitReached\",\"error\":\"as many members are there as may be\",\"status\":403}"}`)
	tab := w.nodes[1].open(w.app)
	if tab.subscribes("presence-x", `{"user_id":"u007"}`); len(tab.got) != 1 || !isSucceeded(tab.got[0]) {
		t.Errorf("a second tab gets %.200q", tab.got)
	}
}

func isSucceeded(frame string) bool {
	return strings.HasPrefix(frame, `{"event":"pusher_internal:subscription_succeeded"`)
}

// TestLinkDown has the status say that a back end may come again.
func TestLinkDown(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.nodes[0].hub.Close()
	for _, path := range []string{"/events", "/users/ann/terminate_connections"} {
		w.begins("503 ", "POST", path, `{"name":"e","channel":"x","data":"1"}`)
	}
	for _, path := range []string{"/channels", "/channels/x", "/channels/presence-x/users"} {
		w.begins("503 ", "GET", path, "")
	}
}
