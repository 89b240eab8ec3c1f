package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/websocket"
	"github.com/lineman-go/lineman/push/pusher"
)

// shop is an app as its back end knows it.
var shop = &pusher.App{ID: "shop", Key: "shop-key", Secret: "0123456789abcdef"}

// shops are settings of dev mode with two apps, the second of which nobody uses.
func shops(change ...func(*config.App)) config.Config {
	c := devMode()
	for _, id := range []string{"shop", "other"} {
		a := config.DefaultApp()
		a.ID, a.Key, a.Secret, a.ClientEvents = id, id+"-key", shop.Secret, true
		for _, f := range change {
			f(&a)
		}
		c.Pusher.Apps = append(c.Pusher.Apps, a)
	}
	return c
}

// pusherPage is a page of the Pusher protocol.
type pusherPage struct {
	*linemantest.Client
	t      testing.TB
	socket string
}

// goodAddress is the address of a page of the app.
const goodAddress = "/app/shop-key?protocol=7&client=js&version=8.4.0"

var socketID = regexp.MustCompile(
	`^{"event":"pusher:connection_established","data":"{\\"socket_id\\":\\"(\d+\.\d+)\\"`)

// pusher opens a page of the app, and reads its greeting.
func (r *running) pusher() *pusherPage {
	r.t.Helper()
	p := &pusherPage{Client: r.Connect(r.pages), t: r.t}
	p.Upgrade(goodAddress, nil)
	greeting := p.Receive()
	found := socketID.FindStringSubmatch(greeting)
	if found == nil {
		r.t.Fatalf("the greeting is %s", greeting)
	}
	p.socket = found[1]
	return p
}

// subscribes asks for a channel, with the signature of the app where it needs one; data says who it is.
func (p *pusherPage) subscribes(channel, data string) {
	p.t.Helper()
	asked := map[string]string{"channel": channel}
	if strings.HasPrefix(channel, "private-") || data != "" {
		asked["auth"] = shop.AuthorizeChannel(p.socket, channel, data)
	}
	if data != "" {
		asked["channel_data"] = data
	}
	text, err := json.Marshal(map[string]any{"event": "pusher:subscribe", "data": asked})
	if err != nil {
		p.t.Fatal(err)
	}
	p.Send(string(text))
}

// has waits for the next frame, which begins so.
func (p *pusherPage) has(starts ...string) {
	p.t.Helper()
	for _, start := range starts {
		if got := p.Receive(); !strings.HasPrefix(got, start) {
			p.t.Errorf("got  %s\nwant %s…", got, start)
		}
	}
}

// comesTo subscribes, and reads that it has.
func (p *pusherPage) comesTo(channel, data string) {
	p.t.Helper()
	p.subscribes(channel, data)
	p.has(fmt.Sprintf(`{"event":"pusher_internal:subscription_succeeded","channel":%q,`, channel))
}

// TestPusherHears has pages of all kinds hear one another on the channels of an app, and another app nothing.
func TestPusherHears(t *testing.T) {
	c := shops()
	c.Namespaces["shop"] = config.Namespace{Subscribe: "all", Publish: "all"}
	r := start(t, c, server.Options{})
	back := r.backend()
	p, plain, live := r.pusher(), r.visit("token=ann&sub=shop:orders"), r.live(t)
	stream := r.ask(t, "token=eve&sub=shop:orders", "")
	stream.welcome("eve")
	stream.event()
	p.comesTo("orders", "")
	live.hello(`,"token":"bob","sub":{"shop:orders":""}`)
	live.is(nil, `{"op":"sub","ch":"u:bob"}`, `{"op":"sub","ch":"shop:orders"}`)
	r.counts(back, "shop:orders", 4)

	const published = `{"event":"new","data":"{\"n\":1}"}`
	ask(back, `{"cmd":"pub","to":"shop:orders","data":`+published+`}`)
	if got := plain.Receive(); got != published {
		t.Errorf("level 0 got %s", got)
	}
	live.is(nil, `{"op":"msg","ch":"shop:orders","data":`+published+`}`)
	if got := stream.event(); got != `{"op":"msg","ch":"shop:orders","data":`+published+`}` {
		t.Errorf("the stream got %s", got)
	}
	p.has(`{"event":"new","channel":"orders","data":"{\"n\":1}"}`)

	live.Send(`{"op":"pub","ch":"shop:orders","data":{"say":"hello"},"self":false}`)
	p.has(`{"event":"message","channel":"orders","data":"{\"say\":\"hello\"}"}`)
	live.Send(`{"op":"pub","ch":"shop:orders","data":{"event":"pusher:error","data":"{}"},"self":false}`)
	p.has(`{"event":"message","channel":"orders",`)
	ask(back, `{"cmd":"pub","to":"other:orders","data":1}`)
	ask(back, `{"cmd":"pub","to":"*","data":1}`)
	ask(back, `{"cmd":"pub","to":"shop:orders","text":"last"}`)
	p.has(`{"event":"message","channel":"orders","data":"last"}`)
}

// TestPusherNamed tells what a page of the protocol speaks: it has no level.
func TestPusherNamed(t *testing.T) {
	r := start(t, shops(), server.Options{})
	l := r.listening(`{"cmd":"listen","events":["connect"]}`)
	r.pusher().comesTo("orders", "")
	if got := l.Receive(); !strings.Contains(got, `,"protocol":"pusher",`) || strings.Contains(got, `"level"`) {
		t.Errorf("back ends hear %s", got)
	}
	one := &operator{running: r}
	one.meet()
	if _, got := one.get("/dashboard/find?to=shop:orders"); !strings.Contains(got, `"protocol":"pusher"`) {
		t.Errorf("the dashboard finds %s", got)
	}
}

// TestPusherRefused tells pages by codes what is wrong with their address, and those that are one too many.
func TestPusherRefused(t *testing.T) {
	r := start(t, shops(func(a *config.App) { a.Connections = 1 }), server.Options{})
	first := r.pusher()
	for address, code := range map[string]websocket.Code{
		"/app/nobody?protocol=7": 4001, "/app/shop-key": 4008, "/app/shop-key?protocol=4": 4007,
		"/app/shop-key?protocol=x": 4006, "/app/": 4001, "/app/a/b?protocol=7": 4005, goodAddress: 4004,
		"/app/other-key?protocol=7": 0, "/app/other-key?protocol=5": 4004,
	} {
		if code == 0 {
			continue
		}
		if strings.Contains(address, "other") {
			kept := r.Connect(r.pages)
			kept.Upgrade("/app/other-key?protocol=7", nil)
			kept.Receive()
		}
		p := r.Connect(r.pages)
		p.Upgrade(address, nil)
		got, want := p.Receive(), fmt.Sprintf(`{"event":"pusher:error","data":{"code":%d,"message":"`, code)
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", address, got)
		}
		told(t, p, code)
	}
	first.Close()
	linemantest.Until(t, "its place is not given back", func() bool {
		p := r.Connect(r.pages)
		p.Upgrade(goodAddress, nil)
		return strings.Contains(p.Receive(), "connection_established")
	})
}

// TestPusherOrigins has pages of an app come from where its settings say, or from anywhere, and a page that asks for
// another protocol there have no more rights by it.
func TestPusherOrigins(t *testing.T) {
	c := shops(func(a *config.App) {
		if a.ID == "shop" {
			a.Origins = []string{"https://*.shop.example"}
		}
	})
	c.Cookie = "login"
	r := start(t, c, server.Options{})
	for _, tt := range []struct {
		address, origin string
		status          int
	}{
		{goodAddress, "https://www.shop.example", 101}, {goodAddress, "https://evil.example", 403},
		{"/app/other-key?protocol=7", "https://evil.example", 101}, {"/?token=ann", "https://evil.example", 403},
		{"/sse?token=ann", "https://evil.example", 403}, {"/app", "https://evil.example", 403},
		{"//app/other-key?protocol=7", "https://evil.example", 403},
	} {
		p := r.Connect(r.pages)
		header := http.Header{"Origin": {tt.origin}}
		if answer, _ := p.Handshake(tt.address, header); answer.StatusCode != tt.status {
			t.Errorf("%s of %s: %d, want %d", tt.address, tt.origin, answer.StatusCode, tt.status)
		}
	}
	p := r.Connect(r.pages)
	p.Upgrade("/app/other-key?protocol=7", http.Header{
		"Origin": {"https://evil.example"}, "Cookie": {"login=ann"}, "Sec-Websocket-Protocol": {"lineman.v1"},
	})
	p.Receive()
	p.Send(`{"op":"hello"}`)
	if got := p.Receive(); !strings.Contains(got, "pusher:error") {
		t.Errorf("a page of another site, with a cookie, is told %s", got)
	}
}

// TestPusherPrivate has nobody get a private channel without its signature, nor by another protocol without a token.
func TestPusherPrivate(t *testing.T) {
	c := shops()
	c.Dev = false
	c.Token.Secrets = []string{"0123456789abcdef"}
	c.Namespaces["shop"] = config.Namespace{Subscribe: "all", Publish: "none"}
	r := start(t, c, server.Options{Credentials: openQuick(secret)})
	live := r.live(t)
	live.hello(`,"token":"secret-ann","sub":{}`)
	live.Receive() // its uid
	live.Receive() // its group
	for channel, allowed := range map[string]bool{
		"shop:orders": true, "shop:private-orders": false, "shop:presence-orders": false, "shop:cache-orders": false,
		"shop:private-encrypted-x": false, "shop:private-cache-x": false, "shop:#server-to-user-7": false,
		"shop:#online-7": false, "shop:#": false, "shop:private": true,
	} {
		live.Send(fmt.Sprintf(`{"op":"sub","id":1,"ch":%q}`, channel))
		if got := live.Receive(); strings.HasPrefix(got, `{"op":"sub"`) != allowed {
			t.Errorf("%s: %s", channel, got)
		}
	}
	p, q := r.pusher(), r.pusher()
	for _, request := range []string{
		`{"channel":"private-x"}`, `{"channel":"private-x","auth":"shop-key:00"}`, `{"channel":"private-x","auth":""}`,
		fmt.Sprintf(`{"channel":"private-x","auth":%q}`, shop.AuthorizeChannel(q.socket, "private-x", "")),
		fmt.Sprintf(`{"channel":"private-x","auth":%q}`, shop.AuthorizeChannel(p.socket, "private-y", "")),
		fmt.Sprintf(`{"channel":"presence-x","auth":%q}`, shop.AuthorizeChannel(p.socket, "presence-x", "")),
		`{"channel":"#server-to-user-7"}`, `{"channel":"a:private-x"}`, `{"channel":"private-x "}`, `{"channel":""}`,
	} {
		p.Send(`{"event":"pusher:subscribe","data":` + request + `}`)
		got := p.Receive()
		if !strings.Contains(got, "pusher:subscription_error") && !strings.Contains(got, "pusher:error") {
			t.Errorf("%s: %s", request, got)
		}
	}
	p.comesTo("private-x", "")
}

// TestPusherAlone has no page of another protocol get in where there is an app and nothing else.
func TestPusherAlone(t *testing.T) {
	c := shops()
	c.Dev = false
	r := start(t, c, server.Options{})
	p := r.page("ann")
	told(t, p, 4001)
	live := r.live(t)
	live.Send(`{"op":"hello","token":"ann"}`)
	told(t, live.Client, 4001)
	if status := r.ask(t, "token=ann&sub=shop:private-x", "").answer.StatusCode; status == http.StatusOK {
		t.Error("a stream gets in")
	}
	r.pusher().comesTo("private-x", "")
}

// TestPusherPresence has members of a channel be told of each other, on several loops.
func TestPusherPresence(t *testing.T) {
	c := shops()
	c.Loops = 3
	r := start(t, c, server.Options{})
	var pages []*pusherPage
	for n := range 4 {
		p := r.pusher()
		p.comesTo("presence-room", fmt.Sprintf(`{"user_id":"u%d","user_info":{"n":%d}}`, n, n))
		for _, before := range pages {
			before.has(`{"event":"pusher_internal:member_added","channel":"presence-room","data":"{\"user_id\":\"u` +
				fmt.Sprint(n))
		}
		pages = append(pages, p)
	}
	pages[0].Send(`{"event":"client-typing","channel":"presence-room","data":{"on":true}}`)
	for _, p := range pages[1:] {
		p.has(`{"event":"client-typing","channel":"presence-room","data":{"on":true},"user_id":"u0"}`)
	}
	status, users := r.app("GET", "/apps/shop/channels/presence-room/users", "", "")
	if want := `{"users":[{"id":"u0"},{"id":"u1"},{"id":"u2"},{"id":"u3"}]}`; status != 200 || users != want {
		t.Errorf("%d %s", status, users)
	}
}

// TestPusherRate closes a page that says too much.
func TestPusherRate(t *testing.T) {
	c := shops()
	c.Limits.MessagesPerConnection = 1
	r := start(t, c, server.Options{})
	p := r.pusher()
	for range 20 { // seconds may pass meanwhile, each of which allows one more
		p.Send(`{"event":"pusher:ping","data":{}}`)
	}
	told(t, p.Client, 4103)
}

// TestPusherSlow cuts a page that does not read, and has those that do get all in order.
func TestPusherSlow(t *testing.T) {
	c := shops()
	c.Limits.Pending = 256 << 10
	r := start(t, c, server.Options{})
	slow, quick := r.pusher(), r.pusher()
	slow.comesTo("orders", "")
	quick.comesTo("orders", "")
	back, pad, reached := r.backend(), strings.Repeat("x", 60_000), 2
	for n := 0; reached == 2; n++ {
		if n == 1000 {
			t.Fatal("60 MB wait for a page that does not read")
		}
		line := fmt.Sprintf(`{"cmd":"pub","to":"shop:orders","data":{"event":"e%d","data":"%s"}}`, n, pad)
		if _, err := fmt.Sscanf(ask(back, line), `{"ok":true,"n":%d}`, &reached); err != nil {
			t.Fatal(err)
		}
		quick.has(fmt.Sprintf(`{"event":"e%d",`, n))
	}
	told(t, slow.Client, 4102)
}

// TestPusherStop tells pages to come back at once when the server stops.
func TestPusherStop(t *testing.T) {
	var p *pusherPage
	t.Run("server", func(t *testing.T) {
		c := shops()
		c.Drain = 0
		r := start(t, c, server.Options{})
		p = r.pusher()
		p.t = t
		r.Stop()
		p.has(`{"event":"pusher:error","data":{"code":4200,"message":"restart"}}`)
		told(t, p.Client, 4200)
	})
}

// TestPusherBanner has dev mode say what to paste.
func TestPusherBanner(t *testing.T) {
	var said strings.Builder
	one := server.New(devMode(), server.Options{Out: &said})
	linemantest.Start(t, one.Worker())
	for _, want := range []string{
		"new Pusher('lineman-key', {cluster: '', wsHost: '127.0.0.1', wsPort: ", "PUSHER_APP_ID=1001\n",
		"PUSHER_APP_SECRET=lineman-secret\n",
	} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("the banner has no %s:\n%s", want, &said)
		}
	}
}
