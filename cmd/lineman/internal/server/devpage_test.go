package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
)

// devRequest is what the page of dev mode, or somebody else, asks the port for pages.
type devRequest struct {
	method, path, host, origin, fields, body string
}

// ask asks it over a connection of its own.
func (q devRequest) ask(r *running) (*http.Response, string) {
	r.t.Helper()
	c := r.Connect(r.pages)
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n%s", q.method, q.path, q.host, q.fields)
	if q.origin != "" {
		head += "Origin: " + q.origin + "\r\n"
	}
	if q.method == "POST" && !strings.Contains(q.fields, "Content-Length") {
		head += fmt.Sprintf("Content-Length: %d\r\n", len(q.body))
	}
	c.Write(head + "\r\n" + q.body)
	return c.Response(q.method)
}

const asJSON = "Content-Type: application/json\r\n"

// command is one of the page.
func devCommand(name, body string) devRequest {
	return devRequest{"POST", "/dev/do/" + name, "127.0.0.1:1", "http://127.0.0.1:1", asJSON, body}
}

// TestDevCommands has the page of dev mode give commands, on whichever loop its connection is, and nobody else: no
// other site, no program, nobody by a name that was made to lead here; and none where back ends need a key.
func TestDevCommands(t *testing.T) {
	open, keyed := devMode(), devMode()
	open.Loops = 3
	keyed.API.Keys = []config.Key{{Name: "shop", Key: "0123456789abcdef", Scopes: []string{"publish"}}}
	dev := start(t, open, server.Options{})
	page := dev.page("ann")
	dev.known(dev.backend(), "ann")
	for i := range 6 { // each comes on the loop that has the fewest connections
		want := fmt.Sprintf(`{"n":%d}`, i)
		answer, body := devCommand("pub", `{"to":"u:ann","data":`+want+`}`).ask(dev)
		if got := page.Receive(); answer.StatusCode != 200 || body != `{"ok":true,"n":1}`+"\n" || got != want {
			t.Fatalf("publication %d: %d %s, and the page gets %s", i, answer.StatusCode, body, got)
		}
	}
	if answer, body := devCommand("nonsense", `{}`).ask(dev); answer.StatusCode != 404 {
		t.Errorf("an unknown command: %d %s", answer.StatusCode, body)
	}
	if answer, body := devCommand("watch", `{"to":"*"}`).ask(dev); answer.StatusCode != 400 {
		t.Errorf("a command that streams: %d %s", answer.StatusCode, body)
	}
	with := func(change func(q *devRequest)) devRequest {
		q := devCommand("pub", `{"to":"*","text":"x"}`)
		change(&q)
		return q
	}
	wrong := map[string]struct {
		q      devRequest
		status int
	}{
		"a program":         {with(func(q *devRequest) { q.origin = "" }), 403},
		"another site":      {with(func(q *devRequest) { q.origin = "https://evil.example" }), 403},
		"another port":      {with(func(q *devRequest) { q.origin = "http://127.0.0.1:2" }), 403},
		"a frame":           {with(func(q *devRequest) { q.origin = "null" }), 403},
		"two origins":       {with(func(q *devRequest) { q.fields += "Origin: http://127.0.0.1:1\r\n" }), 403},
		"another site, too": {with(func(q *devRequest) { q.fields += "Sec-Fetch-Site: cross-site\r\n" }), 403},
		"a name that leads here": {with(func(q *devRequest) {
			q.host, q.origin = "evil.example", "http://evil.example"
		}), 403},
		"a form":     {with(func(q *devRequest) { q.fields = "Content-Type: text/plain\r\n" }), 415},
		"compressed": {with(func(q *devRequest) { q.fields += "Content-Encoding: gzip\r\n" }), 415},
		"read":       {with(func(q *devRequest) { q.method = "GET" }), 405},
		"a large body": {with(func(q *devRequest) { // which never comes
			q.fields, q.body = q.fields+"Content-Length: 10000000\r\n", ""
		}), 413},
	}
	for name, w := range wrong {
		if answer, body := w.q.ask(dev); answer.StatusCode != w.status {
			t.Errorf("%s: %d %s, want %d", name, answer.StatusCode, body, w.status)
		}
	}
	if answer, body := devCommand("pub", `{"to":"u:ann","text":"last"}`).ask(dev); answer.StatusCode != 200 {
		t.Errorf("the last publication: %d %s", answer.StatusCode, body)
	}
	if got := page.Receive(); got != "last" {
		t.Errorf("what was refused reached the page: %q", got)
	}
	if answer, body := devCommand("pub", `{"to":"*","text":"x"}`).ask(start(t, keyed, server.Options{})); answer.
		StatusCode != 403 || !strings.Contains(body, "key") {
		t.Errorf("where a key is wanted: %d %s", answer.StatusCode, body)
	}
	r := start(t, settings(), server.Options{Credentials: openQuick(secret)})
	for _, q := range []devRequest{
		devCommand("pub", "{}"), {method: "GET", path: "/dev/facts", host: "127.0.0.1"},
		{method: "GET", path: "/dev/dev.js", host: "127.0.0.1"},
	} {
		if answer, body := q.ask(r); answer.StatusCode != 404 && answer.StatusCode != 405 {
			t.Errorf("without dev mode: %s %s is answered %d %s", q.method, q.path, answer.StatusCode, body)
		}
	}
}

// TestDevFiles has the page come with a policy that lets nothing else in, and tell what it has to know; and nothing of
// it by a name that was made to lead here.
func TestDevFiles(t *testing.T) {
	c := devMode()
	c.Namespaces["dev"] = config.DevSpace()
	r := start(t, c, server.Options{Command: "./lineman"})
	get := func(path, fields string) (*http.Response, string) {
		t.Helper()
		return devRequest{method: "GET", path: path, host: "localhost:1", fields: fields}.ask(r)
	}
	page, html := get("/?user=ann", "")
	if policy := page.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; ") ||
		strings.Contains(policy, "unsafe") || page.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the page comes with %v", page.Header)
	}
	if strings.Contains(html, "<style") || strings.Contains(html, " style=") || strings.Contains(html, "<script>") {
		t.Error("the page has scripts or looks in itself")
	}
	script, _ := get("/dev/dev.js", "")
	if again, body := get("/dev/dev.js", "If-None-Match: "+script.Header.Get("ETag")+"\r\n"); again.StatusCode != 304 ||
		body != "" {
		t.Errorf("a script that the browser has: %d, %d bytes", again.StatusCode, len(body))
	}
	if none, _ := get("/dev/none.js", ""); none.StatusCode != 404 {
		t.Errorf("a file that is not there: %d", none.StatusCode)
	}
	_, text := get("/dev/facts", "")
	var facts struct {
		API, Push  string
		Key        bool
		Namespaces map[string]struct {
			Presence string
			History  struct{ Some bool }
		}
	}
	if err := json.Unmarshal([]byte(text), &facts); err != nil || facts.API+"/v1/" != r.api || facts.Key ||
		facts.Push != "./lineman push --server "+r.text || facts.Namespaces["dev"].Presence != "events" ||
		!facts.Namespaces["dev"].History.Some || facts.Namespaces["default"].History.Some {
		t.Errorf("the facts are %s, %v", text, err)
	}
	for _, path := range []string{"/", "/dev/facts", "/dev/dev.js"} {
		q := devRequest{method: "GET", path: path, host: "rebind.example"}
		if answer, _ := q.ask(r); answer.StatusCode != 403 {
			t.Errorf("%s by another name: %d", path, answer.StatusCode)
		}
	}
}
