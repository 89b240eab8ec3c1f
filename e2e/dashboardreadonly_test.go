package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// deeds are all commands that change something, or that make a back end of who asks, as a page would give them.
var deeds = map[string]string{
	"pub": `{"to":"*","text":"changed"}`, "join": `{"to":"u:ann","group":"changed"}`,
	"leave": `{"to":"u:ann","group":"staff"}`, "subscribe": `{"to":"u:ann","channel":"changed"}`,
	"unsubscribe": `{"to":"u:ann","channel":"news"}`, "kick": `{"to":"*"}`,
	"session": `{"to":"*","data":{"changed":true}}`, "revoke": `{"uid":"ann"}`, "forget": `{"to":"news"}`,
	"listen": `{"group":"changed","events":["connect"]}`, "ack": `{"n":1}`,
	"reply": `{"call":"c:x.1.1","data":{}}`,
}

// lookings are those that only tell something.
var lookings = map[string]string{
	"online": `{"uids":["ann"]}`, "count": `{"to":"*"}`, "list": `{"to":"*"}`, "sessions": `{"to":"*"}`, "groups": `{}`,
	"channels": `{}`, "nodes": `{}`, "history": `{"to":"news"}`, "presence": `{"to":"news"}`,
	"presence_count": `{"to":"news"}`, "presence_stats": `{"to":"news"}`, "watch": `{"to":"*"}`,
}

// readOnly starts a server with a password for people who only look, and tells its dashboard and its HTTP API.
func readOnly(t *testing.T) (m *mortal, dashboard, api, password string) {
	t.Helper()
	password = "only-to-look-at-it"
	hash := output(t, password+"\n", filepath.Join(binaries, "lineman"), "password", "--stdin")
	admin, api := free(t), free(t)
	m = newMortalOf(t, fmt.Sprintf(`
token: {secrets: [the-secret-of-pages-0123456789abcdef]}
api: {keys: [{name: boss, key: %s, scopes: [admin, publish, manage, read, watch]}]}
admin: {readonly: %q}
namespaces: {default: {subscribe: all, history: {size: 10, ttl: 1h}, presence: list}}
`, bossKey, strings.TrimSpace(hash)), append([]string{"--admin", admin, "--api", api}, inMemory...)...)
	return m, "http://" + admin + "/", "http://" + api + "/v1/", password
}

// TestDashboardReadOnly has somebody who only looks change nothing: not by the page, which offers nothing, and not by
// requests that are made by hand in it, of all commands that there are.
func TestDashboardReadOnly(t *testing.T) {
	t.Parallel()
	m, dashboard, api, password := readOnly(t)
	k := &crossings{t: t, server: m}
	ann := k.live(strings.TrimSpace(m.command("token", "--uid", "ann")), "news")
	asBoss(t, api, "join", `{"to":"u:ann","group":"staff"}`)
	asBoss(t, api, "pub", `{"to":"news","text":"kept"}`)
	before := stateOf(t, api)

	page := open(t, browser(t), dashboard)
	page.shows("#login", "Password")
	page.enter(password)
	page.shows("#link", "Live")
	page.shows("#who", "looks only")
	page.lookUp("u:", "ann")
	page.shows("#conns", "staff")
	page.picture("dashboard-readonly")
	if n := eval[int](page, `[...document.querySelectorAll("#change, #change *, .grave")]
		.filter(one => one.getClientRects().length).length`); n > 0 {
		t.Errorf("the page offers %d things that change something", n)
	}
	for _, form := range []string{"#send", "#place"} { // as if they were there
		eval[string](page, fmt.Sprintf(`document.querySelector(%q).requestSubmit(); ""`, form))
	}
	for _, button := range []string{"#kick", "#revoke"} {
		eval[string](page, fmt.Sprintf(`document.querySelector(%q).click(); ""`, button))
	}
	page.tries(api)
	if after := stateOf(t, api); after != before {
		t.Errorf("it was %s, and is %s", before, after)
	}
	asBoss(t, api, "pub", `{"to":"u:ann","text":"the only one"}`)
	got := readUntil(t, ann, "the only one")
	if strings.Contains(got, "changed") || strings.Contains(got, "dashboard") {
		t.Errorf("ann has got %s", got)
	}
	page.leaves()
}

// tries gives all commands by hand.
func (p *tab) tries(api string) {
	p.t.Helper()
	for _, name := range commandsOf(p.t, api) {
		if deeds[name] == "" && lookings[name] == "" {
			p.t.Errorf("there is a command %s, of which this test does not know whether it changes something", name)
		}
	}
	const give = `{ const one = %q; answers[one] = ""
		fetch("/dashboard/session").then(a => a.json()).then(known => fetch("/dashboard/do/" + one, {
			method: "POST", body: %q,
			headers: { "Content-Type": "application/json", "X-Lineman-Token": known.token },
		})).then(async a => { answers[one] = a.status + " " + await a.text() }) } ""`
	eval[string](p, `answers = {}; ""`)
	for _, all := range []map[string]string{deeds, lookings} {
		for name, body := range all {
			eval[string](p, fmt.Sprintf(give, name, body))
		}
	}
	linemantest.Until(p.t, "not all is answered", func() bool {
		return eval[bool](p, `Object.values(answers).every(answer => answer !== "")`)
	})
	for name := range deeds {
		answer := eval[string](p, fmt.Sprintf("answers[%q]", name))
		if !strings.Contains(answer, `"code":"denied"`) && !strings.Contains(answer, `"code":"unknown_command"`) {
			p.t.Errorf("%s is answered %s", name, answer)
		}
	}
	for name := range lookings {
		if answer := eval[string](p, fmt.Sprintf("answers[%q]", name)); strings.Contains(answer, `"code":"denied"`) {
			p.t.Errorf("%s is answered %s", name, answer)
		}
	}
}

// leaves logs out: then the cookie, had it been kept, is good for nothing.
func (p *tab) leaves() {
	p.t.Helper()
	cookies := do(p, chromedp.Evaluate[string](`document.cookie`))
	if cookies != "" {
		p.t.Errorf("a script sees the cookies %q", cookies)
	}
	do(p, chromedp.Click(chromedp.CSS("#leave")))
	p.shows("#login", "Password")
}

// asBoss gives a command by the HTTP API, and is its answer.
func asBoss(t *testing.T, api, name, body string) string {
	t.Helper()
	return boss(t, "POST", api+name, body)
}

func boss(t *testing.T, method, url, body string) string {
	t.Helper()
	ask, _ := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	ask.Header.Set("Authorization", "Bearer "+bossKey)
	if body != "" {
		ask.Header.Set("Content-Type", "application/json")
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	answer, err := client.Do(ask)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// stateOf is all that commands could change.
func stateOf(t *testing.T, api string) string {
	t.Helper()
	var all []string
	for _, name := range []string{"list", "sessions", "groups", "channels", "history"} {
		all = append(all, asBoss(t, api, name, lookings[name]))
	}
	return strings.Join(all, " ")
}

// commandsOf are the names of all commands, as the API describes them.
func commandsOf(t *testing.T, api string) (names []string) {
	t.Helper()
	var described struct{ Paths map[string]any }
	if err := json.Unmarshal([]byte(boss(t, "GET", api+"openapi.json", "")), &described); err != nil {
		t.Fatal(err)
	}
	for path := range described.Paths {
		if name := strings.TrimPrefix(path, "/v1/"); name != "batch" {
			names = append(names, name)
		}
	}
	if len(names) < 10 {
		t.Fatalf("the commands are %v", names)
	}
	return names
}

// readUntil is what a page of level 1 gets up to a message.
func readUntil(t *testing.T, page readWriter, last string) (all string) {
	t.Helper()
	for !strings.Contains(all, last) {
		text, err := wsutil.ReadServerText(page)
		if err != nil {
			t.Fatalf("it has got %s: %v", all, err)
		}
		all += string(text)
	}
	return all
}
