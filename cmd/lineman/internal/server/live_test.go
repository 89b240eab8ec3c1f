package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
)

// livePage is a page of level 1.
type livePage struct {
	*linemantest.Client
	t *testing.T
}

// live opens the WebSocket of a page of level 1, which has not said hello yet.
func (r *running) live(t *testing.T) livePage {
	t.Helper()
	c := r.Connect(r.pages)
	c.Upgrade("/", http.Header{"Sec-Websocket-Protocol": {"lineman.v1"}})
	return livePage{c, t}
}

// is checks the next frame, in which positions are written $1, $2 and so on, and names of connections $c.
func (p livePage) is(positions []string, want ...string) {
	p.t.Helper()
	for _, w := range want {
		got := p.Receive()
		for i, at := range positions {
			if at != "" {
				got = strings.ReplaceAll(got, `"`+at+`"`, fmt.Sprintf(`"$%d"`, i))
			}
		}
		if i := strings.Index(got, `"conn":"c:`); i >= 0 {
			end := strings.Index(got[i+8:], `"`)
			got = got[:i] + `"conn":"$c` + got[i+8+end:]
		}
		if got != w {
			p.t.Errorf("got  %s\nwant %s", got, w)
		}
	}
}

// hello says it, and reads the welcome.
func (p livePage) hello(fields string) {
	p.t.Helper()
	p.Send(`{"op":"hello"` + fields + `}`)
	if got := p.Receive(); !strings.HasPrefix(got, `{"op":"welcome"`) {
		p.t.Fatalf("not welcome: %s", got)
	}
}

// chats are settings whose channels of chat keep some messages.
func chats(size int) config.Config {
	c := devMode()
	c.Namespaces["chat"] = config.Namespace{Subscribe: "all", History: config.Retention{Size: size, TTL: time.Hour}}
	c.Namespaces["shut"] = config.Namespace{Subscribe: "none"}
	c.History.UIDs = config.Retention{Size: 10}
	return c
}

// pub publishes a text on a channel, and returns its position.
func pub(t *testing.T, b *linemantest.Client, to, text string) string {
	t.Helper()
	a := parse(t, ask(b, fmt.Sprintf(`{"cmd":"pub","to":%q,"text":%q}`, to, text)))
	if !a.OK {
		t.Fatalf("%s was not published: %+v", text, a)
	}
	return a.Pos[to]
}

// TestLive has a page of level 1 say hello, subscribe, get what it has missed before anything newer, and be told of
// gaps.
func TestLive(t *testing.T) {
	r := start(t, chats(3), server.Options{})
	b := r.backend()
	at := []string{""}
	for i := range 5 {
		at = append(at, pub(t, b, "chat:7", fmt.Sprint("m", i+1)))
	}
	p := r.live(t)
	p.Send(`{"op":"hello","id":1,"token":"ann","sub":{"chat:7":"` + at[3] + `","shut:x":"","none:1":"` + at[1] + `"}}`)
	p.is(at, `{"op":"welcome","id":1,"conn":"$c","uid":"ann","ping":3600,"max":65536}`)
	own := p.Receive()
	var begun struct{ Op, Ch, Pos string }
	if json.Unmarshal([]byte(own), &begun) != nil || begun.Ch != "u:ann" || begun.Pos == "" {
		t.Errorf("its own uid begins with %s", own)
	}
	p.is(at,
		`{"op":"sub","ch":"chat:7","pos":"$5","n":2}`,
		`{"op":"msg","ch":"chat:7","pos":"$4","text":"m4"}`,
		`{"op":"msg","ch":"chat:7","pos":"$5","text":"m5"}`,
		`{"op":"err","ch":"shut:x","code":403,"msg":"it may not subscribe to it"}`,
		`{"op":"sub","ch":"none:1","gap":"off"}`)

	at = append(at, pub(t, b, "chat:7", "m6"))
	pub(t, b, "none:1", "{}")
	p.is(at, `{"op":"msg","ch":"chat:7","pos":"$6","text":"m6"}`, `{"op":"msg","ch":"none:1","data":{}}`)
	ask(b, `{"cmd":"pub","to":"*","text":"all"}`)
	p.is(at, `{"op":"msg","ch":"*","text":"all"}`)

	p.Send(`[{"op":"sub","id":2,"ch":"chat:7","since":"` + at[1] + `"},` +
		`{"op":"sub","id":3,"ch":"chat:7","since":"last:2"},{"op":"unsub","id":4,"ch":"chat:7"},` +
		`{"op":"hist","id":5,"ch":"chat:7"},{"op":"hb"},{"op":"sub","id":6,"ch":"g:x"}]`)
	p.is(at,
		`{"op":"sub","id":2,"ch":"chat:7","pos":"$6","gap":"expired"}`,
		`{"op":"sub","id":3,"ch":"chat:7","pos":"$6","n":2}`,
		`{"op":"msg","ch":"chat:7","pos":"$5","text":"m5"}`,
		`{"op":"msg","ch":"chat:7","pos":"$6","text":"m6"}`,
		`{"op":"unsub","id":4,"ch":"chat:7"}`,
		`{"op":"err","id":5,"ch":"chat:7","code":403,"msg":"it has not subscribed to it"}`,
		`{"op":"hb"}`,
		`{"op":"err","id":6,"ch":"g:x","code":403,"msg":"it is not in it"}`)
	pub(t, b, "chat:7", "m7")
	pub(t, b, "u:ann", "own")
	if got := p.Receive(); !strings.Contains(got, `"text":"own"`) {
		t.Errorf("after it has unsubscribed it got %s", got)
	}
}

// TestLiveLies has pages claim positions that they were never told: they get a gap, and nothing of others.
func TestLiveLies(t *testing.T) {
	r := start(t, chats(100), server.Options{})
	b := r.backend()
	at := []string{"", pub(t, b, "chat:7", "m1"), pub(t, b, "chat:7", "m2")}
	epoch, _, _ := strings.Cut(at[1], ".")
	for since, gap := range map[string]string{
		epoch + ".zz": "ahead", "0.1": "epoch", epoch + ".3w5e11264sgsf": "ahead",
	} {
		p := r.live(t)
		p.hello(`,"token":"bob","sub":{"u:bob":"","chat:7":"` + since + `","u:ann":"` + epoch + `.0"}`)
		p.Receive() // its uid
		p.is(at, `{"op":"sub","ch":"chat:7","pos":"$2","gap":"`+gap+`"}`,
			`{"op":"err","ch":"u:ann","code":403,"msg":"it is not in it"}`)
	}
	for _, wrong := range []string{
		`{"op":"sub","id":9,"ch":"chat:7","since":"x"}`, `{"op":"sub","id":9,"ch":"*"}`, `{"op":"sub","id":9}`,
		`{"op":"nonsense","id":9}`, `{"id":9}`, `[1]`, `nonsense`, `{"op":"hello","id":9}`,
	} {
		p := r.live(t)
		p.hello(`,"token":"bob"`)
		p.Receive()
		p.Send(wrong)
		if got := p.Receive(); !strings.HasPrefix(got, `{"op":"err"`) || !strings.Contains(got, `"code":400`) {
			t.Errorf("%s is answered %s", wrong, got)
		}
	}
	p := r.live(t)
	for range 10 {
		p.Send(`{"op":"sub","ch":"chat:7"}`) // before hello
	}
	for range 10 {
		p.Receive()
	}
	p.is(nil, `{"op":"bye","code":1008,"why":"too much that is no request of level 1"}`)
	p.Goodbye(1008, "too much that is no request of level 1")
}

// TestLiveBatch gives arrays to who takes them.
func TestLiveBatch(t *testing.T) {
	r := start(t, chats(100), server.Options{})
	b := r.backend()
	at := []string{""}
	for i := range 3 {
		at = append(at, pub(t, b, "chat:7", fmt.Sprint("m", i+1)))
	}
	p := r.live(t)
	p.hello(`,"token":"ann","batch":true,"sub":{"chat:7":"` + at[1] + `"}`)
	p.Receive()
	p.is(at, `[{"op":"sub","ch":"chat:7","pos":"$3","n":2},{"op":"msg","ch":"chat:7","pos":"$2","text":"m2"},`+
		`{"op":"msg","ch":"chat:7","pos":"$3","text":"m3"}]`)
	p.Send(`{"op":"hist","id":7,"ch":"chat:7","since":"` + at[1] + `","n":1}`)
	begin := `{"op":"hist","id":7,"ch":"chat:7","messages":[{"pos":"` + at[2] + `","at":`
	if got := p.Receive(); !strings.HasPrefix(got, begin) ||
		!strings.HasSuffix(got, `"text":"m2"}],"pos":"`+at[3]+`","more":true}`) {
		t.Errorf("the history is %s", got)
	}
}

// TestLiveServer has back ends put pages into groups and channels, take them out, leave them out of a message, and
// close them.
func TestLiveServer(t *testing.T) {
	r := start(t, chats(100), server.Options{})
	b := r.backend()
	p := r.live(t)
	p.Send(`{"op":"hello","token":"ann"}`)
	var welcome struct{ Conn string }
	if err := json.Unmarshal([]byte(p.Receive()), &welcome); err != nil {
		t.Fatal(err)
	}
	p.Receive()
	at := []string{"", pub(t, b, "chat:7", "m1")}
	ask(b, `{"cmd":"subscribe","to":"u:ann","channel":"chat:7"}`)
	ask(b, `{"cmd":"join","to":"u:ann","group":"room"}`)
	p.is(at, `{"op":"sub","ch":"chat:7","pos":"$1"}`, `{"op":"sub","ch":"g:room"}`)
	ask(b, `{"cmd":"pub","to":["chat:7","g:room"],"text":"m2"}`)
	got := p.Receive()
	at = append(at, parse(t, ask(b, `{"cmd":"history","to":"chat:7","limit":0}`)).Top)
	if got != `{"op":"msg","ch":"chat:7","pos":"`+at[2]+`","text":"m2"}` {
		t.Errorf("it got %s", got)
	}
	p.is(at, `{"op":"msg","ch":"g:room","text":"m2"}`)
	answer := parse(t, ask(b, `{"cmd":"pub","to":"chat:7","text":"m3","except":"`+welcome.Conn+`"}`))
	at = append(at, answer.Pos["chat:7"])
	p.is(at, `{"op":"pos","ch":"chat:7","pos":"$3"}`)
	ask(b, `{"cmd":"unsubscribe","to":"u:ann","channel":"chat:7"}`)
	p.is(at, `{"op":"unsub","ch":"chat:7","why":"server"}`)
	ask(b, `{"cmd":"kick","to":"u:ann","reason":"go"}`)
	p.is(at, `{"op":"bye","code":4010,"why":"go"}`)
	p.Goodbye(4010, "go")
}

// TestLiveToken has a page show another token in time, which counts from then on.
func TestLiveToken(t *testing.T) {
	t.Run("on a goroutine", func(t *testing.T) { testLiveToken(t, open) })
	t.Run("on the loop", func(t *testing.T) { testLiveToken(t, openQuick) })
}

func testLiveToken(
	t *testing.T, open func(func(context.Context, string) (server.Identity, error)) func() (server.Credentials, error),
) {
	c := chats(10)
	c.Dev = false
	verify := func(ctx context.Context, credential string) (server.Identity, error) {
		who, err := secret(ctx, strings.TrimSuffix(credential, "-less"))
		if strings.HasSuffix(credential, "-less") {
			who.Channels = []string{"chat:*"}
			who.Expires = time.Now().Add(time.Hour)
		} else {
			who.Expires = time.Now().Add(20 * time.Second)
		}
		return who, err
	}
	r := start(t, c, server.Options{Credentials: open(verify)})
	p := r.live(t)
	p.Send(`{"op":"hello","token":"secret-ann","sub":{"news":"","chat:7":""}}`)
	var welcome struct{ Exp int64 }
	if err := json.Unmarshal([]byte(p.Receive()), &welcome); err != nil || welcome.Exp == 0 {
		t.Fatalf("it expires at %d: %v", welcome.Exp, err)
	}
	for range 4 { // its uid, its group, two channels
		p.Receive()
	}
	p.Send(`{"op":"auth","id":1,"token":"nonsense"}`)
	p.is(nil, `{"op":"err","id":1,"code":401,"msg":"the credential is not valid"}`)
	p.Send(`{"op":"auth","id":2,"token":"secret-bob"}`)
	p.is(nil, `{"op":"err","id":2,"code":403,"msg":"it is the token of another uid"}`)
	p.Send(`{"op":"auth","id":3,"token":"secret-ann-less"}`)
	var authorized struct {
		Op  string
		Exp int64
	}
	if err := json.Unmarshal([]byte(p.Receive()), &authorized); err != nil || authorized.Op != "auth" ||
		authorized.Exp < welcome.Exp+1000 {
		t.Errorf("it is %+v: %v", authorized, err)
	}
	p.is(nil, `{"op":"unsub","ch":"news","why":"auth"}`)
	p.Send(`{"op":"sub","id":4,"ch":"news"}`)
	p.is(nil, `{"op":"err","id":4,"ch":"news","code":403,"msg":"it may not subscribe to it"}`)

	late := r.live(t)
	late.Send(`{"op":"hello","token":"nonsense"}`)
	late.is(nil, `{"op":"bye","code":4001,"why":"the credential is not valid"}`)
	late.Goodbye(4001, "the credential is not valid")
}

// TestLast has a page of level 0 get the last messages first of all, and each once.
func TestLast(t *testing.T) {
	r := start(t, chats(100), server.Options{})
	b := r.backend()
	for i := range 5 {
		pub(t, b, "chat:7", fmt.Sprint("m", i+1))
	}
	pub(t, b, "u:ann", "own")
	p := r.visit("last=2&hello=1&sub=chat:7")
	p.Send("ann")
	if hello := p.Receive(); !strings.HasPrefix(hello, `{"conn":"c:`) {
		t.Errorf("first of all it got %s", hello)
	}
	for _, want := range []string{"own", "m4", "m5"} {
		if got := p.Receive(); got != want {
			t.Errorf("it got %q, want %q", got, want)
		}
	}
	pub(t, b, "chat:7", "m6")
	if got := p.Receive(); got != "m6" {
		t.Errorf("then it got %q", got)
	}
	for _, wrong := range []string{"last=0", "last=x", "last=-1", "last=301", "last=%zz"} {
		c := r.Connect(r.pages)
		if a, _ := c.Handshake("/?"+wrong, nil); a.StatusCode != 400 {
			t.Errorf("%s is answered %d", wrong, a.StatusCode)
		}
	}
}
