package server_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/text"
	"github.com/lineman-go/lineman/protocol/websocket"
	"github.com/lineman-go/lineman/push"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backends is a worker to dial the port for back ends by.
var backends = &lineman.Worker{Addr: "text://127.0.0.1:0", Protocol: text.Protocol{}}

// running is a server on free ports.
type running struct {
	*linemantest.Server
	t      testing.TB
	server *server.Server
	pages  *lineman.Worker
	text   string
	api    string // the URL of the HTTP API
	admin  string // that of the port for operators
}

// settings are the default, on free ports and on one loop: LINEMAN_TEST_LOOPS=3 runs the tests on so many.
func settings() config.Config {
	c := config.Default()
	c.Loops = 1
	c.Ping = time.Hour // else pages that nobody reads from, and which so do not answer, go after 35 s
	if n, err := strconv.Atoi(os.Getenv("LINEMAN_TEST_LOOPS")); err == nil {
		c.Loops = n
	}
	c.Listen, c.Text.Listen, c.API.Listen, c.Admin.Listen = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	return c
}

// devMode are settings in which a page may choose any uid.
func devMode() config.Config {
	c := settings()
	c.Dev = true
	return c
}

func start(t testing.TB, c config.Config, o server.Options) *running {
	t.Helper()
	var said bytes.Buffer
	o.Out = &said
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	one := server.New(c, o)
	r := &running{t: t, server: one, pages: one.Worker()}
	r.Server = linemantest.Start(t, r.pages)
	found := regexp.MustCompile(`back ends on ([^,\s]+), HTTP API on ([^,\s]+), metrics on (http://[^/]+)/metrics`).
		FindStringSubmatch(said.String())
	if found == nil {
		t.Fatalf("the greeting is %q", said.String())
	}
	r.text, r.api, r.admin = found[1], found[2], found[3]
	return r
}

// backend is a connection to the port for back ends.
func (r *running) backend() *linemantest.Client {
	return linemantest.NewClient(r.t, dial(r.t, r.text), backends)
}

// page is one that has said its credential, and is known.
func (r *running) page(credential string) *linemantest.Client {
	r.t.Helper()
	c := r.Dial(r.pages)
	c.Send(credential)
	return c
}

// known waits until a uid has a page.
func (r *running) known(b *linemantest.Client, uid string) {
	r.t.Helper()
	r.counts(b, push.UID(uid), 1)
}

// counts waits until a target has so many connections.
func (r *running) counts(b *linemantest.Client, target push.Target, n int) {
	r.t.Helper()
	want := fmt.Sprintf(`{"ok":true,"counts":{"%s":%d}}`, target, n)
	linemantest.Until(r.t, fmt.Sprintf("%s does not get %d connections", target, n), func() bool {
		return ask(b, fmt.Sprintf(`{"cmd":"count","to":"%s"}`, target)) == want
	})
}

func ask(b *linemantest.Client, line string) string {
	b.Write(line + "\n")
	return b.Receive()
}

// TestLevel0 pushes to the pages of a uid, exactly the bytes of the line, and to all.
func TestLevel0(t *testing.T) {
	r := start(t, devMode(), server.Options{})
	b := r.backend()
	pages := map[string]*linemantest.Client{"first": r.page("uid1"), "second": r.page("uid1"), "other": r.page("uid2")}
	r.counts(b, "u:uid1", 2)
	r.counts(b, "u:uid2", 1)
	pages["first"].Send("what a page says is ignored")
	for _, c := range []struct{ line, answer string }{
		{`{ "uid" : "uid\u0031",  "percent":"88%" }`, "ok"},
		{`{"uid":"nobody"}`, "fail"},
		{`{"uid":7}`, "fail"},
		{`{"uid":"uid2","n":1}`, "ok"},
		{`nonsense`, "error: not a JSON object"},
		{`{"all":true,"end":true}`, "ok"},
	} {
		if got := ask(b, c.line); got != c.answer {
			t.Errorf("%s: %q, want %q", c.line, got, c.answer)
		}
	}
	const one, two, end = `{ "uid" : "uid\u0031",  "percent":"88%" }`, `{"uid":"uid2","n":1}`, `{"all":true,"end":true}`
	for name, want := range map[string][]string{"first": {one, end}, "second": {one, end}, "other": {two, end}} {
		for _, w := range want {
			if got := pages[name].Receive(); got != w {
				t.Errorf("the %s page got %q, want %q", name, got, w)
			}
		}
	}
}

// TestLineTooLong refuses a line that is too long, goes on with the next, and has nothing to do with a page's post.
func TestLineTooLong(t *testing.T) {
	r := start(t, devMode(), server.Options{})
	long := r.backend()
	long.Write("{" + strings.Repeat("x", 1_200_000) + "\n" + `{"uid":"x"}` + "\n")
	if got := long.Receive(); !strings.HasPrefix(got,
		"error: a line has at most 1114112 bytes: limits.publish says so") {
		t.Errorf("too long a line: %q", got)
	}
	if got := long.Receive(); got != "fail" {
		t.Errorf("the line behind it: %q", got)
	}
	post := r.backend()
	post.Write("POST / HTTP/1.1\r\nHost: x\r\n\r\n" + `{"uid":"x"}` + "\n")
	if rest := post.Rest(); strings.Contains(rest, "ok") || strings.Contains(rest, "fail") {
		t.Errorf("a page's post is answered %q", rest)
	}
}

// TestPageBodies has the port for pages answer by the head what has a body: nothing of that is kept.
func TestPageBodies(t *testing.T) {
	r := start(t, settings(), server.Options{Credentials: openQuick(secret)})
	const shake = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for head, want := range map[string]int{
		"POST /health": 405, "PUT /": 405, "GET /health": 413, "GET /": 413, "HEAD /x": 413, "GET /ws": 400,
		"POST /ws": 405,
	} {
		for _, framing := range []string{
			"Content-Length: 60000\r\n", "Transfer-Encoding: chunked\r\n",
			"Content-Length: 60000\r\nExpect: 100-continue\r\n",
		} {
			c := r.Connect(r.pages)
			method, path, _ := strings.Cut(head, " ")
			if path == "/ws" {
				framing += shake
			}
			c.Write(head + " HTTP/1.1\r\nHost: localhost\r\n" + framing + "\r\n")
			if a, text := c.Response(method); a.StatusCode != want || !a.Close {
				t.Errorf("%s with %q: %d %s, want %d", head, framing, a.StatusCode, text, want)
			}
		}
	}
}

// TestTwoLimits has back ends publish more than pages may say.
func TestTwoLimits(t *testing.T) {
	c := devMode()
	c.API.Keys = []config.Key{{Name: "all", Key: "a secret of 22 letters"}}
	c.Namespaces["small"] = config.Namespace{Subscribe: "all", MaxMessage: 1000}
	r := start(t, c, server.Options{})
	page, b := r.page("ann"), r.backend()
	r.known(b, "ann")
	large := `"` + strings.Repeat("x", 300_000) + `"`
	most := `"` + strings.Repeat("y", 1<<20-2) + `"`
	line := `{"uid":"ann","data":` + large + `}`
	for _, w := range []struct{ ask, answer, page string }{
		{line, "ok", line},
		{`{"cmd":"pub","to":"u:ann","data":` + most + `}`, `{"ok":true,"n":1}`, most},
		{`{"cmd":"pub","to":"small:x","data":` + large + `}`,
			`{"ok":false,"error":{"code":"invalid","text":"the message is too large: \"small:x\" gets at most 1000 ` +
				`bytes, not 300002: limits.publish, or max_message of a namespace, says so"}}`, ""},
		{`{"uid":"ann","data":` + most + `}`,
			`error: the message is too large: "u:ann" gets at most 1048576 bytes, not 1048597: limits.publish, or ` +
				`max_message of a namespace, says so`, ""},
	} {
		if got := ask(b, w.ask); got != w.answer {
			t.Errorf("%.40s: %.300s, want %.300s", w.ask, got, w.answer)
		}
		if w.page != "" {
			if got := page.Receive(); got != w.page {
				t.Errorf("%.40s: the page got %d bytes, want %d", w.ask, len(got), len(w.page))
			}
		}
	}
	key := "Bearer a secret of 22 letters"
	if status, text := r.call(post("pub", `{"to":"u:ann","data":`+most+`}`).with("Authorization", key)); status != 200 {
		t.Errorf("by HTTP: %d %s", status, text)
	}
	page.Receive()
	page.Send(strings.Repeat("x", 64<<10))
	page.Send(strings.Repeat("x", 64<<10+1))
	told(t, page, 1009)
}

// TestLongKey has one that is not known keep no more than the line of a key, and one that is known any line.
func TestLongKey(t *testing.T) {
	c := devMode()
	c.API.Keys = []config.Key{{Name: "all", Key: "a secret of 22 letters"}}
	c.Text.Auth = true
	r := start(t, c, server.Options{})
	for _, line := range []string{
		`{"cmd":"auth","key":"` + strings.Repeat("x", 9000) + "\"}\n",
		`{"cmd":"auth","key":"` + strings.Repeat("x", 9000),
	} {
		b := r.backend()
		b.Write(line)
		if got := b.Rest(); !strings.HasPrefix(got, `{"ok":false,"error":{"code":"unauthorized"`) {
			t.Errorf("a long key: %q", got)
		}
	}
	b, page := r.backend(), r.page("ann")
	large := `{"uid":"ann","data":"` + strings.Repeat("x", 300_000) + `"}`
	b.Write(`{"cmd":"auth","key":"a secret of 22 letters"}` + "\n" + "help\n" + `{"cmd":"groups"}` + "\n")
	if got := b.Receive() + b.Receive() +
		b.Receive(); got != `{"ok":true}error: not a JSON object{"ok":true,"groups":[]}` {
		t.Error(got)
	}
	r.known(b, "ann")
	if got := ask(b, large); got != "ok" {
		t.Error(got)
	}
	if got := page.Receive(); got != large {
		t.Errorf("the page got %d bytes", len(got))
	}
}

// TestStrays ends connections to the port for back ends that begin with something else than a JSON object, before a
// line is whole.
func TestStrays(t *testing.T) {
	c := devMode()
	c.API.Keys = []config.Key{{Name: "all", Key: "a secret of 22 letters"}}
	keyless := start(t, devMode(), server.Options{})
	c.Text.Auth = true
	keyed := start(t, c, server.Options{})
	for _, first := range []string{
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\x00\xff\xfe", "\n", "\r\n" + `{"uid":"x"}` + "\n",
		"BREW /pot HTTP/1.1\r\n", "\r\nPOST / HTTP/1.1\r\n", "help\n", "{nonsense}\n" + `{"uid":"x"}` + "\n", "[]\n",
	} {
		for _, r := range []*running{keyless, keyed} {
			b := r.backend()
			b.Write(first)
			rest := b.Rest()
			if strings.Count(rest, "\n") > 1 || strings.Contains(rest, "fail") ||
				r == keyless && rest != "error: the first line is no JSON object\n" {
				t.Errorf("%q is answered %q", first, rest)
			}
		}
	}
	b := keyless.backend()
	if got := ask(b, `{"uid":"x"}`) + ask(b, "help") +
		ask(b, ""); got != "failerror: not a JSON objecterror: there is nothing: want a JSON object" {
		t.Errorf("later lines: %q", got)
	}
}

// TestCredential takes a credential from the first frame, the address or a cookie, and refuses one that is wrong.
func TestCredential(t *testing.T) {
	c := settings()
	c.Cookie = "session"
	journal := &journal{}
	r := start(t, c, server.Options{Credentials: openQuick(secret), Log: journal.logger()})
	b := r.backend()
	r.page("secret-frame")
	r.known(b, "frame")
	r.visit("token=secret-address")
	r.known(b, "address")
	r.Connect(r.pages).Upgrade("/", http.Header{"Cookie": {"other=1; session=secret-cookie"}})
	r.known(b, "cookie")
	bad := r.Dial(r.pages)
	bad.Send("wrong-credential")
	for what, c := range map[string]*linemantest.Client{"wrong": bad, "empty": r.page("secret-")} {
		t.Run(what, func(t *testing.T) { told(t, c, 4001) })
	}
	if strings.Contains(journal.String(), "wrong-credential") {
		t.Errorf("the log has the credential: %s", journal)
	}
}

// TestLateGoes tells a page that has said nothing so, and does not wait for its goodbye.
func TestLateGoes(t *testing.T) {
	c := settings()
	c.Limits.Login = 100 * time.Millisecond
	r := start(t, c, server.Options{Credentials: openQuick(secret)})
	told(t, r.Dial(r.pages), 4104) // the application that makes the credential may be slow
	endsSoon(t, func() net.Conn {
		conn := dial(t, r.Addr(r.pages).String())
		_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"+
			"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		if err != nil {
			t.Fatal(err)
		}
		return conn
	})
}

// endsSoon fails the test if connections last as long as a handshake may take, of TLS, of WebSocket, or of its closing.
// A busy machine has several tries.
func endsSoon(t *testing.T, connect func() net.Conn) {
	t.Helper()
	for range 3 {
		conn := connect()
		_ = conn.SetReadDeadline(time.Now().Add(4 * time.Second))
		if _, err := io.Copy(io.Discard, conn); !isTimeout(err) {
			return
		}
	}
	t.Error("it is still there")
}

// told checks the code that a page is closed with, whatever it got before.
func told(t *testing.T, c *linemantest.Client, want websocket.Code) (reason string) {
	t.Helper()
	for {
		op, payload := c.NextFrame()
		if op != websocket.Close {
			continue
		}
		if len(payload) < 2 || websocket.Code(payload[0])<<8|websocket.Code(payload[1]) != want {
			t.Errorf("the page is told %q, want %d", payload, want)
			return ""
		}
		return payload[2:]
	}
}

// visit opens a page by an address.
func (r *running) visit(query string) *linemantest.Client {
	r.t.Helper()
	c := r.Connect(r.pages)
	c.Upgrade("/?"+query, nil)
	return c
}
