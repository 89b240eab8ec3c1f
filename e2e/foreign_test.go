package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// foreign is a page of another site, which tries all ports of a push server with what a page can send.
const foreign = `<!doctype html><p id="state">Trying.</p><script>
const line = '{"all":true,"foreign":1}\n', command = '{"to":"*","text":"foreign"}'
const post = (url, options) => fetch(url, { method: "POST", ...options })
  .then(a => a.type === "opaque" ? "opaque" : a.status, () => "failed")
const dial = url => new Promise(done => {
  const ws = new WebSocket(url)
  ws.onopen = () => { ws.send("uid1"); done("open") }
  ws.onclose = () => done("failed")
})
Promise.all([
  dial("ws://%[1]s/"), dial("ws://%[2]s/"), dial("ws://%[3]s/"),
  post("http://%[2]s/", { mode: "no-cors", body: line }),
  post("http://%[2]s/", { mode: "no-cors", body: "\n" + line.repeat(1000) }),
  post("http://%[3]s/v1/pub", { mode: "no-cors", body: command }),
  post("http://%[3]s/v1/pub", { headers: { "Content-Type": "application/json" }, body: command }),
  post("http://%[4]s/v1/pub", { mode: "no-cors", body: command }),
]).then(all => document.querySelector("#state").textContent = "Tried: " + all.join(" "))
</script>`

// TestForeignPage has a page of another site get nothing and do nothing.
func TestForeignPage(t *testing.T) {
	t.Parallel()
	p := startLineman(t)
	api := p.find(`HTTP API on http://([^/\s]+)`)[0]
	renamed := "localhost:" + portOf(api) // the host's name is known, and the page's origin is not
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, foreign, p.pages, p.backends, api, renamed)
	}))
	defer site.Close()
	page := visit(t, p.pages)
	if err := wsutil.WriteClientText(page, []byte("uid1")); err != nil {
		t.Fatal(err)
	}
	p.known("uid1")
	_, port, _ := net.SplitHostPort(site.Listener.Addr().String())
	other := open(t, browser(t, chromedp.Flag("host-resolver-rules", "MAP other.example 127.0.0.1")),
		"http://other.example:"+port+"/")
	other.state("Tried")
	if got := eval[string](other, `document.querySelector("#state").textContent`); strings.Contains(got, "open") ||
		strings.Contains(got, "200") {
		t.Errorf("the page has %s", got)
	}
	if got := p.ask(`{"cmd":"count","to":"*"}` + "\n" + `{"uid":"uid1","end":1}` +
		"\n"); got != `{"ok":true,"counts":{"*":1}}`+"\nok\n" {
		t.Errorf("afterwards: %q", got)
	}
	for {
		got, err := wsutil.ReadServerText(page)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) == `{"uid":"uid1","end":1}` {
			return
		}
		if string(got) != `{"uid":"uid1"}` { // what made it known
			t.Errorf("the page got %q", got)
		}
	}
}

// TestSandboxedPage has a page of another site try from a sandboxed frame, whose origin is null: in dev mode it can, as
// docs/security.md and the start message say, unless origins are listed.
func TestSandboxedPage(t *testing.T) {
	t.Parallel()
	file, listed := startLineman(t), startLineman(t, "--origins", "https://shop.example")
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<script>
			var states = {} // the first of each: a page that says nothing is closed later
			onmessage = e => states[e.data[0]] ??= e.data[1]
		</script><iframe sandbox="allow-scripts" srcdoc="<script>
			for (const addr of ['%s', '%s']) {
				const ws = new WebSocket('ws://' + addr)
				ws.onopen = () => parent.postMessage([addr, 'open'], '*')
				ws.onclose = () => parent.postMessage([addr, 'closed'], '*')
			}
		</script>"></iframe>`, file.pages, listed.pages)
	}))
	defer site.Close()
	page := open(t, browser(t), site.URL+"/")
	for p, want := range map[string]string{file.pages: "open", listed.pages: "closed"} {
		linemantest.Until(t, "the frame does not see it "+want, func() bool {
			return eval[string](page, "String(states['"+p+"'])") == want
		})
	}
}

// TestNoCompression has a browser offer compression, which the server does not take.
func TestNoCompression(t *testing.T) {
	t.Parallel()
	p := startLineman(t)
	page := open(t, browser(t), "http://"+p.pages+"/?user=")
	eval[string](page, `var probe = new WebSocket("ws://`+p.pages+`"); ""`)
	linemantest.Until(t, "there is no WebSocket", func() bool { return eval[int](page, "probe.readyState") == 1 })
	if got := eval[string](page, "probe.extensions"); got != "" {
		t.Errorf("it is extended by %s", got)
	}
}
