package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	library "github.com/pusher/pusher-http-go/v5"

	"github.com/lineman-go/lineman/push/pusher"
)

// TestPusherGoLibrary has a back end by Pusher's library for Go do all that it can, unchanged.
func TestPusherGoLibrary(t *testing.T) {
	t.Parallel()
	h := &webhooks{}
	site := httptest.NewServer(h)
	t.Cleanup(site.Close)
	app := &pusher.App{ID: "shop", Key: "shop-key", Secret: "the secret of this test"}
	settings := filepath.Join(t.TempDir(), "lineman.yaml")
	write(t, settings, fmt.Sprintf(`dev: true
pusher: {apps: [{id: %s, key: %s, secret: %s}]}
hooks: {shop: {url: %s, app: shop, private: true, events: [member_added]}}
`, app.ID, app.Key, app.Secret, site.URL))
	p, api := startPusher(t, "--config", settings)
	g := &goBackend{t, &library.Client{AppID: app.ID, Key: app.Key, Secret: app.Secret, Host: api}}
	a, b := visitPusher(t, p.pages, app), visitPusher(t, p.pages, app)
	g.authorizes(a)
	g.publishes(a, b)
	g.asks()
	g.knowsUsers(a)
	h.await(t, `{"name":"member_added","channel":"presence-room","user_id":"ann"}`)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, post := range h.posts {
		g.takes(post)
	}
}

// goBackend is a back end by Pusher's library for Go.
type goBackend struct {
	t *testing.T
	*library.Client
}

// must fails if something did.
func (g *goBackend) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// is compares what was answered with JSON.
func (g *goBackend) is(answer any, want string) {
	g.t.Helper()
	got, err := json.Marshal(answer)
	if g.must(err); string(got) != want {
		g.t.Errorf("it is answered %s, want %s", got, want)
	}
}

// authorizes has a page come to a private and a presence channel.
func (g *goBackend) authorizes(page *pusherConn) {
	for _, channel := range []string{"private-room", "presence-room"} {
		params := []byte(url.Values{"socket_id": {page.socket}, "channel_name": {channel}}.Encode())
		var auth []byte
		var err error
		if channel == "private-room" {
			auth, err = g.AuthorizePrivateChannel(params)
		} else {
			auth, err = g.AuthorizePresenceChannel(params, library.MemberData{UserID: "ann"})
		}
		g.must(err)
		var said map[string]string
		g.must(json.Unmarshal(auth, &said))
		said["channel"] = channel
		data, err := json.Marshal(map[string]any{"event": "pusher:subscribe", "data": said})
		g.must(err)
		page.says(string(data))
		g.hears(page, `"pusher_internal:subscription_succeeded","channel":"`+channel+`"`)
	}
}

// hears wants the next frame of a page to have something.
func (g *goBackend) hears(page *pusherConn, want string) {
	g.t.Helper()
	if got := page.hears(); !strings.Contains(got, want) {
		g.t.Errorf("a page hears %s, want %s", got, want)
	}
}

// publishes has pages get events, but not the one whose socket_id is said.
func (g *goBackend) publishes(a, b *pusherConn) {
	a.subscribes("orders", "")
	b.subscribes("orders", "")
	g.must(g.Trigger("orders", "new", map[string]int{"id": 1}))
	g.hears(a, `{"event":"new","channel":"orders","data":"{\"id\":1}"}`)
	g.hears(b, `"new"`)
	told, err := g.TriggerMultiWithParams([]string{"orders", "presence-room"}, "two", 2, library.TriggerParams{
		SocketID: &a.socket, Info: ptr("subscription_count"),
	})
	g.must(err)
	g.is(told, `{"channels":{"orders":{"subscription_count":2},"presence-room":{"subscription_count":1}}}`)
	g.hears(b, `"two"`)
	_, err = g.TriggerBatch([]library.Event{
		{Channel: "presence-room", Name: "three", Data: "3"},
		{Channel: "orders", Name: "four", Data: "4", SocketID: &b.socket},
	})
	g.must(err)
	g.hears(a, `"three","channel":"presence-room"`) // "two" was not for it
	g.hears(a, `"four"`)
}

func ptr(text string) *string { return &text }

// asks asks who is there.
func (g *goBackend) asks() {
	channels, err := g.Channels(library.ChannelsParams{FilterByPrefix: ptr("presence-"), Info: ptr("user_count")})
	g.must(err)
	g.is(channels, `{"channels":{"presence-room":{"user_count":1}}}`)
	one, err := g.Channel("orders", library.ChannelParams{Info: ptr("subscription_count")})
	g.must(err)
	g.is(one, `{"Name":"orders","occupied":true,"subscription_count":2}`)
	users, err := g.GetChannelUsers("presence-room")
	g.must(err)
	g.is(users, `{"users":[{"id":"ann"}]}`)
}

// knowsUsers has a user sign in, and tells that user something.
func (g *goBackend) knowsUsers(page *pusherConn) {
	auth, err := g.AuthenticateUser([]byte("socket_id="+page.socket), map[string]any{"id": "ann"})
	g.must(err)
	page.says(fmt.Sprintf(`{"event":"pusher:signin","data":%s}`, auth))
	g.hears(page, `"pusher:signin_success"`)
	g.must(g.SendToUser("ann", "hello", "text"))
	g.hears(page, `{"event":"hello","channel":"#server-to-user-ann","data":"text"}`)
	wrong := *g.Client
	wrong.Secret = "another secret"
	if err := wrong.Trigger("orders", "new", 1); err == nil || !strings.Contains(err.Error(), "401") {
		g.t.Errorf("who signs by another secret gets %v", err)
	}
}

// takes has the library check what the server has posted, and what somebody else has.
func (g *goBackend) takes(post webhookPost) {
	header := http.Header{}
	for name, value := range post.Headers {
		header.Set(name, value)
	}
	if _, err := g.Webhook(header, []byte(post.Body)); err != nil {
		g.t.Errorf("the library does not take %s: %v", post.Body, err)
	}
	if _, err := g.Webhook(header, []byte(post.Body+" ")); err == nil {
		g.t.Error("the library takes what was altered")
	}
}
