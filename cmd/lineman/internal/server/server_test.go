package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
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
	t     testing.TB
	pages *lineman.Worker
	text  string
	api   string // the URL of the HTTP API
	admin string // that of the port for operators
}

// settings are the default, on free ports.
func settings() config.Config {
	c := config.Default()
	c.Listen, c.Text.Listen, c.API.Listen, c.Admin.Listen = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	return c
}

// devMode are settings in which a page is whoever it says it is.
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
	r := &running{t: t, pages: server.New(c, o).Worker()}
	r.Server = linemantest.Start(t, r.pages)
	found := regexp.MustCompile(`back ends on ([^,\s]+), HTTP API on ([^,\s]+), metrics on (http://[^/]+)/metrics`).FindStringSubmatch(said.String())
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
	if got := long.Receive(); !strings.HasPrefix(got, "error: a line has at most 1114112 bytes: limits.publish says so") {
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
	r := start(t, settings(), server.Options{Credentials: open(secret)})
	const shake = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for head, want := range map[string]int{"POST /health": 405, "PUT /": 405, "GET /health": 413, "GET /": 413, "HEAD /x": 413, "GET /ws": 400, "POST /ws": 405} {
		for _, framing := range []string{"Content-Length: 60000\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: 60000\r\nExpect: 100-continue\r\n"} {
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
		{`{"cmd":"pub","to":"small:x","data":` + large + `}`, `{"ok":false,"error":{"code":"invalid","text":"the message is too large: \"small:x\" gets at most 1000 bytes, not 300002: limits.publish, or max_message of a namespace, says so"}}`, ""},
		{`{"uid":"ann","data":` + most + `}`, `error: the message is too large: "u:ann" gets at most 1048576 bytes, not 1048597: limits.publish, or max_message of a namespace, says so`, ""},
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
	for _, line := range []string{`{"cmd":"auth","key":"` + strings.Repeat("x", 9000) + "\"}\n", `{"cmd":"auth","key":"` + strings.Repeat("x", 9000)} {
		b := r.backend()
		b.Write(line)
		if got := b.Rest(); !strings.HasPrefix(got, `{"ok":false,"error":{"code":"unauthorized"`) {
			t.Errorf("a long key: %q", got)
		}
	}
	b, page := r.backend(), r.page("ann")
	large := `{"uid":"ann","data":"` + strings.Repeat("x", 300_000) + `"}`
	b.Write(`{"cmd":"auth","key":"a secret of 22 letters"}` + "\n" + "help\n" + `{"cmd":"groups"}` + "\n")
	if got := b.Receive() + b.Receive() + b.Receive(); got != `{"ok":true}error: not a JSON object{"ok":true,"groups":[]}` {
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

// TestStrays ends connections to the port for back ends that begin with something else than a JSON object, before a line is whole.
func TestStrays(t *testing.T) {
	c := devMode()
	c.API.Keys = []config.Key{{Name: "all", Key: "a secret of 22 letters"}}
	keyless := start(t, devMode(), server.Options{})
	c.Text.Auth = true
	keyed := start(t, c, server.Options{})
	for _, first := range []string{
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\x00\xff\xfe", "\n", "\r\n" + `{"uid":"x"}` + "\n", "BREW /pot HTTP/1.1\r\n", "\r\nPOST / HTTP/1.1\r\n", "help\n",
		"{nonsense}\n" + `{"uid":"x"}` + "\n", "[]\n",
	} {
		for _, r := range []*running{keyless, keyed} {
			b := r.backend()
			b.Write(first)
			if rest := b.Rest(); strings.Count(rest, "\n") > 1 || strings.Contains(rest, "fail") {
				t.Errorf("%q is answered %q", first, rest)
			}
		}
	}
	b := keyless.backend()
	if got := ask(b, `{"uid":"x"}`) + ask(b, "help") + ask(b, ""); got != "failerror: not a JSON objecterror: empty line: want a JSON object" {
		t.Errorf("later lines: %q", got)
	}
}

// TestCredential takes a credential from the first frame, the address or a cookie, and refuses one that is wrong or late.
func TestCredential(t *testing.T) {
	c := settings()
	c.Cookie, c.Limits.Login = "session", 300*time.Millisecond
	journal := &journal{}
	r := start(t, c, server.Options{Credentials: open(secret), Log: journal.logger()})
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
	told(t, r.Dial(r.pages), 4104) // the application that makes it may be slow
	if strings.Contains(journal.String(), "wrong-credential") {
		t.Errorf("the log has the credential: %s", journal)
	}
}

// credentials are those of a test: nobody called bob can be revoked.
type credentials struct {
	verify  func(context.Context, string) (server.Identity, error)
	closed  atomic.Bool
	learned atomic.Value // a uid
	missed  atomic.Value // a uid that others have revoked
	away    atomic.Bool  // what was revoked cannot be read
	lost    atomic.Bool  // something is to be put back
	reads   atomic.Int64 // of what was revoked
}

func (c *credentials) Verify(ctx context.Context, credential string) (server.Identity, error) {
	return c.verify(ctx, credential)
}

func (c *credentials) Revoke(_ context.Context, uid string, _ time.Time) error {
	if uid == "bob" {
		return errors.New("the disk is full")
	}
	return nil
}

func (c *credentials) Learn(uid string, _ time.Time) { c.learned.Store(uid) }

func (c *credentials) Refresh(context.Context) (uids []string, restored bool, err error) {
	if c.away.Load() {
		return nil, false, errors.New("nothing can be read")
	}
	c.reads.Add(1)
	if uid, ok := c.missed.Load().(string); ok {
		uids = []string{uid}
	}
	return uids, c.lost.Swap(false), nil
}

func (c *credentials) Close() error {
	if c.closed.Swap(true) {
		return errors.New("it was closed twice")
	}
	return nil
}

func open(verify func(context.Context, string) (server.Identity, error)) func() (server.Credentials, error) {
	return func() (server.Credentials, error) { return &credentials{verify: verify}, nil }
}

// secret takes "secret-UID" for the credential of a uid.
func secret(_ context.Context, credential string) (server.Identity, error) {
	uid, ok := strings.CutPrefix(credential, "secret-")
	if !ok {
		return server.Identity{}, errors.New("that is no credential")
	}
	return server.Identity{UID: uid, Channels: []string{"news", "chat:*", "shut:x", "shut:*"}, Groups: []string{"staff"}}, nil
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

// TestChannels gives a page the groups of its credential, and the channels that it asks for and may have.
func TestChannels(t *testing.T) {
	c := settings()
	c.Namespaces = map[string]config.Namespace{
		"default": {Subscribe: "token"}, "open": {Subscribe: "all"}, "shut": {Subscribe: "none"}, "chat": {Subscribe: "token"},
	}
	r := start(t, c, server.Options{Credentials: open(secret)})
	b := r.backend()
	for uid, sub := range map[string]string{"plain": "", "chooses": "&sub=chat:42,open:x,news"} {
		r.visit("token=secret-" + uid + sub)
		r.known(b, uid)
	}
	want := `{"ok":true,"counts":{"chat:42":1,"g:staff":2,"news":2,"open:x":1,"shut:x":0}}`
	if got := ask(b, `{"cmd":"count","to":["g:staff","news","chat:42","open:x","shut:x"]}`); got != want {
		t.Errorf("the counts are %s, want %s", got, want)
	}
	if got := ask(b, `{"cmd":"subscribe","to":"u:plain","channel":"shut:x"}`); got != `{"ok":true,"n":1}` {
		t.Errorf("a back end that subscribes a page: %s", got)
	}
	for _, sub := range []string{"secret", "chat", "shut:x", "open", "news,shut:x", "u:plain", "g:staff", "*", ","} {
		told(t, r.visit("token=secret-x&sub="+url.QueryEscape(sub)), 4003)
	}
}

// TestHosts is asked in dev mode by addresses, as localhost and by names that are listed: by another name, a page would be of the origin that
// it talks to. Where credentials are checked, that gains nothing.
func TestHosts(t *testing.T) {
	c := devMode()
	c.API.Hosts = []string{"dev.example"}
	dev, strict := start(t, c, server.Options{}), start(t, settings(), server.Options{Credentials: open(secret)})
	for _, w := range []struct {
		r      *running
		host   string
		status int
	}{
		{dev, "localhost:1234", 101}, {dev, "127.0.0.1", 101}, {dev, "[::1]:1234", 101}, {dev, "dev.example", 101},
		{dev, "rebind.example:1234", 403}, {strict, "push.example", 101},
	} {
		head := "GET / HTTP/1.1\r\nHost: " + w.host + "\r\n"
		c := w.r.Connect(w.r.pages)
		c.Write(head + "Origin: http://" + w.host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		if answer, body := c.Response("GET"); answer.StatusCode != w.status || w.status == 403 && !strings.Contains(body, "api.hosts") {
			t.Errorf("%s: %d %s, want %d", w.host, answer.StatusCode, body, w.status)
		}
	}
	page := dev.Connect(dev.pages)
	page.Write("GET / HTTP/1.1\r\nHost: rebind.example\r\n\r\n")
	if answer, _ := page.Response("GET"); answer.StatusCode != 403 {
		t.Errorf("the page by another name: %d", answer.StatusCode)
	}
}

// TestOriginsOfPages has pages of the same host come, with a cookie those of the same port, and in dev mode those that
// were opened from a file, unless some are listed: who lists has said all.
func TestOriginsOfPages(t *testing.T) {
	c, listed, cookie := devMode(), devMode(), settings()
	listed.Origins = []string{"https://shop.example"}
	cookie.Cookie, cookie.Origins = "session", []string{"http://localhost:8000"}
	file, strict := start(t, c, server.Options{}), start(t, listed, server.Options{})
	byCookie := start(t, cookie, server.Options{Credentials: open(secret)})
	for _, w := range []struct {
		r      *running
		origin string
		status int
	}{
		{file, "null", 101}, {file, "http://localhost:8000", 101}, {file, "https://shop.example", 403},
		{strict, "null", 403}, {strict, "http://localhost:8000", 101}, {strict, "https://shop.example", 101},
		{byCookie, "null", 403}, {byCookie, "http://localhost:1234", 101}, {byCookie, "http://localhost:8000", 101},
		{byCookie, "http://localhost:8001", 403}, {byCookie, "http://localhost", 403},
	} {
		header := http.Header{"Origin": {w.origin}, "Host": {"localhost:1234"}}
		if answer, why := w.r.Connect(w.r.pages).Handshake("/", header); answer.StatusCode != w.status {
			t.Errorf("%s: %d %s, want %d", w.origin, answer.StatusCode, why, w.status)
		}
	}
}

// TestExpired closes a connection when its credential is no longer good.
func TestExpired(t *testing.T) {
	r := start(t, settings(), server.Options{Credentials: open(func(context.Context, string) (server.Identity, error) {
		return server.Identity{UID: "x", Expires: time.Now()}, nil
	})})
	told(t, r.page("anything"), 4200)
}

// TestRevoke closes the connections of a uid once it is kept that its credentials are no longer good.
func TestRevoke(t *testing.T) {
	r := start(t, settings(), server.Options{Credentials: open(secret)})
	b := r.backend()
	page := r.page("secret-ann")
	r.known(b, "ann")
	if got := ask(b, `{"cmd":"revoke","uid":"bob"}`); !strings.Contains(got, "the disk is full") || !strings.Contains(got, "unavailable") {
		t.Errorf("a revocation that is not kept: %s", got)
	}
	last := r.backend()
	last.Write(`{"cmd":"revoke","uid":"ann"}` + "\n" + `{"uid":"ann"}` + "\n")
	last.CloseWrite()
	if got := last.Rest(); got != `{"ok":true,"n":1}`+"\nfail\n" && got != `{"ok":true,"n":1}`+"\nok\n" {
		t.Errorf("a revocation by a back end that has said all: %q", got)
	}
	told(t, page, 4001)
	without := start(t, devMode(), server.Options{})
	if got := ask(without.backend(), `{"cmd":"revoke","uid":"ann"}`); !strings.Contains(got, "unknown_command") {
		t.Errorf("where nothing can be revoked: %s", got)
	}
}

// TestGreeting has what is there to be pasted reach the port, with the key that it wants, in the message and on the page.
func TestGreeting(t *testing.T) {
	closed := devMode()
	closed.Text.Auth = true
	for name, c := range map[string]config.Config{"open": devMode(), "closed": closed} {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			pages := server.New(c, server.Options{Out: &said, Command: "./lineman"}).Worker()
			r := linemantest.Start(t, pages)
			_, port, _ := strings.Cut(regexp.MustCompile(`back ends on 127.0.0.1:\d+`).FindString(said.String()), "127.0.0.1:")
			push := "./lineman push --server 127.0.0.1:" + port
			if c.Text.Auth {
				push += " --key-file FILE"
			}
			if want := "  push   " + push + ` uid uid1 '{"percent":"88%"}'` + "\n"; !strings.Contains(said.String(), want) {
				t.Errorf("the message is %q, want %q in it", said.String(), want)
			}
			if byNetcat := strings.Contains(said.String(), "nc -N 127.0.0.1 "+port); byNetcat == c.Text.Auth {
				t.Errorf("the message is %q", said.String())
			}
			answer, err := http.Get("http://" + r.Addr(pages).String())
			if err != nil {
				t.Fatal(err)
			}
			defer http.DefaultClient.CloseIdleConnections()
			defer answer.Body.Close()
			if page, err := io.ReadAll(answer.Body); err != nil || !bytes.Contains(page, []byte(push+" uid '")) {
				t.Errorf("the page does not have %q: %v", push, err)
			}
		})
	}
}

// TestRequests answers health and readiness, and has the page in dev mode only.
func TestRequests(t *testing.T) {
	dev := start(t, devMode(), server.Options{})
	strict := start(t, settings(), server.Options{Credentials: open(secret)})
	client := &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	for _, c := range []struct {
		r      *running
		method string
		path   string
		status int
	}{
		{dev, "GET", "/health", 200}, {dev, "GET", "/ready", 200}, {dev, "HEAD", "/", 200}, {dev, "GET", "/x", 404}, {dev, "POST", "/", 405},
		{strict, "GET", "/health", 200}, {strict, "GET", "/", 404},
	} {
		q, err := http.NewRequest(c.method, "http://"+c.r.Addr(c.r.pages).String()+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, answer.StatusCode, c.status)
		}
	}
}
