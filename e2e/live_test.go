package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// recipe is the page of docs/pages.md that comes back by itself, and how it is used there.
func recipe(t *testing.T) (function, use string) {
	t.Helper()
	all := blocks(t, "../docs/pages.md", "js")
	i := slices.IndexFunc(all, func(text string) bool { return strings.HasPrefix(text, "function live") })
	if i < 0 || i+1 == len(all) || !strings.HasPrefix(all[i+1], "const connection = live(") {
		t.Fatal("docs/pages.md has no function live, or does not use it")
	}
	if n := strings.Count(all[i], "\n"); n > 50 {
		t.Errorf("it has %d lines", n)
	}
	return all[i], all[i+1]
}

// TestPageComesBack runs the page of docs/pages.md: it comes back when the server is replaced, asks for a credential
// each time, and stays away when it was kicked.
func TestPageComesBack(t *testing.T) {
	t.Parallel()
	function, _ := recipe(t)
	p := startLineman(t)
	page := open(t, browser(t), "http://"+p.pages+"/?user=")
	eval[string](page, function+fmt.Sprintf(`
		var asked = 0, got = [], end = 0, states = []
		live("ws://%s/anywhere", async () => { asked++; return "uid1" }, m => got.push(m),
			code => { end = code }, state => states.push(state)); ""`, p.pages))
	p.known("uid1")

	reload := func() {
		t.Helper()
		eval[string](page, `got = []; ""`)
		p.command("reload", "--drain")
		p.known("uid1")
		linemantest.Until(t, "the page gets nothing from the successor",
			func() bool { return eval[int](page, "got.length") > 0 })
	}
	for _, end := range []string{
		`4200`, `4102,"reason":"{\"retry\":1}"`, `4103,"reason":"{\"retry\":1}"`, `4101,"reason":"{no JSON"`, `4300`,
	} {
		p.ask(`{"cmd":"kick","to":"*","code":` + end + "}\n")
		p.known("uid1")
	}
	reload()
	reload()
	if asked, end := eval[int](page, "asked"), eval[int](page, "end"); asked != 8 || end != 0 {
		t.Errorf("a credential was asked for %d times, want 8; its end is %d", asked, end)
	}
	p.ask(`{"cmd":"kick","to":"*"}` + "\n")
	linemantest.Until(t, "the page does not say that it was kicked",
		func() bool { return eval[int](page, "end") == 4010 })
	states, want := eval[[]string](page, "states"), slices.Repeat([]string{"connecting", "open", "waiting"}, 7)
	if want = append(want, "connecting", "open", "closed"); !slices.Equal(states, want) {
		t.Errorf("its states were %q", states)
	}
}

// application has a page, and answers /token as it is told.
type application struct {
	*httptest.Server
	answer atomic.Pointer[http.HandlerFunc]
	asked  atomic.Int32
}

func startApplication(t *testing.T) *application {
	a := &application{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/token" {
			w.Header().Set("Content-Type", "text/html")
			return
		}
		a.asked.Add(1)
		(*a.answer.Load())(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

// says answers a status and a text.
func (a *application) says(status int, text string) {
	a.set(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	})
}

// hangs answers nothing until the page no longer waits.
func (a *application) hangs() {
	a.set(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
}

func (a *application) set(answer http.HandlerFunc) { a.answer.Store(&answer) }

// watched has a page count its timers, and wait less for each next try, noting how long it would have waited.
const watched = `
	var states = [], waits = [], pending = new Set(), end = 0
	const setTimer = setTimeout.bind(window), clearTimer = clearTimeout.bind(window)
	window.setTimeout = (f, wait) => {
		if (f.name === "connect" && wait !== undefined) { waits.push(wait); wait = Math.min(wait, 20) }
		const id = setTimer(() => { pending.delete(id); f() }, wait)
		pending.add(id)
		return id
	}
	window.clearTimeout = id => { pending.delete(id); clearTimer(id) }
`

// handMade is the ticket of uid1, as docs/tokens.md makes it.
func handMade(secret string, expires time.Time) string {
	claims := fmt.Sprintf(`{"sub":"uid1","exp":%d}`, expires.Unix())
	body := "t1." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("lineman:" + body))
	return fmt.Sprintf("%s.%x", body, mac.Sum(nil))
}

// TestPageAndItsApplication has the page of docs/pages.md, as it is used there, go on while the application answers
// 502, or nothing, or shows what has expired, and while the server does not answer. It ends when nobody is logged in,
// and whenever it is told to, with nothing left behind.
func TestPageAndItsApplication(t *testing.T) {
	t.Parallel()
	const secret = "a secret for this test only"
	function, use := recipe(t)
	settings := filepath.Join(t.TempDir(), "lineman.yaml")
	write(t, settings, "token: {secrets: ["+secret+"], revocations: ''}\n") // which others may read, and are told so
	p, app, chrome := startLineman(t, "--config", settings), startApplication(t), browser(t)
	good, old := handMade(secret, time.Now().Add(time.Hour)), handMade(secret, time.Now().Add(-time.Hour))
	run := func(t *testing.T, server, limit string) *tab {
		t.Helper()
		page := open(t, chrome, app.URL+"/")
		t.Cleanup(func() {
			page.close()
			linemantest.Until(t, "the page stays", func() bool { return p.ask(`{"uid":"uid1"}`+"\n") == "fail\n" })
		})
		use := strings.NewReplacer("wss://push.example.com/", "ws://"+server+"/", "const connection", "var connection",
			`state => console.log(state)`, `(state, code) => states.push(state + (code || ""))`,
			`code => console.log("ended for good", code)`, `code => { end = code }`).Replace(use)
		eval[string](page, watched+strings.ReplaceAll(function, "20000", limit)+use+`; ""`)
		return page
	}
	opens := func(t *testing.T, page *tab) {
		t.Helper()
		p.known("uid1")
		if end := eval[int](page, "end"); end != 0 {
			t.Errorf("its end is %d", end)
		}
	}
	ends := func(t *testing.T, page *tab) {
		t.Helper()
		linemantest.Until(t, "the page does not end", func() bool {
			return eval[bool](page, `states.at(-1) === "closed1000" && pending.size === 0`)
		})
	}
	t.Run("502", func(t *testing.T) {
		app.says(http.StatusBadGateway, "<html>bad gateway</html>")
		page := run(t, p.pages, "20000")
		linemantest.Until(t, "the page asks no more", func() bool { return eval[int](page, "waits.length") >= 8 })
		for i, wait := range eval[[]float64](page, "waits") {
			if wait < 0 || wait > min(30_000, 1000*math.Pow(2, float64(i))) {
				t.Errorf("it waits %v ms before try %d", wait, i+2)
			}
		}
		if !eval[bool](page, "waits.some(w => w > 1000) && new Set(waits).size > 4") {
			t.Errorf("it waits %s", eval[string](page, "String(waits)"))
		}
		app.says(http.StatusOK, good)
		opens(t, page)
	})
	t.Run("expired", func(t *testing.T) {
		app.says(http.StatusOK, old)
		page := run(t, p.pages, "20000")
		linemantest.Until(t, "it is not told so",
			func() bool { return eval[bool](page, `states.includes("waiting4200")`) })
		if wait := eval[int](page, "waits[0]"); wait != 0 {
			t.Errorf("it waits %d ms", wait)
		}
		app.says(http.StatusOK, good)
		opens(t, page)
	})
	t.Run("hangs", func(t *testing.T) {
		app.hangs()
		page := run(t, p.pages, "700")
		linemantest.Until(t, "the page asks once", func() bool { return eval[int](page, "waits.length") >= 1 })
		app.says(http.StatusOK, good)
		opens(t, page)
	})
	t.Run("the server hangs", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		app.says(http.StatusOK, good)
		page := run(t, l.Addr().String(), "700")
		linemantest.Until(t, "the page tries once", func() bool { return eval[int](page, "waits.length") >= 2 })
	})
	t.Run("nobody is logged in", func(t *testing.T) {
		app.says(http.StatusUnauthorized, "")
		ends(t, run(t, p.pages, "20000"))
	})
	t.Run("closed while open", func(t *testing.T) {
		app.says(http.StatusOK, good)
		page := run(t, p.pages, "20000")
		opens(t, page)
		eval[string](page, `connection.close(); connection.close(); ""`)
		ends(t, page)
		linemantest.Until(t, "the page is still there", func() bool { return p.ask(`{"uid":"uid1"}`+"\n") == "fail\n" })
	})
	t.Run("closed while it waits", func(t *testing.T) {
		app.says(http.StatusBadGateway, "")
		page := run(t, p.pages, "20000")
		linemantest.Until(t, "the page does not wait", func() bool { return eval[int](page, "waits.length") > 0 })
		eval[string](page, `connection.close(); ""`)
		ends(t, page)
	})
	t.Run("no credential at once", func(t *testing.T) {
		page := open(t, chrome, app.URL+"/")
		defer page.close()
		eval[string](page, watched+function+`
			var unhandled = 0
			addEventListener("unhandledrejection", () => unhandled++)
			var connection = live("ws://`+p.pages+`/", () => { throw new Error("none") }, () => {}, () => {},
				(state, code) => states.push(state + (code || ""))); ""`)
		linemantest.Until(t, "the page does not wait",
			func() bool { return eval[bool](page, `states.includes("waiting1006")`) })
		eval[string](page, `connection.close(); ""`)
		ends(t, page)
		if n := eval[int](page, "unhandled"); n > 0 {
			t.Errorf("%d errors are nobody's", n)
		}
	})
	t.Run("closed while it asks", func(t *testing.T) {
		app.hangs()
		before := app.asked.Load()
		page := run(t, p.pages, "20000")
		linemantest.Until(t, "the page does not ask", func() bool { return app.asked.Load() > before })
		eval[string](page, `connection.close(); ""`)
		ends(t, page)
	})
}

// command runs a command of lineman on a server.
func (p push) command(args ...string) string {
	p.t.Helper()
	out, err := tryIn(p.t, p.cmd.Dir, "", filepath.Join(binaries, "lineman"), args...)
	if err != nil {
		p.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}
