package pusher_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pusher"
)

const ok = "200 {}"

// TestTranscript goes through the documentation of the protocol, line by line.
func TestTranscript(t *testing.T) {
	for _, part := range []struct {
		name string
		run  func(w *world)
	}{
		{"ping", transcribePing}, {"public", transcribePublic}, {"private", transcribePrivate},
		{"presence", transcribePresence}, {"cache", transcribeCache}, {"encrypted", transcribeEncrypted},
		{"client events", transcribeClientEvents}, {"signin", transcribeSignin}, {"watchlist", transcribeWatchlist},
		{"malformed", transcribeMalformed},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(newWorld(t, 1, nil)) })
	}
}

func transcribePing(w *world) {
	a := w.nodes[0].open(w.app)
	a.says(`{"event":"pusher:ping","data":{}}`)
	a.hears(`{"event":"pusher:pong","data":"{}"}`)
	a.says(`{"event":"pusher:pong","data":{}}`)
	a.says(`{"event":"pusher:ping"}`)
	a.hears(`{"event":"pusher:pong","data":"{}"}`)
}

func transcribePublic(w *world) {
	a, b := w.nodes[0].open(w.app), w.nodes[0].open(w.app)
	plain := w.nodes[0].openPlain(w.app.Channel("orders"))
	stranger := w.nodes[0].open(w.apps.ByID("other"))
	subscribe := `{"event":"pusher:subscribe","data":{"channel":"orders"}}`
	succeeded := `{"event":"pusher_internal:subscription_succeeded","channel":"orders","data":"{}"}`
	for _, c := range []*conn{a, b, stranger, a} {
		c.says(subscribe)
		c.hears(succeeded)
	}
	w.answers(ok, "POST", "/events", `{"name":"new","channels":["orders"],"data":"{\"id\":7}"}`)
	told := `{"event":"new","channel":"orders","data":"{\"id\":7}"}`
	a.hears(told)
	b.hears(told)
	stranger.hears()
	plain.hears(`{"event":"new","data":"{\"id\":7}"}`)

	w.answers(ok, "POST", "/events", fmt.Sprintf(
		`{"name":"to-others","channel":"orders","data":"text","socket_id":%q}`, a.socket()))
	a.hears()
	b.hears(`{"event":"to-others","channel":"orders","data":"text"}`)

	b.says(`{"event":"pusher:unsubscribe","data":{"channel":"orders"}}`)
	w.answers(ok, "POST", "/events", `{"name":"é\u2028\"","channel":"orders","data":"\ud83d\ude00\n"}`)
	a.hears(`{"event":"é` + "\u2028" + `\"","channel":"orders","data":"\ud83d\ude00\n"}`)
	b.hears()

	for published, want := range map[string]string{ // by other ways than the API
		`text "x"`:                         `"message","channel":"orders","data":"text \"x\""`,
		"\xff":                             "\"message\",\"channel\":\"orders\",\"data\":\"\uFFFD\"",
		`{"price":1}`:                      `"message","channel":"orders","data":"{\"price\":1}"`,
		`{"event":"p","data":{"a":[1]}}`:   `"p","channel":"orders","data":"{\"a\":[1]}"`,
		`{"event":"p"}`:                    `"p","channel":"orders"`,
		`{"event":"pusher:x"}`:             `"message","channel":"orders","data":"{\"event\":\"pusher:x\"}"`,
		`{"event":"p","user_id":"forged"}`: `"p","channel":"orders"`,
	} {
		w.nodes[0].publish(w.app.Channel("orders"), published)
		a.hears(`{"event":` + want + `}`)
	}
}

func transcribePrivate(w *world) {
	a := w.nodes[0].open(w.app)
	refused := `{"event":"pusher:subscription_error","channel":"private-x",` +
		`"data":"{\"type\":\"AuthError\",\"error\":\"the signature is not good\",\"status\":401}"}`
	a.says(`{"event":"pusher:subscribe","data":{"channel":"private-x"}}`)
	a.hears(refused)
	good := w.app.AuthorizeChannel(a.socket(), "private-x", "")
	for _, auth := range []string{
		"", good[:len(good)-1], strings.ToUpper(good), "other-key" + good[strings.Index(good, ":"):], good + "0",
		w.app.AuthorizeChannel(a.socket(), "private-y", ""), w.app.AuthorizeChannel("1.1", "private-x", ""),
		w.apps.ByID("other").AuthorizeChannel(a.socket(), "private-x", ""),
		w.app.AuthorizeChannel(a.socket(), "private-x", "{}"),
	} {
		a.says(fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":"private-x","auth":%q}}`, auth))
		a.hears(refused)
	}
	a.says(fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":"private-x","auth":%q}}`, good))
	a.hears(`{"event":"pusher_internal:subscription_succeeded","channel":"private-x","data":"{}"}`)
	// the data of what clients say may be a string, too
	data := fmt.Sprintf(`{"channel":"private-x","auth":%q}`, good)
	a.says(fmt.Sprintf(`{"event":"pusher:subscribe","data":%q}`, data))
	a.hears(`{"event":"pusher_internal:subscription_succeeded","channel":"private-x","data":"{}"}`)
}

func transcribePresence(w *world) {
	a, b, again := w.nodes[0].open(w.app), w.nodes[0].open(w.app), w.nodes[0].open(w.app)
	a.subscribes("presence-x", `{"user_id":"ann","user_info":{"name": "Ann"}}`)
	a.hears(`{"event":"pusher_internal:subscription_succeeded","channel":"presence-x","data":` +
		`"{\"presence\":{\"count\":1,\"ids\":[\"ann\"],\"hash\":{\"ann\":{\"name\":\"Ann\"}}}}"}`)
	b.subscribes("presence-x", `{"user_id":7}`)
	b.hears(`{"event":"pusher_internal:subscription_succeeded","channel":"presence-x","data":` +
		`"{\"presence\":{\"count\":2,\"ids\":[\"7\",\"ann\"],\"hash\":{\"7\":null,\"ann\":{\"name\":\"Ann\"}}}}"}`)
	a.hears(`{"event":"pusher_internal:member_added","channel":"presence-x","data":"{\"user_id\":\"7\"}"}`)

	again.subscribes("presence-x", `{"user_id":"ann","user_info":{"name":"Ann"}}`) // a second tab
	again.got = nil
	a.hears()
	b.hears()
	again.goes()
	w.pass(10 * time.Second)
	b.hears()
	a.goes()
	w.pass(4 * time.Second)
	b.hears()
	w.pass(2 * time.Second)
	b.hears(`{"event":"pusher_internal:member_removed","channel":"presence-x","data":"{\"user_id\":\"ann\"}"}`)

	c := w.nodes[0].open(w.app)
	for data, wrong := range map[string]string{
		"": "a presence channel needs", "{}": "channel_data", `{"user_id":""}`: "channel_data", "7": "channel_data",
		`{"user_id":"` + strings.Repeat("x", 129) + `"}`:                          "channel_data",
		`{"user_id":"x","user_info":"` + strings.Repeat("x", push.MaxInfo) + `"}`: "channel_data",
	} {
		if c.subscribes("presence-x", data); len(c.got) != 1 || !strings.Contains(c.got[0], wrong) ||
			!strings.Contains(c.got[0], "pusher:subscription_error") {
			w.t.Errorf("as %q it gets %q", data, c.got)
		}
		c.got = nil
	}
	b.hears()
}

func transcribeCache(w *world) {
	for _, name := range []string{"cache-x", "private-cache-x", "private-encrypted-cache-x", "presence-cache-x"} {
		w.heard = nil
		data, list := "", "{}"
		if pusher.KindOf(name)&pusher.Presence != 0 {
			data = `{"user_id":"ann"}`
			list = `{\"presence\":{\"count\":1,\"ids\":[\"ann\"],\"hash\":{\"ann\":null}}}`
		}
		succeeded := `{"event":"pusher_internal:subscription_succeeded","channel":"` + name + `","data":"` + list + `"}`
		a := w.nodes[0].open(w.app)
		a.subscribes(name, data)
		a.hears(succeeded, `{"event":"pusher:cache_miss","channel":"`+name+`"}`)
		if want := `shop {"name":"cache_miss","channel":"` + name + `"}`; len(w.heard) != 1 || w.heard[0] != want {
			w.t.Errorf("back ends hear %q, want %q", w.heard, want)
		}
		w.answers(ok, "POST", "/events", `{"name":"e","channel":"`+name+`","data":"1"}`)
		w.answers(ok, "POST", "/events", `{"name":"e","channel":"`+name+`","data":"2"}`)
		a.got = nil
		b := w.nodes[0].open(w.app)
		b.subscribes(name, data)
		b.hears(succeeded, `{"event":"e","channel":"`+name+`","data":"2"}`)
	}
}

func transcribeEncrypted(w *world) {
	a := w.nodes[0].open(w.app)
	a.subscribes("private-encrypted-x", "")
	a.hears(`{"event":"pusher_internal:subscription_succeeded","channel":"private-encrypted-x","data":"{}"}`)
	secret := `{\"nonce\":\"AAAA\",\"ciphertext\":\"BBBB\"}`
	w.answers(ok, "POST", "/events", `{"name":"e","channel":"private-encrypted-x","data":"`+secret+`"}`)
	a.hears(`{"event":"e","channel":"private-encrypted-x","data":"` + secret + `"}`)
}

func transcribeClientEvents(w *world) {
	a, b := w.nodes[0].open(w.app), w.nodes[0].open(w.app)
	for _, c := range []*conn{a, b} {
		c.subscribes("private-x", "")
		c.subscribes("presence-x", fmt.Sprintf(`{"user_id":"u%d"}`, c.id))
		c.subscribes("x", "")
		c.subscribes("private-encrypted-x", "")
	}
	a.got, b.got = nil, nil
	a.says(`{"event":"client-typing","channel":"private-x","data":{"on":true}}`)
	a.hears()
	b.hears(`{"event":"client-typing","channel":"private-x","data":{"on":true}}`)
	if want := `shop {"name":"client_event","channel":"private-x","event":"client-typing","data":"{\"on\":true}",` +
		`"socket_id":"` + a.socket() + `"}`; len(w.heard) != 1 || w.heard[0] != want {
		w.t.Errorf("back ends hear %q, want %q", w.heard, want)
	}
	a.says(`{"event":"client-typing","channel":"presence-x","data":"on","user_id":"forged"}`)
	b.hears(`{"event":"client-typing","channel":"presence-x","data":"on","user_id":"u1"}`)

	const nowhere = "private and presence channels only"
	long := strings.Repeat("x", 10<<10)
	for text, wrong := range map[string]string{
		`{"event":"client-a","channel":"x","data":1}`:                      nowhere,
		`{"event":"client-a","channel":"private-encrypted-x","data":1}`:    nowhere,
		`{"event":"client-a","data":1}`:                                    nowhere,
		`{"event":"client-a","channel":"private-y","data":1}`:              "has not subscribed",
		`{"event":"typing","channel":"private-x","data":1}`:                "begin with client-",
		`{"event":"pusher_internal:member_added","channel":"private-x"}`:   "begin with client-",
		`{"event":"client-a","channel":"private-x","data":"` + long + `"}`: "too long",
	} {
		if a.says(text); len(a.got) != 1 || !strings.Contains(a.got[0], `"code":4300,`) ||
			!strings.Contains(a.got[0], wrong) {
			w.t.Errorf("%.80s: %q", text, a.got)
		}
		a.got = nil
		b.hears()
	}
	w.now = w.now.Add(time.Second)
	for range 11 {
		a.says(`{"event":"client-a","channel":"private-x"}`)
	}
	a.hears(`{"event":"pusher:error","channel":"private-x",` +
		`"data":{"code":4301,"message":"too many events in a second"}}`)
	if len(b.got) != 10 || b.got[0] != `{"event":"client-a","channel":"private-x"}` {
		w.t.Errorf("the other page gets %d events: %s", len(b.got), b.got[0])
	}
	if a.closed != 0 {
		w.t.Errorf("the page is closed with %d", a.closed)
	}
}

func transcribeSignin(w *world) {
	a := w.nodes[0].open(w.app)
	wish := `{"event":"pusher:subscribe","data":{"channel":"#server-to-user-ann","auth":""}}`
	if a.says(wish); len(a.got) != 1 || !strings.Contains(a.got[0], "subscription_error") {
		w.t.Errorf("who has not signed in gets %q", a.got)
	}
	a.got = nil
	data := `{"id":"ann","user_info":{"name":"Ann"}}`
	a.signsIn(data)
	success := `{"event":"pusher:signin_success","data":"{\"user_data\":` +
		`\"{\\\"id\\\":\\\"ann\\\",\\\"user_info\\\":{\\\"name\\\":\\\"Ann\\\"}}\"}"}`
	a.hears(success)
	a.says(wish)
	a.hears(`{"event":"pusher_internal:subscription_succeeded","channel":"#server-to-user-ann","data":"{}"}`)
	w.answers(ok, "POST", "/events", `{"name":"hello","channel":"#server-to-user-ann","data":"1"}`)
	w.answers(ok, "POST", "/events", `{"name":"hello","channel":"#server-to-user-bob","data":"1"}`)
	a.hears(`{"event":"hello","channel":"#server-to-user-ann","data":"1"}`)

	// a presence channel takes who has signed in, without channel_data
	a.subscribes("presence-x", "")
	a.hears(`{"event":"pusher_internal:subscription_succeeded","channel":"presence-x","data":` +
		`"{\"presence\":{\"count\":1,\"ids\":[\"ann\"],\"hash\":{\"ann\":{\"name\":\"Ann\"}}}}"}`)

	b := w.nodes[0].open(w.app)
	b.says(fmt.Sprintf(`{"event":"pusher:signin","data":{"auth":%q,"user_data":%q}}`,
		w.app.AuthenticateUser(a.socket(), data), data))
	b.hears(`{"event":"pusher:error","data":{"code":4009,"message":"the signature of the user is not good"}}`)
	if b.closed != pusher.CodeUnauthorized {
		w.t.Errorf("with the signature of another page it is closed with %d", b.closed)
	}
	w.answers(ok, "POST", "/users/ann/terminate_connections", "{}")
	if a.closed != pusher.CodeUnauthorized {
		w.t.Errorf("its connection is closed with %d", a.closed)
	}
}

func transcribeWatchlist(w *world) {
	signin := func(id, watchlist string) *conn {
		c := w.nodes[0].open(w.app)
		c.signsIn(fmt.Sprintf(`{"id":%q,"watchlist":%s}`, id, watchlist))
		c.got = c.got[1:]
		return c
	}
	bob := signin("bob", "[]")
	bob.hears()
	ann := signin("ann", `["ann","bob","dan"]`)
	ann.hears(`{"event":"pusher_internal:watchlist_events","data":"{\"events\":[` +
		`{\"name\":\"online\",\"user_ids\":[\"bob\"]},{\"name\":\"offline\",\"user_ids\":[\"dan\"]}]}"}`)
	dan := signin("dan", "[]")
	ann.hears(`{"event":"pusher_internal:watchlist_events",` +
		`"data":"{\"events\":[{\"name\":\"online\",\"user_ids\":[\"dan\"]}]}"}`)
	bob.goes()
	dan.goes()
	dan = signin("dan", "[]") // it was loaded again
	w.pass(6 * time.Second)
	ann.hears(`{"event":"pusher_internal:watchlist_events",` +
		`"data":"{\"events\":[{\"name\":\"offline\",\"user_ids\":[\"bob\"]}]}"}`)
	dan.hears()
	many := signin("eve", "["+strings.Repeat(`"x",`, 100)+`"x"]`)
	many.hears(`{"event":"pusher:error","data":{"code":4302,"message":"a watchlist has at most 100 users"}}`)
}

func transcribeMalformed(w *world) {
	a := w.nodes[0].open(w.app)
	for i, text := range []string{
		"", "x", "[]", `{"event":7}`, `{"data":{}}`, `{"event":"pusher:subscribe"}`,
		`{"event":"pusher:subscribe","data":"x"}`, `{"event":"pusher:subscribe","data":{}}`,
		`{"event":"pusher:subscribe","data":7}`, `{"event":"` + strings.Repeat("x", 201) + `"}`,
	} {
		if a.closed != 0 {
			w.t.Fatalf("it is closed after %d", i)
		}
		if a.says(text); len(a.got) != 1 || !strings.Contains(a.got[0], `"code":4300,`) {
			w.t.Errorf("%.80q: %q", text, a.got)
		}
		a.got = nil
	}
	if a.closed != pusher.CodeRejected {
		w.t.Error("it is not closed")
	}
	a.says(`{"event":"pusher:ping"}`)
	a.hears()
}
