package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
)

// speaking are settings in which pages may publish: on chat those who have subscribed, on typing those whose tokens say
// so.
func speaking() config.Config {
	c := chats(100)
	chat := c.Namespaces["chat"]
	chat.Publish, chat.PublishRate, chat.MaxMessage = "all", 1, 64
	c.Namespaces["chat"] = chat
	c.Namespaces["typing"] = config.Namespace{Subscribe: "all", Publish: "token"}
	return c
}

// welcomed is a page of level 1 that has said hello, and the name of its connection.
func (r *running) welcomed(t *testing.T, fields string) (p livePage, conn string) {
	t.Helper()
	p = r.live(t)
	p.Send(`{"op":"hello"` + fields + `}`)
	var welcome struct{ Op, Conn string }
	if err := json.Unmarshal([]byte(p.Receive()), &welcome); err != nil || welcome.Op != "welcome" {
		t.Fatal(welcome, err)
	}
	return p, welcome.Conn
}

// TestPublishing has pages publish to those of a channel, where namespace and token say so.
func TestPublishing(t *testing.T) {
	c := speaking()
	c.Dev = false
	verify := func(ctx context.Context, credential string) (server.Identity, error) {
		who, err := secret(ctx, credential)
		if who.UID == "ann" {
			who.Publish = []string{"typing:*", "chat:9"}
		}
		return who, err
	}
	r := start(t, c, server.Options{Credentials: open(verify)})
	b := r.backend()
	ann, _ := r.welcomed(t, `,"token":"secret-ann","sub":{"chat:7":"","typing:7":""}`)
	bob, _ := r.welcomed(t, `,"token":"secret-bob","sub":{"chat:7":""}`)
	for _, p := range []livePage{ann, bob} { // u:, g:, chat:7
		p.Receive()
		p.Receive()
		p.Receive()
	}
	ann.Receive() // typing:7
	ann.Send(`{"op":"pub","id":3,"ch":"chat:7","data":{"say": "hello"}}`)
	own := []string{ann.Receive(), ann.Receive()}
	at := parse(t, ask(b, `{"cmd":"history","to":"chat:7","limit":0}`)).Top
	for _, want := range []string{
		`{"op":"msg","ch":"chat:7","pos":"` + at + `","data":{"say": "hello"}}`,
		`{"op":"pub","id":3,"ch":"chat:7","pos":"` + at + `"}`,
	} {
		if !slices.Contains(own, want) {
			t.Errorf("ann got %q, without %s", own, want)
		}
	}
	bob.is(nil, `{"op":"msg","ch":"chat:7","pos":"`+at+`","data":{"say": "hello"}}`)
	bob.Send(`{"op":"pub","ch":"chat:7","data":1,"self":false}`)
	got := ann.Receive()
	at = parse(t, ask(b, `{"cmd":"history","to":"chat:7","limit":0}`)).Top
	if got != `{"op":"msg","ch":"chat:7","pos":"`+at+`","data":1}` {
		t.Errorf("ann got %s", got)
	}
	bob.is(nil, `{"op":"pos","ch":"chat:7","pos":"`+at+`"}`)

	bob.Send(`[{"op":"pub","id":4,"ch":"typing:7","data":1},{"op":"pub","id":5,"ch":"chat:8","data":1},` +
		`{"op":"pub","id":6,"ch":"none:1","data":1},{"op":"pub","id":7,"ch":"u:ann","data":1},` +
		`{"op":"pub","id":8,"ch":"chat:7","data":"` + strings.Repeat("x", 70) + `"}]`)
	bob.is(nil, `{"op":"err","id":4,"ch":"typing:7","code":403,"msg":"it may not publish to it"}`,
		`{"op":"err","id":5,"ch":"chat:8","code":403,"msg":"it may not publish to it"}`,
		`{"op":"err","id":6,"ch":"none:1","code":403,"msg":"only back ends publish to it"}`,
		`{"op":"err","id":7,"code":400,"msg":"a client publishes to channels, not to \"u:ann\""}`)
	if got := bob.Receive(); !strings.HasPrefix(got, `{"op":"err","id":8,"ch":"chat:7","code":413,"msg":`) {
		t.Errorf("too large: %s", got)
	}
	ann.Send(`[{"op":"pub","id":4,"ch":"typing:7","data":true,"self":false},` +
		`{"op":"pub","id":5,"ch":"chat:9","data":1}]`)
	both := []string{ann.Receive(), ann.Receive()}
	if both[0] != `{"op":"pub","id":4,"ch":"typing:7"}` ||
		!strings.HasPrefix(both[1], `{"op":"pub","id":5,"ch":"chat:9","pos":`) {
		t.Errorf("what nobody keeps, and a channel that the token names: %s", both)
	}
	refused, began := 0, time.Now()
	for i := range 10 {
		ann.Send(fmt.Sprintf(`{"op":"pub","id":%d,"ch":"chat:9","data":1}`, 10+i))
		if got := ann.Receive(); strings.Contains(got, `"code":429,"msg":"it publishes too often"`) {
			refused++
		}
	}
	seconds := int(time.Since(began).Seconds()) + 1 // as the limiter counts them, at most
	if refused < 6-seconds || refused > 7 {
		t.Errorf("%d of 10 were refused in %d s, at one a second", refused, seconds)
	}
}

// TestSaying has listeners hear what pages say, by whom the server knows that it is, and be answered when they have it.
func TestSaying(t *testing.T) {
	r := start(t, speaking(), server.Options{})
	l := r.listening(`{"cmd":"listen","events":["message"]}`)
	p, conn := r.welcomed(t, `,"token":"ann"`)
	p.Receive()
	p.Send(`[{"op":"say","id":4,"data":{"a": [1]},"uid":"bob","conn":"c:x.1","again":true},{"op":"say","data":"bye"},` +
		`{"op":"say","id":5,"data":7}]`)
	for i, want := range []string{`{"a": [1]}`, `"bye"`, `7`} {
		e := hear(t, l)
		if e.UID != "ann" || e.Conn != conn || string(e.Data) != want || e.N != uint64(i+1) || e.Again != (i == 0) {
			t.Errorf("heard %+v, want %s", e, want)
		}
	}
	l.Write(`{"cmd":"ack","n":2}` + "\n")
	p.is(nil, `{"op":"say","id":4}`)
	l.Write(`{"cmd":"ack","n":3}` + "\n")
	p.is(nil, `{"op":"say","id":5}`)

	p.Send(`{"op":"say","id":6,"data":1}`)
	hear(t, l)
	p.Goodbye(1000, "") // the answer finds nobody
	l.Write(`{"cmd":"ack","n":4}` + "\n")
	if got := ask(l, `{"cmd":"online","uids":["ann"]}`); !strings.Contains(got, `"ok":true`) {
		t.Error(got)
	}
}

// TestSayingToNobody has a page be told that nobody has taken what it says.
func TestSayingToNobody(t *testing.T) {
	c := speaking()
	c.Events.Keep = 50 * time.Millisecond
	r := start(t, c, server.Options{})
	p, _ := r.welcomed(t, `,"token":"ann"`)
	p.Receive()
	p.Send(`{"op":"say","id":4,"data":1}`)
	p.is(nil, `{"op":"err","id":4,"code":503,"msg":"no back end has taken it in time"}`)
	p.Send(`{"op":"rpc","id":5,"method":"m"}`)
	p.is(nil, `{"op":"err","id":5,"code":503,"msg":"no back end listens"}`)
	r.listening(`{"cmd":"listen","events":["message"],"of":["u:bob"]}`)
	p.Send(`{"op":"say","id":6,"data":1}`)
	p.is(nil, `{"op":"err","id":6,"code":503,"msg":"no back end listens"}`)
}

// TestUnanswered bounds how many requests of a page wait.
func TestUnanswered(t *testing.T) {
	c := speaking()
	c.Limits.MessagesPerConnection = 0
	r := start(t, c, server.Options{})
	r.listening(`{"cmd":"listen","events":["message"],"window":10000}`)
	p, _ := r.welcomed(t, `,"token":"ann"`)
	p.Receive()
	for i := range 101 {
		p.Send(fmt.Sprintf(`{"op":"say","id":%d,"data":1}`, i+1))
	}
	p.is(nil, `{"op":"err","id":101,"code":429,"msg":"too many requests wait for their answers"}`)
}

// TestCalls has back ends answer what pages ask, each call once and by its page alone.
func TestCalls(t *testing.T) {
	r := start(t, speaking(), server.Options{})
	l := r.listening(`{"cmd":"listen","events":["rpc"]}`)
	p, conn := r.welcomed(t, `,"token":"ann"`)
	p.Receive()
	first, second := called(t, p, l, `{"op":"rpc","id":5,"method":"cart.add","data":{"n":1}}`, conn),
		called(t, p, l, `{"op":"rpc","id":5,"method":"cart.add"}`, conn)
	for line, want := range map[string]string{
		`{"cmd":"reply","call":"` + conn + `.9","data":1}`: "nobody waits",
		`{"cmd":"reply","call":"u:ann.1","data":1}`:        "nobody waits",
		`{"cmd":"reply","call":"*.1","data":1}`:            "nobody waits",
	} {
		if got := ask(l, line); !strings.Contains(got, want) {
			t.Errorf("%s: %s", line, got)
		}
	}
	if got := ask(l, `{"cmd":"reply","call":"`+second+`","error":"sold out","code":410}`); got != `{"ok":true}` {
		t.Error(got)
	}
	p.is(nil, `{"op":"err","id":5,"code":410,"msg":"sold out"}`)
	ask(l, `{"cmd":"reply","call":"`+first+`","data":{"n": 2}}`)
	p.is(nil, `{"op":"rpc","id":5,"data":{"n": 2}}`)
	if got := ask(l, `{"cmd":"reply","call":"`+first+`","data":3}`); !strings.Contains(got, "nobody waits") {
		t.Errorf("a second answer: %s", got)
	}
	third := called(t, p, l, `{"op":"rpc","id":7,"method":"cart.add"}`, conn)
	ask(l, `{"cmd":"reply","call":"`+third+`","error":""}`)
	p.is(nil, `{"op":"err","id":7,"code":500}`)
	p.Send(`{"op":"rpc","method":"cart.add"}`)
	p.is(nil, `{"op":"err","code":400,"msg":"rpc wants an \"id\", by which it is answered"}`)
}

// called has a page call something, and is the name of the call as the back end l hears it.
func called(t *testing.T, p livePage, l *linemantest.Client, request, conn string) (name string) {
	t.Helper()
	p.Send(request)
	line := l.Receive()
	var e struct {
		Type, Conn, UID, Call, Method string
		Data                          json.RawMessage
	}
	if err := json.Unmarshal([]byte(line), &e); err != nil || e.Type != "rpc" || e.UID != "ann" ||
		e.Conn != conn || e.Method != "cart.add" || !strings.HasPrefix(e.Call, conn+".") {
		t.Errorf("heard %s", line)
	}
	return e.Call
}

// TestLateReply has a page be told that a back end has not answered, whose answer finds nobody then.
func TestLateReply(t *testing.T) {
	c := speaking()
	c.Events.RPC = 50 * time.Millisecond
	r := start(t, c, server.Options{})
	l := r.listening(`{"cmd":"listen","events":["rpc"]}`)
	p, conn := r.welcomed(t, `,"token":"ann"`)
	p.Receive()
	late := called(t, p, l, `{"op":"rpc","id":6,"method":"cart.add"}`, conn)
	p.is(nil, `{"op":"err","id":6,"code":504,"msg":"the back end has not answered in time"}`)
	if got := ask(l, `{"cmd":"reply","call":"`+late+`","data":3}`); !strings.Contains(got, "nobody waits") {
		t.Errorf("a late answer: %s", got)
	}
}

// TestPlainMessages has what pages of level 0 say be events, byte by byte and in order, also what comes while the
// credential is checked.
func TestPlainMessages(t *testing.T) {
	c := settings()
	c.Events.Messages = config.ToBackEnd
	checked := make(chan bool)
	verify := func(ctx context.Context, credential string) (server.Identity, error) {
		<-checked
		return secret(ctx, credential)
	}
	r := start(t, c, server.Options{Credentials: open(verify)})
	l := r.listening(`{"cmd":"listen","events":["connect","message","close"]}`)
	p := r.Dial(r.pages)
	p.Send("secret-ann")
	p.Send("first \" \n é")
	p.SendBinary("\x00\xff")
	p.Send("")
	checked <- true
	p.Send(`{"not":"parsed" }`)
	if e := hear(t, l); e.Type != "connect" || e.UID != "ann" {
		t.Errorf("heard %+v", e)
	}
	for _, want := range []heard{{Text: "first \" \n é"}, {B64: "AP8="}, {}, {Text: `{"not":"parsed" }`}} {
		e := hear(t, l)
		if e.Type != "message" || e.UID != "ann" || e.Text != want.Text || e.B64 != want.B64 || e.Data != nil {
			t.Errorf("heard %+v, want %+v", e, want)
		}
	}
	p.Goodbye(1000, "")
	if e := hear(t, l); e.Type != "close" {
		t.Errorf("heard %+v", e)
	}

	refused := r.Dial(r.pages)
	refused.Send("nonsense")
	refused.Send("more")
	checked <- true
	refused.Goodbye(4001, "the credential is not valid")
}

// TestPublicationOfPageIsWatched has who watches be told which page has published.
func TestPublicationOfPageIsWatched(t *testing.T) {
	r := start(t, speaking(), server.Options{})
	w := r.backend()
	if got := ask(w, `{"cmd":"watch","to":"chat:7"}`); got != `{"ok":true}` {
		t.Fatal(got)
	}
	p, conn := r.welcomed(t, `,"token":"ann","sub":{"chat:7":""}`)
	p.Send(`{"op":"pub","ch":"chat:7","data":1}`)
	var e struct {
		From struct{ Via, Remote, Conn, UID string }
	}
	if err := json.Unmarshal([]byte(w.Receive()), &e); err != nil || e.From.Via != "page" || e.From.Conn != conn ||
		e.From.UID != "ann" || !strings.HasPrefix(e.From.Remote, "127.0.0.1:") {
		t.Errorf("told %+v, %v", e, err)
	}
}

// TestSlowListener has a page wait whose listener has too much to do, and go on when it has less, without a loss.
func TestSlowListener(t *testing.T) {
	c := speaking()
	c.Limits.MessagesPerConnection = 0
	r := start(t, c, server.Options{})
	l := r.listening(`{"cmd":"listen","events":["message"],"window":2}`)
	p, _ := r.welcomed(t, `,"token":"ann"`)
	p.Receive()
	const n = 500
	for i := range n {
		p.Send(fmt.Sprintf(`{"op":"say","data":%d}`, i))
	}
	for i := range n {
		if e := hear(t, l); string(e.Data) != fmt.Sprint(i) {
			t.Fatalf("heard %+v, want %d", e, i)
		}
		l.Write(fmt.Sprintf(`{"cmd":"ack","n":%d}`+"\n", i+1))
	}
	linemantest.Until(t, "the page is read again", func() bool {
		p.Send(`{"op":"hb"}`)
		return p.Receive() == `{"op":"hb"}`
	})
}
