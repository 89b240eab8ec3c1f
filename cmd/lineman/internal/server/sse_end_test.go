package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push/level1"
)

// TestStreamBye has a stream that is ended say why first, and when to come again: never, if the id says so.
func TestStreamBye(t *testing.T) {
	c := quietChats(3)
	c.SingleLogin = true
	r := start(t, c, server.Options{})
	b := r.backend()
	first := r.ask(t, "token=ann&sub=chat:7", "")
	first.welcome("ann")
	second := r.ask(t, "token=ann&sub=chat:7", "")
	second.welcome("ann")
	if first.event(); first.event() == "" {
		t.Error("it is not told why")
	}
	if !strings.HasPrefix(first.lastID, "end:40") || first.event() != "" {
		t.Errorf("another login: the id is %q", first.lastID)
	}
	if a := r.ask(t, "token=ann&sub=chat:7", "Last-Event-ID: "+first.lastID+"\r\n").answer; a.StatusCode != 204 {
		t.Errorf("a browser that comes back by itself: %d", a.StatusCode)
	}
	second.event()
	id := second.lastID
	if got := ask(b, `{"cmd":"kick","to":"u:ann","code":4200,"reason":"why"}`); !strings.Contains(got, `"ok":true`) {
		t.Fatal(got)
	}
	if got := second.event(); got != `{"op":"bye","code":4200,"why":"why"}` || second.lastID != id ||
		second.retry == "" {
		t.Errorf("%s, id %q, retry %q", got, second.lastID, second.retry)
	}
	third := r.ask(t, "token=ann&sub=chat:7", "")
	third.welcome("ann")
	third.event()
	id = third.lastID
	go r.Stop()
	if got := third.event(); !strings.HasPrefix(got, `{"op":"bye","code":4101,"retry":1`) || third.lastID != id ||
		!strings.HasPrefix(third.retry, "1") || third.event() != "" {
		t.Errorf("a stop: %s, id %q, retry %q", got, third.lastID, third.retry)
	}
}

// TestStreamQuiet has a stream on which nothing happens get comments, and none be cut by a limit; and what comes behind
// its request be nobody's.
func TestStreamQuiet(t *testing.T) {
	t.Parallel()
	c := devMode()
	c.Ping = time.Second
	c.Limits.Login = time.Second // less than the two pings take
	c.Limits.MessagesPerConnection = 3
	r := start(t, c, server.Options{})
	b := r.backend()
	st := r.ask(t, "token=ann&pad=1", "\r\nGET /health HTTP/1.1\r\nHost: x\r\n")
	if got := st.comment(); len(got) < 2<<10 {
		t.Errorf("the padding has %d bytes", len(got))
	}
	st.body.ReadString('\n')
	st.welcome("ann")
	for range 2 {
		if got := st.comment(); got != ":\n" {
			t.Errorf("%q", got)
		}
		st.body.ReadString('\n')
	}
	for range 20 {
		st.conn.Write("GET /sse HTTP/1.1\r\n\r\n")
		ask(b, `{"cmd":"count","to":"u:ann"}`)
	}
	linemantest.Until(t, "who goes on writing is not ended", func() bool {
		return ask(b, `{"cmd":"count","to":"u:ann"}`) == `{"ok":true,"counts":{"u:ann":0}}`
	})
}

// TestStreamSlow ends a stream that is not read, as a WebSocket is.
func TestStreamSlow(t *testing.T) {
	c := quietChats(3)
	c.Limits.Pending = 64 << 10
	log := &journal{}
	r := start(t, c, server.Options{Log: log.logger()})
	b := r.backend()
	st := r.ask(t, "token=ann&sub=chat:7", "")
	st.welcome("ann")
	large := strings.Repeat("x", 60_000)
	linemantest.Until(t, "it is not ended", func() bool {
		pub(t, b, "chat:7", large)
		return ask(b, `{"cmd":"count","to":"u:ann"}`) == `{"ok":true,"counts":{"u:ann":0}}`
	})
	linemantest.Until(t, "the log does not tell", func() bool { return strings.Contains(log.String(), "slow") })
}

// TestStreamBesides has one publication reach streams and WebSockets alike, and be counted once for each.
func TestStreamBesides(t *testing.T) {
	r := start(t, chats(3), server.Options{})
	b := r.backend()
	p := r.live(t)
	p.hello(`,"token":"web","sub":{"chat:7":""}`)
	one, two := r.ask(t, "token=one&sub=chat:7", ""), r.ask(t, "token=two&sub=chat:7,none:1", "")
	plain := r.visit("token=plain&sub=chat:7")
	r.counts(b, "chat:7", 4)
	a := parse(t, ask(b, `{"cmd":"pub","to":["chat:7","none:1"],"text":"all"}`))
	if !a.OK || a.N != 4 {
		t.Errorf("%+v", a)
	}
	want := level1.Message{Channel: "chat:7", Data: []byte("all")}
	text := string(want.Append(nil))
	for _, st := range []*stream{one, two} {
		got := ""
		for !strings.Contains(got, `"op":"msg"`) {
			got = st.event()
		}
		if strings.Replace(got, `"pos":"`+a.Pos["chat:7"]+`",`, "", 1) != text {
			t.Errorf("%s, want %s", got, text)
		}
	}
	if got := two.event(); !strings.Contains(got, `"ch":"none:1"`) {
		t.Errorf("%s", got)
	}
	if got := plain.Receive(); got != "all" {
		t.Errorf("%s", got)
	}
}
