package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push/pusher"
)

// webhookPost is what the server has posted to a webhook.
type webhookPost struct {
	Headers map[string]string `json:"headers"`
	Body    string            `json:"rawBody"`
}

// webhooks is an application that keeps what it is told.
type webhooks struct {
	mu    sync.Mutex // guards posts
	posts []webhookPost
}

func (h *webhooks) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // it is tried again
	}
	p := webhookPost{map[string]string{}, string(body)}
	for name := range r.Header {
		p.Headers[strings.ToLower(name)] = r.Header.Get(name)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.posts = append(h.posts, p)
}

// told are the events, in order.
func (h *webhooks) told() (all []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.posts {
		var body struct{ Events []json.RawMessage }
		if err := json.Unmarshal([]byte(p.Body), &body); err != nil {
			return []string{p.Body}
		}
		for _, e := range body.Events {
			all = append(all, string(e))
		}
	}
	return all
}

// await waits until an event is told.
func (h *webhooks) await(t *testing.T, event string) {
	t.Helper()
	linemantest.Until(t, "the back end is not told "+event, func() bool { return slices.Contains(h.told(), event) })
}

// pusherConn is a page of the Pusher protocol without a browser.
type pusherConn struct {
	net.Conn
	t      *testing.T
	app    *pusher.App
	early  *bufio.Reader // what came with the handshake
	socket string
}

// Read reads what came with the handshake first.
func (c *pusherConn) Read(b []byte) (int, error) {
	if c.early != nil && c.early.Buffered() > 0 {
		return c.early.Read(b[:min(len(b), c.early.Buffered())])
	}
	return c.Conn.Read(b)
}

// visitPusher opens one.
func visitPusher(t *testing.T, addr string, app *pusher.App) *pusherConn {
	t.Helper()
	c := &pusherConn{Conn: dial(t, addr), t: t, app: app}
	at := &url.URL{Scheme: "ws", Host: addr, Path: "/app/" + app.Key, RawQuery: "protocol=7&client=test&version=1"}
	var err error
	if c.early, _, err = (ws.Dialer{}).Upgrade(c.Conn, at); err != nil {
		t.Fatalf("no WebSocket: %v", err)
	}
	first := struct{ Data string }{}
	hello := struct {
		Socket string `json:"socket_id"`
	}{}
	if err := json.Unmarshal([]byte(c.hears()), &first); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(first.Data), &hello); err != nil {
		t.Fatal(err)
	}
	c.socket = hello.Socket
	return c
}

// hears is the next frame.
func (c *pusherConn) hears() string {
	c.t.Helper()
	text, err := wsutil.ReadServerText(c)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text)
}

// subscribes asks for a channel, and wants it.
func (c *pusherConn) subscribes(channel, data string) {
	c.t.Helper()
	c.says(fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":%q,"auth":%q,"channel_data":%q}}`,
		channel, c.app.AuthorizeChannel(c.socket, channel, data), data))
	if got := c.hears(); !strings.Contains(got, "subscription_succeeded") {
		c.t.Fatalf("of %s it hears %s", channel, got)
	}
}

func (c *pusherConn) says(text string) {
	c.t.Helper()
	if err := wsutil.WriteClientText(c.Conn, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// TestPusherWebhooks has a back end be told of channels and members, signed as Pusher's library checks it.
func TestPusherWebhooks(t *testing.T) {
	t.Parallel()
	folder := libraries(t)
	h := &webhooks{}
	site := httptest.NewServer(h)
	t.Cleanup(site.Close)
	app := &pusher.App{ID: "shop", Key: "shop-key", Secret: "the secret of this test"}
	settings := filepath.Join(t.TempDir(), "lineman.yaml")
	write(t, settings, fmt.Sprintf(`dev: true
pusher: {apps: [{id: %s, key: %s, secret: %s, client_events: true}]}
hooks:
  shop:
    url: %s/webhook
    app: shop
    private: true
    events: [channel_occupied, channel_vacated, member_added, member_removed, client_event, cache_miss]
`, app.ID, app.Key, app.Secret, site.URL))
	p := startLineman(t, "--config", settings)
	page := visitPusher(t, p.pages, app)
	page.subscribes("cache-x", "")
	if got := page.hears(); !strings.Contains(got, "pusher:cache_miss") {
		t.Errorf("it hears %s", got)
	}
	page.subscribes("presence-x", `{"user_id":"ann"}`)
	page.says(`{"event":"client-hi","channel":"presence-x","data":{"a":1}}`)
	h.await(t, `{"name":"channel_occupied","channel":"presence-x"}`)
	h.await(t, `{"name":"cache_miss","channel":"cache-x"}`)
	h.await(t, `{"name":"member_added","channel":"presence-x","user_id":"ann"}`)
	h.await(t, `{"name":"client_event","channel":"presence-x","event":"client-hi","data":"{\"a\":1}","socket_id":"`+
		page.socket+`","user_id":"ann"}`)
	page.Close()
	h.await(t, `{"name":"member_removed","channel":"presence-x","user_id":"ann"}`)
	h.await(t, `{"name":"channel_vacated","channel":"presence-x"}`)

	h.mu.Lock()
	posts, err := json.Marshal(h.posts)
	h.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	check := fmt.Sprintf(`
		const Pusher = require(%q)
		const pusher = new Pusher({ appId: %q, key: %q, secret: %q })
		const posts = JSON.parse(require("fs").readFileSync(0))
		console.log(posts.length > 0 && posts.every(p => pusher.webhook(p).isValid()))`,
		filepath.Join(folder, "node_modules/pusher"), app.ID, app.Key, app.Secret)
	if got := output(t, string(posts), "node", "-e", check); got != "true\n" {
		t.Errorf("Pusher's library takes them: %s\n%s", got, posts)
	}
}
