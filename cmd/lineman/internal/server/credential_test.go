package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
)

// fieldsOf are header fields of a handshake.
func fieldsOf(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

const offers = "Sec-WebSocket-Protocol"

// TestWays takes a credential from each place where a page or a program can put it, with white space around it, and
// from the first one of them if there are several. A cookie, which comes by itself, is the last before the first frame.
func TestWays(t *testing.T) {
	c := settings()
	c.Cookie, c.Subprotocols = "session", []string{"chat.v1"}
	r := start(t, c, server.Options{Credentials: openQuick(secret)})
	b := r.backend()
	for _, w := range []struct {
		uid   string
		query string
		head  http.Header
		frame string
		agree string // the subprotocol
	}{
		{uid: "query", query: "token=secret-query"},
		{uid: "query-nl", query: "token=" + url.QueryEscape("\t secret-query-nl\r\n")},
		{uid: "header", head: fieldsOf("Authorization", "Bearer secret-header")},
		{uid: "header-case", head: fieldsOf("authorization", "bearer  secret-header-case ")},
		{uid: "offered", head: fieldsOf(offers, "bearer, secret-offered"), agree: "bearer"},
		{uid: "offered-tight", head: fieldsOf(offers, "bearer,secret-offered-tight"), agree: "bearer"},
		{uid: "offered-twice", head: fieldsOf(offers, "bearer", offers, "secret-offered-twice"), agree: "bearer"},
		{uid: "offered-behind", head: fieldsOf(offers, "chat.v1, bearer, secret-offered-behind"), agree: "chat.v1"},
		{uid: "offered-before", head: fieldsOf(offers, "bearer, secret-offered-before, chat.v1"), agree: "chat.v1"},
		{uid: "offered-alone", head: fieldsOf(offers, "bearer"), frame: "secret-offered-alone", agree: "bearer"},
		{uid: "cookie", head: fieldsOf("Cookie", "other=1; session=secret-cookie")},
		{uid: "frame", frame: "secret-frame"},
		{uid: "frame-nl", frame: " secret-frame-nl\n"},
		{uid: "blank", query: "token=%20%0A", frame: "secret-blank"},
		{uid: "basic", head: fieldsOf("Authorization", "Basic c2VjcmV0"), frame: "secret-basic"},
		{uid: "chat", head: fieldsOf(offers, "chat.v1"), frame: "secret-chat", agree: "chat.v1"},
		{uid: "unknown", head: fieldsOf(offers, "mqtt"), frame: "secret-unknown"},
		{
			uid: "first", query: "token=secret-first", agree: "bearer",
			head: fieldsOf("Authorization", "Bearer secret-x", offers, "bearer, secret-x"),
		},
		{
			uid: "second", agree: "bearer",
			head: fieldsOf("Authorization", "Bearer secret-second", offers, "bearer, secret-x"),
		},
		{uid: "third", agree: "bearer", head: fieldsOf("Cookie", "session=secret-x", offers, "bearer, secret-third")},
		{uid: "fourth", head: fieldsOf("Cookie", "session=secret-fourth"), frame: "secret-x"},
	} {
		page := r.Connect(r.pages)
		answer, _ := page.Handshake("/?"+w.query, w.head)
		if got := answer.Header.Get(offers); answer.StatusCode != 101 || got != w.agree {
			t.Fatalf("%s: %d, subprotocol %q, want %q", w.uid, answer.StatusCode, got, w.agree)
		}
		if w.frame != "" {
			page.Send(w.frame)
		}
		r.known(b, w.uid)
	}
	for _, reflected := range []string{"bearer, bearer", "bearer, chat.v1"} {
		answer, why := r.Connect(r.pages).Handshake("/", fieldsOf(offers, reflected))
		if answer.StatusCode != 400 || !strings.Contains(why, "bearer") {
			t.Errorf("offered %q: %d %s", reflected, answer.StatusCode, why)
		}
	}
}

// TestHello tells a page the name of its connection, before all else, if it asks for that. A publication can leave it
// out then, from the node of the page, and from another one.
func TestHello(t *testing.T) {
	broker := push.NewMemory()
	one := start(t, devMode(), server.Options{Broker: broker})
	other := start(t, devMode(), server.Options{Broker: broker})
	t.Run("one node", func(t *testing.T) { hello(t, one, one.backend(), "ann") })
	t.Run("two nodes", func(t *testing.T) { hello(t, one, other.backend(), "bob") })
	for _, q := range []string{"hello=0", "hello=yes", "hello=%zz"} {
		if answer, _ := one.Connect(one.pages).Handshake("/?"+q, nil); answer.StatusCode != 400 {
			t.Errorf("%s: %d", q, answer.StatusCode)
		}
	}
}

// hello has pages of a uid ask for their names, which a back end uses.
func hello(t *testing.T, r *running, b *linemantest.Client, uid string) {
	first := r.visit("token=" + uid + "&hello=1")
	second := r.Connect(r.pages)
	second.Upgrade("/?hello=1", nil)
	second.Send(uid)
	plain := r.page(uid)
	r.counts(b, push.UID(uid), 3)
	name := func(c *linemantest.Client) string {
		conn, begins := strings.CutPrefix(c.Receive(), `{"conn":"`)
		conn, ends := strings.CutSuffix(conn, `"}`)
		if !begins || !ends || !strings.HasPrefix(conn, "c:") {
			t.Fatalf("the first frame names %q", conn)
		}
		return conn
	}
	one, two := name(first), name(second)
	got := ask(b, `{"cmd":"list","to":"`+one+`"}`)
	if one == two || got != `{"ok":true,"uids":["`+uid+`"],"conns":["`+one+`"]}` {
		t.Errorf("%s, %s: the first is %s", one, two, got)
	}
	ask(b, `{"cmd":"pub","to":"u:`+uid+`","text":"for the others","except":"`+one+`"}`)
	ask(b, `{"cmd":"pub","to":"u:`+uid+`","text":"for all"}`)
	for c, want := range map[*linemantest.Client][]string{
		first: {"for all"}, second: {"for the others", "for all"}, plain: {"for the others", "for all"},
	} {
		for _, w := range want {
			if got := c.Receive(); got != w {
				t.Errorf("a page got %q, want %q", got, w)
			}
		}
	}
}
