package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/lineman-go/lineman/linemantest"
)

// livePage is a page that follows a channel by lineman.js.
type livePage struct {
	*tab
	backend   string // of the server
	channel   string
	published int
}

// newLivePage opens a page that comes over a cable, and waits until it follows the channel. options are those of
// connect, in JavaScript.
func newLivePage(t *testing.T, browser *tab, c *cable, backend, channel, options string) *livePage {
	t.Helper()
	p := &livePage{tab: open(t, browser.ctx, "http://"+c.addr+"/"), backend: backend, channel: channel}
	p.connect(c, options)
	return p
}

// connect has the page follow the channel.
func (p *livePage) connect(c *cable, options string) {
	p.t.Helper()
	eval[string](p.tab, fmt.Sprintf(`
		var got = [], events = [], line
		import("/lineman.mjs").then(({ connect }) => {
			line = connect("ws://%s/", %s)
			for (const name of ["open", "wait", "close", "error", "gap"]) {
				line.on(name, e => events.push(name + " " + (e.code || e.gap || "")))
			}
			line.on("msg", data => got.push(data))
			line.subscribe(%q, data => got.push(data)).ready.then(() => events.push("ready"))
		}, e => events.push(String(e))); ""`, c.addr, options, p.channel))
	p.until(`events.includes("ready")`)
}

// until waits until an expression is true in the page.
func (p *livePage) until(expression string) {
	p.t.Helper()
	linemantest.Until(p.t, "the page is never so: "+expression, func() bool { return eval[bool](p.tab, expression) })
}

// publish publishes the next numbers.
func (p *livePage) publish(count int) {
	p.t.Helper()
	for range count {
		p.published++
		line, err := askLine(p.backend, fmt.Sprintf(`{"cmd":"pub","to":%q,"data":%d}`, p.channel, p.published))
		if err != nil || !strings.Contains(line, `"ok":true`) {
			p.t.Fatalf("the answer to pub is %s, %v", line, err)
		}
	}
}

// hasAll waits until all has come that was published, and wants each number once, in order, and no gap.
func (p *livePage) hasAll() {
	p.t.Helper()
	p.until(fmt.Sprintf("got.length >= %d", p.published))
	want := make([]int, p.published)
	for i := range want {
		want[i] = i + 1
	}
	if got := eval[[]int](p.tab, "got"); !slices.Equal(got, want) {
		p.t.Errorf("the page got %v, want %v", got, want)
	}
	if events := eval[[]string](p.tab, "events"); slices.ContainsFunc(events, func(e string) bool {
		return strings.HasPrefix(e, "gap") || strings.HasPrefix(e, "error")
	}) {
		p.t.Errorf("what has happened: %q", events)
	}
}

// TestScriptNothingMissed cuts the network of a page that uses lineman.js, has it lose everything while the page
// sleeps, kills the server, and loads the page anew: everything comes once, and in order.
func TestScriptNothingMissed(t *testing.T) {
	t.Parallel()
	m := newMortal(t)
	c := newCable(t, m.pages)
	first := &tab{t: t, ctx: browser(t)}
	p := newLivePage(t, first, c, m.backend, "chat:1", `{ token: "ann", storage: sessionStorage }`)
	p.publish(3)
	p.hasAll()
	for range 3 {
		c.cut()
		p.publish(3)
		p.hasAll()
	}

	freeze := page.SetWebLifecycleStateParams{State: page.SetWebLifecycleStateStateFrozen}
	if _, err := chromedp.Call(p.ctx, page.SetWebLifecycleState, freeze); err != nil {
		t.Fatal(err)
	}
	c.lose()
	p.publish(3)
	wake := page.SetWebLifecycleStateParams{State: page.SetWebLifecycleStateStateActive}
	if _, err := chromedp.Call(p.ctx, page.SetWebLifecycleState, wake); err != nil {
		t.Fatal(err)
	}
	eval[string](p.tab, `dispatchEvent(new Event("online")); ""`)
	p.hasAll()

	m.kill()
	p.publish(3)
	p.hasAll()

	had := p.published
	do(p.tab, chromedp.Navigate("about:blank"))
	p.publish(3)
	do(p.tab, chromedp.Navigate("http://"+c.addr+"/"))
	p.connect(c, `{ token: "ann", storage: sessionStorage }`)
	p.until("got.length >= 3")
	if got := eval[[]int](p.tab, "got"); !slices.Equal(got, []int{had + 1, had + 2, had + 3}) {
		t.Errorf("loaded anew, the page got %v", got)
	}
	if _, err := askLine(m.backend, `{"cmd":"kick","to":"u:ann"}`); err != nil {
		t.Fatal(err)
	}
	p.until(`events.includes("close 4010")`)
}

// TestScriptTabs has two tabs share a connection, and one of them go on when the other one is closed.
func TestScriptTabs(t *testing.T) {
	t.Parallel()
	m := newMortal(t)
	c := newCable(t, m.pages)
	first := &tab{t: t, ctx: browser(t)}
	options := `{ token: "ann", shared: true }`
	a := newLivePage(t, first, c, m.backend, "chat:1", options)
	b := newLivePage(t, first, c, m.backend, "chat:1", options)
	connections := func() string {
		t.Helper()
		line, err := askLine(m.backend, `{"cmd":"count","to":"u:ann"}`)
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	if got := connections(); !strings.Contains(got, `"u:ann":1`) {
		t.Errorf("two tabs have %s", got)
	}
	eval[string](b.tab, `var many = 0
		for (let i = 0; i < 100; i++) line.subscribe("chat:" + i, () => {}).ready.then(() => many++); ""`)
	b.until("many === 100") // and it was not cut for asking too much at once
	a.publish(3)
	b.published = a.published
	a.hasAll()
	b.hasAll()
	if got := eval[string](b.tab, `events.join()`); got != "open ,ready" {
		t.Errorf("what has happened: %s", got)
	}
	c.cut()
	a.publish(3)
	b.published = a.published
	a.hasAll()
	b.hasAll()
	a.close()
	b.publish(3)
	b.hasAll()
	if got := connections(); !strings.Contains(got, `"u:ann":1`) {
		t.Errorf("the other tab has %s", got)
	}
	if events := eval[[]string](b.tab, "events"); !slices.ContainsFunc(events, func(e string) bool {
		return strings.HasPrefix(e, "wait")
	}) {
		t.Errorf("the cut was not told: %q", events)
	}
}

// TestScriptTokens replaces the token of a page before it expires, without another connection, and gets a new one when
// the server wants it.
func TestScriptTokens(t *testing.T) {
	folder := t.TempDir()
	settings := filepath.Join(folder, "lineman.yaml")
	secret := filepath.Join(folder, "secret")
	write(t, secret, "a secret for this test only\n")
	write(t, settings, fmt.Sprintf("token: {skew: 0s, secret_files: [%q]}\n", secret)+historySettings)
	token := func(expires string) string {
		return strings.TrimSpace(output(t, "", filepath.Join(binaries, "lineman"), "token", "--config", settings,
			"--uid", "7", "--expires", expires))
	}
	p := startLineman(t, "--config", settings)
	c := newCable(t, p.pages)
	first := &tab{t: t, ctx: browser(t)}
	options := fmt.Sprintf(`{ token: async () => (window.tokens ||= "%s %s %s %s".split(" ")).shift() }`,
		token("32s"), token("1h"), token("2h"), token("3h"))
	page := newLivePage(t, first, c, p.backends, "chat:1", options)
	page.until("tokens.length === 2")
	conn := eval[string](page.tab, "line.conn")
	page.publish(1)
	page.hasAll()
	if eval[string](page.tab, "line.conn") != conn {
		t.Error("a new token took another connection")
	}
	p.ask(`{"cmd":"kick","to":"u:7","code":4200}` + "\n")
	page.until(`events.includes("wait 4200") && tokens.length === 1 && !!line.conn`)
	page.publish(1)
	page.hasAll()
}

// TestScriptExample runs the page of docs/javascript.md.
func TestScriptExample(t *testing.T) {
	t.Parallel()
	html := blocks(t, "../docs/javascript.md", "html")
	if len(html) != 1 {
		t.Fatalf("docs/javascript.md has %d pages", len(html))
	}
	m := newMortal(t)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, strings.ReplaceAll(html[0], "127.0.0.1:1234", m.pages))
	}))
	defer site.Close()
	say := func(text string) {
		t.Helper()
		line, err := askLine(m.backend, fmt.Sprintf(`{"cmd":"pub","to":"chat:42","data":{"say":%q}}`, text))
		if err != nil || !strings.Contains(line, `"ok":true`) {
			t.Fatalf("the answer to pub is %s, %v", line, err)
		}
	}
	say("before")
	p := open(t, browser(t), site.URL)
	shows := func(want ...string) {
		t.Helper()
		p.messages(len(want))
		got := eval[[]string](p, `[...document.querySelectorAll("li")].map(e => e.textContent)`)
		if !slices.Equal(got, want) {
			t.Errorf("the page shows %q, want %q", got, want)
		}
	}
	shows("before")
	m.kill()
	say("while it was away")
	shows("before", "while it was away")
}

// TestScriptStream has a page whose WebSockets do not get through use server-sent events, and miss nothing.
func TestScriptStream(t *testing.T) {
	t.Parallel()
	m := newMortal(t)
	c := newCable(t, m.pages)
	c.noWebSockets()
	first := &tab{t: t, ctx: browser(t)}
	for _, shared := range []string{"false", "true"} {
		channel := "chat:" + shared
		p := &livePage{tab: open(t, first.ctx, "http://"+c.addr+"/"), backend: m.backend, channel: channel}
		eval[string](p.tab, `Math.random = () => 0.05; ""`) // it waits for a short time only
		p.connect(c, fmt.Sprintf(`{ token: "ann", sse: "/sse", shared: %s }`, shared))
		for range 3 {
			p.publish(3)
			p.hasAll()
			c.cut()
		}
		m.kill()
		p.publish(3)
		p.hasAll()
		p.close()
	}
}

// TestScriptPresence has two pages see each other come and go.
func TestScriptPresence(t *testing.T) {
	t.Parallel()
	settings := filepath.Join(t.TempDir(), "lineman.yaml")
	write(t, settings, "namespaces: {room: {subscribe: all, presence: events}}\n")
	p := startLineman(t, "--config", settings)
	first := browser(t)
	enter := func(uid string) *livePage {
		t.Helper()
		page := &livePage{tab: open(t, first, "http://"+p.pages+"/?user=")}
		eval[string](page.tab, fmt.Sprintf(`
			var seen = [], line = Lineman.connect("/", { token: %q })
			line.subscribe("room:1", () => {}, {
				onJoin: who => seen.push("+" + who.uid + who.n), onLeave: who => seen.push("-" + who.uid + who.n),
			}).ready.then(() => line.presence("room:1"))
				.then(p => seen.push(Object.keys(p.users).sort() + p.n)); ""`, uid))
		return page
	}
	ann := enter("ann")
	ann.until(`seen.includes("ann1")`)
	bob := enter("bob")
	bob.until(`seen.includes("ann,bob2")`)
	ann.until(`seen.includes("+bob2")`)
	bob.close()
	ann.until(`seen.includes("-bob1")`)
}
