package server_test

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/text"
	"github.com/lineman-go/lineman/protocol/websocket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backends is a worker to dial the port for back ends by.
var backends = &lineman.Worker{Addr: "text://127.0.0.1:0", Protocol: text.Protocol{}}

// running is a server on free ports.
type running struct {
	*linemantest.Server
	t     *testing.T
	pages *lineman.Worker
	text  string
}

func start(t *testing.T, c server.Config) *running {
	t.Helper()
	var said bytes.Buffer
	c.Listen, c.Text, c.Out = "127.0.0.1:0", "127.0.0.1:0", &said
	s, err := server.New(c)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, pages: s.Worker()}
	r.Server = linemantest.Start(t, r.pages)
	words := strings.Fields(said.String())
	r.text = words[7]
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

// known waits until a uid has so many pages.
func (r *running) known(b *linemantest.Client, uid string) {
	r.t.Helper()
	for until := time.Now().Add(20 * time.Second); ask(b, `{"uid":"`+uid+`","probe":1}`) != "ok"; {
		if time.Now().After(until) {
			r.t.Fatalf("%s does not become known", uid)
		}
	}
}

func ask(b *linemantest.Client, line string) string {
	b.Write(line + "\n")
	return b.Receive()
}

// TestLevel0 pushes to the pages of a uid, exactly the bytes of the line, and to all.
func TestLevel0(t *testing.T) {
	r := start(t, server.Config{Dev: true})
	b := r.backend()
	first, other := r.page("uid1"), r.page("uid2")
	r.known(b, "uid1")
	r.known(b, "uid2")
	second := r.page("uid1")
	const line = `{ "uid" : "uid\u0031",  "percent":"88%" }`
	for got := ""; got != "both"; { // the second page becomes known some time
		if answer := ask(b, line); answer != "ok" {
			t.Fatalf("the answer is %q", answer)
		}
		first.Send("ignored")
		b.Write(`{"all":true,"mark":1}` + "\n")
		b.Receive()
		for seen := second.Receive(); seen == line; seen = second.Receive() {
			got = "both"
		}
	}
	for _, c := range []struct{ line, answer string }{
		{`{"uid":"nobody"}`, "fail"},
		{`{"uid":7}`, "fail"},
		{`{"uid":"uid2","n":1}`, "ok"},
	} {
		if got := ask(b, c.line); got != c.answer {
			t.Errorf("%s: %q, want %q", c.line, got, c.answer)
		}
	}
	for got := other.Receive(); got != `{"uid":"uid2","n":1}`; got = other.Receive() {
		if !strings.Contains(got, "probe") && !strings.Contains(got, "mark") {
			t.Errorf("the other page got %q", got)
		}
	}
}

// TestLines answers each line in its order, and changes nothing by a wrong one.
func TestLines(t *testing.T) {
	r := start(t, server.Config{Dev: true})
	b := r.backend()
	want := []string{}
	for _, c := range []struct{ line, answer string }{
		{``, "error: empty line: want a JSON object"},
		{`hello`, "error: not a JSON object"},
		{`null`, "error: not a JSON object"},
		{`[1]`, "error: not a JSON object"},
		{"{\"uid\":\"\xff\"}", "error: not UTF-8"},
		{`{}`, `error: no "uid"`},
		{`{"UID":"x"}`, `error: no "uid"`},
		{`{"uid":null}`, `error: "uid" must be a string or an integer`},
		{`{"uid":1.5}`, `error: "uid" must be a string or an integer`},
		{`{"uid":true}`, `error: "uid" must be a string or an integer`},
		{`{"uid":""}`, "error: a uid has no name"},
		{`{"uid":"` + strings.Repeat("x", 256) + `"}`, "error: the name of a uid has 256 bytes: at most 255 are allowed"},
		{`{"all":1}`, `error: "all" must be true`},
		{`{"all":true,"uid":"x"}`, `error: "uid" and "all" in one line`},
		{`{"uid":"x"}`, "fail"},
		{`{"all":true}`, "fail"},
	} {
		b.Write(c.line + "\n")
		want = append(want, c.answer)
	}
	for i, w := range want {
		if got := b.Receive(); got != w {
			t.Errorf("answer %d is %q, want %q", i, got, w)
		}
	}
	long := r.backend()
	long.Write(strings.Repeat("x", 70_000) + "\n" + `{"uid":"x"}` + "\n")
	if got := long.Receive(); !strings.HasPrefix(got, "error: ") {
		t.Errorf("too long a line: %q", got)
	}
	if got := long.Receive(); got != "fail" {
		t.Errorf("the line behind it: %q", got)
	}
	post := r.backend()
	post.Write("POST / HTTP/1.1\r\nHost: x\r\n\r\n")
	if rest := post.Rest(); strings.Contains(rest, "ok") {
		t.Errorf("a page's post is answered %q", rest)
	}
}

// TestCredential takes a credential from the first frame, the address or a cookie, and refuses one that is wrong or late.
func TestCredential(t *testing.T) {
	verify := func(credential string) (string, error) {
		uid, ok := strings.CutPrefix(credential, "secret-")
		if !ok {
			return "", errors.New("that is no credential")
		}
		return uid, nil
	}
	r := start(t, server.Config{Verify: verify, Cookie: "session", Login: 300 * time.Millisecond})
	b := r.backend()
	r.page("secret-frame")
	r.known(b, "frame")
	for name, head := range map[string]string{
		"address": "GET /?token=secret-address HTTP/1.1\r\n",
		"cookie":  "GET / HTTP/1.1\r\nCookie: other=1; session=secret-cookie\r\n",
	} {
		c := r.Connect(r.pages)
		c.Write(head + handshake)
		r.known(b, name)
		c.Close()
	}
	bad := r.Connect(r.pages)
	bad.Write("GET /?token=wrong HTTP/1.1\r\n" + handshake)
	if answer, body := bad.Response("GET"); answer.StatusCode != 401 || strings.Contains(body, "wrong") {
		t.Errorf("a wrong token: %d, %q", answer.StatusCode, body)
	}
	for what, c := range map[string]*linemantest.Client{"wrong": r.page("nonsense"), "empty": r.page("secret-"), "late": r.Dial(r.pages)} {
		var e *websocket.CloseError
		if err := c.Ended(); !errors.As(err, &e) || e.Code != 4001 {
			t.Errorf("%s: the page is told %v, want 4001", what, err)
		}
	}
}

// handshake is the rest of the head of one.
const handshake = "Host: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// TestRequests answers health and readiness, and has the page in dev mode only.
func TestRequests(t *testing.T) {
	dev := start(t, server.Config{Dev: true})
	strict := start(t, server.Config{Verify: func(string) (string, error) { return "", errors.New("nobody") }})
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

// TestExposed refuses to let anybody in, unless that was said.
func TestExposed(t *testing.T) {
	if _, err := server.New(server.Config{Listen: "0.0.0.0:1234"}); !errors.Is(err, server.ErrExposed) || !strings.Contains(err.Error(), "--dev") {
		t.Errorf("the error is %v", err)
	}
	for addr, want := range map[string]bool{
		"127.0.0.1:1": true, "localhost:1": true, "[::1]:1": true, "127.8.0.1:1": true,
		":1": false, "0.0.0.0:1": false, "[::]:1": false, "192.0.2.1:1": false, "example.com:1": false, "127.0.0.1": false,
	} {
		if got := server.Loopback(addr); got != want {
			t.Errorf("Loopback(%q) is %v", addr, got)
		}
	}
}
