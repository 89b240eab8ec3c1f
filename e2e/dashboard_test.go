package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// shows waits until an element of the page has a text.
func (p *tab) shows(selector, want string) {
	p.t.Helper()
	linemantest.Until(p.t, fmt.Sprintf("%s does not show %q", selector, want), func() bool {
		return strings.Contains(p.text(selector), want)
	})
}

// text is that of an element, as it is seen; empty if there is none.
func (p *tab) text(selector string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector))
}

// look has the page be light or dark, and as wide as a window.
func (p *tab) look(scheme string, width, height int64) {
	p.t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme},
	}}
	size := emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1}
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, media); err != nil {
		p.t.Fatal(err)
	}
	if _, err := chromedp.Call(p.ctx, emulation.SetDeviceMetricsOverride, size); err != nil {
		p.t.Fatal(err)
	}
}

// lookUp looks a target up at the dashboard.
func (p *tab) lookUp(kind, name string) {
	p.t.Helper()
	eval[string](p, fmt.Sprintf(`(() => {
		const kind = document.querySelector("#kind"), name = document.querySelector("#name")
		kind.value = %q
		kind.onchange()
		name.value = %q
		document.querySelector("#find button").click()
		return ""
	})()`, kind, name))
}

// TestDashboardLooks has the dashboard be readable, light, dark and on a phone, and nothing be wider than the window.
func TestDashboardLooks(t *testing.T) {
	t.Parallel()
	p := startLineman(t)
	page := open(t, browser(t), p.find(`watch +(http://\S+)`)[0])
	page.shows("#link", "Live")
	ann := open(t, page.ctx, "http://"+p.pages+"/?user=ann")
	ann.shows(".user .state", "Connected as ann.")
	page.lookUp("u:", "ann")
	page.shows("#found", "ann has 1 connection.")
	for _, look := range []struct {
		name, scheme  string
		width, height int64
	}{{"light", "light", 1280, 2600}, {"dark", "dark", 1280, 2600}, {"phone", "dark", 390, 4200}} {
		page.look(look.scheme, look.width, look.height)
		page.shows("#tiles", "Connections")
		if eval[bool](page, "document.documentElement.scrollWidth > innerWidth") {
			t.Errorf("%s: it is wider than the window", look.name)
		}
		page.picture("dashboard-" + look.name)
	}
}

// bossKey lets somebody in who may do everything.
const bossKey = "the-key-of-the-boss"

// guarded is a server whose dashboard wants a key, and its address.
func guarded(t *testing.T) (m *mortal, dashboard string) {
	t.Helper()
	admin := free(t)
	m = newMortalOf(t, `
token: {secrets: [the-secret-of-pages-0123456789abcdef]}
api: {keys: [{name: boss, key: `+bossKey+`, scopes: [admin, publish, manage, read, watch]}]}
namespaces: {default: {subscribe: all}}
`, append([]string{"--admin", admin}, inMemory...)...)
	return m, "http://" + admin + "/"
}

// logIn opens the dashboard, and logs in.
func logIn(t *testing.T, browser context.Context, dashboard string) *tab {
	t.Helper()
	page := open(t, browser, dashboard)
	page.shows("#login", "Password")
	if text := eval[string](page, "document.body.innerText"); strings.Contains(text, "Overview") {
		t.Errorf("who has not logged in sees %q", text)
	}
	page.enter("wrong")
	page.shows("#wrong", "neither the password nor a key")
	page.enter(bossKey)
	page.shows("#link", "Live")
	return page
}

// TestDashboardWalks finds out why somebody does not get messages: nobody is connected, in another channel, the
// credential was revoked.
func TestDashboardWalks(t *testing.T) {
	t.Parallel()
	m, dashboard := guarded(t)
	page := logIn(t, browser(t), dashboard)
	credential := strings.TrimSpace(m.command("token", "--uid", "uid7"))

	page.lookUp("u:", "uid7")
	page.shows("#found", "uid7 has no connection")

	k := &crossings{t: t, server: m}
	k.live(credential, "chat:2")
	linemantest.Until(t, "uid7 does not come", func() bool {
		page.lookUp("u:", "uid7")
		return strings.Contains(page.text("#found"), "1 connection.")
	})
	page.shows("#conns", "chat:2") // and not chat:1
	page.lookUp("", "chat:1")
	page.shows("#found", "chat:1 has no connection")
	page.picture("dashboard-nobody")

	page.lookUp("u:", "uid7")
	page.shows("#conns", "127.0.0.1")
	do(page, chromedp.Click(chromedp.CSS("#revoke")))
	page.shows("#done", "revoke: 1 connection")
	page.shows("#found", "uid7 has no connection")
	late := k.plain(credential)
	linemantest.Until(t, "a credential that was revoked is good", func() bool {
		_, err := late.Read(make([]byte, 1000))
		return err != nil
	})
	page.shows("#refused", "credential")
	page.shows("#refused", "revoked")
	page.lookUp("u:", "uid7")
	page.shows("#found", "It was refused at")
	page.shows("#found", "token: revoked")
	page.picture("dashboard-revoked")
}

// TestDashboardSlow finds out that a page does not get messages because it does not read them.
func TestDashboardSlow(t *testing.T) {
	t.Parallel()
	p := startLineman(t)
	page := open(t, browser(t), p.find(`watch +(http://\S+)`)[0])
	page.shows("#link", "Live")
	slow := visit(t, p.pages)
	if err := wsutil.WriteClientText(slow, []byte("uid7")); err != nil {
		t.Fatal(err)
	}
	p.known("uid7")
	line := fmt.Sprintf(`{"cmd":"pub","to":"u:uid7","text":"%s"}`+"\n", strings.Repeat("x", 500_000))
	linemantest.Until(t, "nothing waits for it, or nobody sees that", func() bool {
		p.ask(line)
		page.lookUp("u:", "uid7")
		return strings.Contains(page.text("#found"), "slow")
	})
	page.shows("#found", "uid7 has no connection")
	page.shows("#refused", "uid7")
	page.picture("dashboard-slow")
}

// TestDashboardNames has names full of markup be text, wherever they are shown; and follows one.
func TestDashboardNames(t *testing.T) {
	t.Parallel()
	p := startLineman(t)
	page := open(t, browser(t), p.find(`watch +(http://\S+)`)[0])
	page.shows("#link", "Live")
	const uid, channel = `<img src=x onerror=alert(1)>`, `<b onclick=alert(2)>"'&`
	ann := visit(t, p.pages)
	if err := wsutil.WriteClientText(ann, []byte(uid)); err != nil {
		t.Fatal(err)
	}
	p.known(uid)
	p.ask(fmt.Sprintf(`{"cmd":"subscribe","to":"*","channel":%q}`+"\n", channel))
	page.lookUp("u:", uid)
	page.shows("#found", uid+" has 1 connection.")
	page.shows("#conns", channel)
	do(page, chromedp.Click(chromedp.CSS("#follow")))
	page.shows("#following", "Following "+uid)
	linemantest.Until(t, "it is not followed", func() bool {
		p.ask(fmt.Sprintf(`{"cmd":"pub","to":%q,"text":"<i>hello</i>"}`+"\n", channel))
		return strings.Contains(page.text("#trail"), "<i>hello</i>")
	})
	page.shows("#trail", "handed to 1 connection")
	page.shows("#trail", uid)
	page.shows("#top-channels", channel)
	if n := eval[int](page, `document.querySelectorAll("#board img, #board b[onclick], #board i").length`); n > 0 {
		t.Errorf("%d names are markup", n)
	}
	page.picture("dashboard-names")
	eval[string](page, `document.querySelector("#send button").click(); ""`)
	page.shows("#done", "pub: 1 connection.")
	do(page, chromedp.Click(chromedp.CSS("#kick")))
	page.shows("#found", "has no connection")
	if text := <-page.alerts; !strings.Contains(text, "Close all connections of") || len(page.alerts) > 0 {
		t.Errorf("the page says %q, and more", text)
	}
}

// TestDashboardReload has a reload log nobody out, and the last hour go on without a hole; and an end be seen.
func TestDashboardReload(t *testing.T) {
	t.Parallel()
	m, dashboard := guarded(t)
	page := logIn(t, browser(t), dashboard)
	before, one := m.serving(), signIn(t, dashboard)
	var seconds [][]float64
	linemantest.Until(t, "nothing is recorded", func() bool {
		seconds = one.past()[""]
		return len(seconds) >= 2
	})
	m.reload()
	linemantest.Until(t, "nothing is reloaded", func() bool { return m.serving() != before })
	n, first := len(seconds), seconds[0][0]
	linemantest.Until(t, "nothing is recorded after that", func() bool {
		seconds = one.past()[""]
		return len(seconds) > n+3
	})
	if seconds[0][0] != first {
		t.Error("what was before the reload is gone")
	}
	for i, p := range seconds[1:] {
		if hole := p[0] - 1000*p[1] - seconds[i][0]; hole > 5 {
			t.Errorf("after second %d of %d there is a hole of %v ms", i, len(seconds), hole)
		}
	}
	eval[string](page, `document.querySelector("#link").textContent = "Waiting"; ""`)
	page.shows("#link", "Live")
	do(page, chromedp.Reload())
	page.shows("#link", "Live")
	if code := m.stop(); code != 0 {
		t.Errorf("it ends with %d", code)
	}
	page.shows("#link", "Not connected")
	page.picture("dashboard-gone")
}

// TestDashboardForeign has a page of another site, in the browser of somebody who has logged in, see and change
// nothing.
func TestDashboardForeign(t *testing.T) {
	t.Parallel()
	m, dashboard := guarded(t)
	chrome := browser(t, chromedp.Flag("host-resolver-rules", "MAP other.example 127.0.0.1"))
	own := logIn(t, chrome, dashboard)
	k := &crossings{t: t, server: m}
	k.plain(strings.TrimSpace(m.command("token", "--uid", "ann")))
	linemantest.Until(t, "ann does not come", func() bool {
		own.lookUp("u:", "ann")
		return strings.Contains(own.text("#found"), "1 connection.")
	})
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!doctype html><p id="state">Trying.</p><script>
			const get = (path, options) => fetch("%[1]s" + path, { credentials: "include", ...options })
				.then(a => a.type === "opaque" ? "opaque" : a.status, () => "failed")
			const kick = { method: "POST", body: '{"to":"*"}' }
			const frame = new Promise(done => {
				const one = document.createElement("iframe")
				one.onload = () => { try { one.contentWindow.document.title; done("read") } catch { done("closed") } }
				one.src = "%[1]s"
				document.documentElement.append(one)
			})
			Promise.all([
				get("dashboard/session"), get("dashboard/live"), get("dashboard/find?to=*"),
				get("dashboard/do/kick", kick), get("dashboard/do/kick", { ...kick, mode: "no-cors" }),
				get("dashboard/do/kick", { ...kick, headers: { "Content-Type": "application/json" } }), frame,
			]).then(all => document.querySelector("#state").textContent = "Tried: " + all.join(" "))
		</script>`, dashboard)
	}))
	defer site.Close()
	for _, host := range []string{"other.example", "127.0.0.1"} { // another port of the host has the cookie, too
		other := open(t, own.ctx, "http://"+host+":"+portOf(site.Listener.Addr().String())+"/")
		other.state("Tried: failed failed failed failed opaque failed closed")
	}
	own.lookUp("u:", "ann")
	own.shows("#found", "ann has 1 connection.")
}
