package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push/pusher"
)

// pusherSite is an application with pages of Laravel Echo, and what authorizes their channels.
type pusherSite struct {
	*httptest.Server
	app   pusher.App
	pages string // where the server of pages is
	api   string // of the server, for back ends
}

const pusherPage = `<!doctype html><p id="state"></p>
<script src="/pusher.js"></script><script src="/echo.js"></script><script>
const got = []
const echo = new Echo.default({
  broadcaster: "pusher", key: "lineman-key", cluster: "", wsHost: "%[1]s", wsPort: %[2]s, forceTLS: false,
  enabledTransports: ["ws"], authEndpoint: "/broadcasting/auth?user=" + location.search.slice(1),
})
echo.channel("orders").listen(".new", e => got.push("new " + e.id)).subscribed(() => got.push("orders"))
echo.private("chat").listenForWhisper("typing", e => got.push("typing " + e.name)).subscribed(() => got.push("chat"))
echo.encryptedPrivate("safe").listen(".secret", e => got.push("secret " + e.word)).subscribed(() => got.push("safe"))
echo.join("room").here(all => got.push("here " + all.map(u => u.name).sort()))
  .joining(u => got.push("joining " + u.name)).leaving(u => got.push("leaving " + u.name))
</script>`

// newPusherSite serves the pages.
func newPusherSite(t *testing.T, folder, pages, api string) *pusherSite {
	t.Helper()
	s := &pusherSite{
		app: pusher.App{ID: "1001", Key: "lineman-key", Secret: "lineman-secret"}, pages: pages, api: api,
	}
	host, port, _ := strings.Cut(pages, ":")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, pusherPage, host, port)
	})
	for path, file := range map[string]string{
		"/pusher.js": "pusher-js/dist/web/pusher-with-encryption.js", "/echo.js": "laravel-echo/dist/echo.iife.js",
	} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFile(w, r, filepath.Join(folder, "node_modules", file))
		})
	}
	mux.HandleFunc("POST /broadcasting/auth", s.authorize)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// authorize answers as Laravel does.
func (s *pusherSite) authorize(w http.ResponseWriter, r *http.Request) {
	socket, channel, data := r.FormValue("socket_id"), r.FormValue("channel_name"), ""
	if strings.HasPrefix(channel, "presence-") {
		user := r.URL.Query().Get("user")
		data = fmt.Sprintf(`{"user_id":%q,"user_info":{"name":%q}}`, user, user)
	}
	answer := map[string]string{"auth": s.app.AuthorizeChannel(socket, channel, data)}
	if data != "" {
		answer["channel_data"] = data
	}
	if strings.HasPrefix(channel, "private-encrypted-") {
		secret := sha256.Sum256([]byte(channel + strings.Repeat("k", 32)))
		answer["shared_secret"] = base64.StdEncoding.EncodeToString(secret[:])
	}
	_ = json.NewEncoder(w).Encode(answer) // the page may have gone
}

// heard waits until the page has got something.
func (p *tab) heard(want string) {
	p.t.Helper()
	linemantest.Until(p.t, "the page does not get "+want, func() bool {
		return eval[bool](p, fmt.Sprintf("got.includes(%q)", want))
	})
}

// TestPusherEcho has Laravel Echo in a browser do what applications of Laravel do.
func TestPusherEcho(t *testing.T) {
	t.Parallel()
	folder := libraries(t)
	p, api := startPusher(t)
	site := newPusherSite(t, folder, p.pages, api)
	chrome := browser(t)
	ann := open(t, chrome, site.URL+"/?ann")
	for _, want := range []string{"orders", "chat", "safe", "here ann"} {
		ann.heard(want)
	}
	bob := open(t, chrome, site.URL+"/?bob")
	for _, want := range []string{"orders", "chat", "here ann,bob"} {
		bob.heard(want)
	}
	ann.heard("joining bob")

	socket := eval[string](ann, "echo.socketId()")
	output(t, "", "node", "-e", fmt.Sprintf(` // the key is 32 letters k
		const Pusher = require(%q)
		const [host, port] = %q.split(":")
		const p = new Pusher({
			appId: "1001", key: "lineman-key", secret: "lineman-secret", host, port,
			encryptionMasterKeyBase64: %q,
		})
		p.trigger("orders", "new", { id: 7 }, { socket_id: %q })
			.then(() => p.trigger("orders", "new", { id: 8 }))
			.then(() => p.trigger("private-encrypted-safe", "secret", { word: "plum" }))`,
		filepath.Join(folder, "node_modules/pusher"), api,
		base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))), socket))
	bob.heard("new 7")
	bob.heard("new 8")
	ann.heard("new 8")
	ann.heard("secret plum")
	if eval[bool](ann, `got.includes("new 7")`) {
		t.Error("toOthers reaches the page that has caused it")
	}
	eval[string](bob, `echo.private("chat").whisper("typing", { name: "bob" }); ""`)
	ann.heard("typing bob")
	began := time.Now()
	bob.close()
	ann.heard("leaving bob")
	if took := time.Since(began); took < 4*time.Second {
		t.Errorf("a page that may be loaded again is gone after %s", took)
	}
}
