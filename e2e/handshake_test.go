package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// TestPageOffers has a browser show a credential as a subprotocol, offer one that the settings have, and one that they
// have not: a browser takes no answer without one of those that it has offered.
func TestPageOffers(t *testing.T) {
	t.Parallel()
	const secret = "a secret for this test only"
	settings := filepath.Join(t.TempDir(), "lineman.yaml")
	write(t, settings, "token: {secrets: ["+secret+"], revocations: ''}\nsubprotocols: [chat.v1]\n")
	p, app := startLineman(t, "--config", settings), startApplication(t)
	page := open(t, browser(t), app.URL+"/")
	token := handMade(secret, time.Now().Add(time.Hour))
	for _, c := range []struct{ offer, frame, agree string }{
		{`["bearer", token]`, "", "bearer"}, {`["chat.v1", "bearer", token]`, "", "chat.v1"},
		{`"chat.v1"`, token, "chat.v1"},
		{`["mqtt", "chat.v1"]`, token + "\n", "chat.v1"}, {`"mqtt"`, token, ""},
	} {
		eval[string](page, fmt.Sprintf(`
			var token = %q, frame = %q, state = ""
			var ws = new WebSocket("ws://%s", %s)
			ws.onopen = () => { if (frame) ws.send(frame); state = "open" }
			ws.onclose = () => state = "closed"; ""`, token, c.frame, p.pages, c.offer))
		linemantest.Until(t, c.offer+" is not answered", func() bool { return eval[string](page, "state") != "" })
		state, agreed := eval[string](page, "state"), eval[string](page, "ws.protocol")
		if (state == "open") != (c.agree != "") || agreed != c.agree {
			t.Errorf("%s: %s, on %q, want %q", c.offer, state, agreed, c.agree)
		}
		if c.agree != "" {
			p.known("uid1")
		}
		eval[string](page, `ws.close(); ""`)
		linemantest.Until(t, "the page stays", func() bool { return p.ask(`{"uid":"uid1"}`+"\n") == "fail\n" })
	}
}

// TestExceptRecipe has the example of docs/pages.md leave the page out that has caused a message: a page that the
// application is asked by, and another one of the same uid.
func TestExceptRecipe(t *testing.T) {
	all := blocks(t, "../docs/pages.md", "js")
	i := 0
	for ; !strings.Contains(all[i], "hello=1"); i++ {
		if i == len(all)-1 {
			t.Fatal("docs/pages.md has no page that asks for hello")
		}
	}
	p, app := startLineman(t), startApplication(t)
	asked := make(chan string, 1)
	app.set(func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1 << 20); err == nil {
			asked <- r.FormValue("conn") + " " + r.FormValue("text")
		}
	})
	chrome := browser(t)
	visit := func() *tab {
		page := open(t, chrome, app.URL+"/")
		eval[string](page, `var got = []; var show = text => got.push(text);`+strings.NewReplacer(
			"wss://push.example.com/", "ws://"+p.pages+"/", "token", `"uid1"`, `"/say"`, `"/token"`, "let ", "var ",
		).Replace(all[i])+`; ""`)
		linemantest.Until(t, "the page is not told its name", func() bool {
			return eval[bool](page, `typeof conn === "string"`)
		})
		return page
	}
	page, other := visit(), visit()
	eval[string](page, `say("hello"); ""`)
	said := regexp.MustCompile(`^(c:\S+) hello$`).FindStringSubmatch(<-asked)
	if said == nil {
		t.Fatal("the application is not told the name")
	}
	line := fmt.Sprintf(`{"cmd":"pub","to":"*","text":"hello","except":%q}`+"\n", said[1])
	if got := p.ask(line); got != `{"ok":true,"n":1}`+"\n" {
		t.Errorf("the answer is %s", got)
	}
	linemantest.Until(t, "the other page gets nothing",
		func() bool { return eval[string](other, "String(got)") == "hello" })
	p.ask(`{"cmd":"pub","to":"*","text":"end"}` + "\n")
	linemantest.Until(t, "the page gets nothing", func() bool { return eval[int](page, "got.length") > 0 })
	if got := eval[string](page, "String(got)"); got != "end" {
		t.Errorf("the page that has caused it got %q", got)
	}
}
