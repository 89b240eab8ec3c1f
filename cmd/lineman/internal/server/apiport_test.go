package server_test

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
)

// call is a request to the HTTP API.
type call struct {
	method, path, body string
	header             map[string]string
}

// post calls a command with a JSON object.
func post(name, body string) call {
	return call{"POST", name, body, map[string]string{"Content-Type": "application/json"}}
}

// with adds a field to the head.
func (c call) with(name, value string) call {
	header := map[string]string{name: value}
	for n, v := range c.header {
		if n != name {
			header[n] = v
		}
	}
	c.header = header
	return c
}

func (r *running) call(c call) (status int, answer string) {
	r.t.Helper()
	q, err := http.NewRequest(c.method, r.api+c.path, strings.NewReader(c.body))
	if err != nil {
		r.t.Fatal(err)
	}
	for name, value := range c.header {
		if name == "Host" {
			q.Host = value
		}
		q.Header.Set(name, value)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	a, err := client.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return a.StatusCode, strings.TrimSuffix(string(text), "\n")
}

// TestAPI runs commands by HTTP, and refuses what is wrong.
func TestAPI(t *testing.T) {
	c := devMode()
	c.API.Hosts = []string{"push.internal"}
	c.Limits.Body = 10_000
	r := start(t, c, server.Options{})
	ann := r.page("ann")
	r.known(r.backend(), "ann")
	for _, w := range []struct {
		call   call
		status int
		answer string
	}{
		{post("pub", `{"to":"u:ann","data":{ "a":1}}`), 200, `{"ok":true,"n":1}`},
		{post("pub", `{"cmd":"pub","to":"u:nobody","text":"x"}`), 200, `{"ok":true,"n":0}`},
		{post("count", `{"to":"*"}`).with("Content-Type", "application/json; charset=utf-8"), 200,
			`{"ok":true,"counts":{"*":1}}`},
		{post("pub", "{\"to\":\"u:ann\",\"text\":\"one\"}\n\n{\"to\":\"u:ann\"}\n{\"to\":\"u:ann\",\"text\":\"two\"}").
			with("Content-Type", "application/x-ndjson"), 200,
			`{"ok":true,"n":1}` + "\n" + `{"ok":false,"error":{"code":"invalid","text":"pub wants \"data\", any ` +
				`JSON, or \"text\", a string"}}` + "\n" + `{"ok":true,"n":1}`},
		{post("batch", `{"cmd":"join","to":"u:ann","group":"g"}`+"\n"+`{"cmd":"groups"}`).with("Content-Type",
			"application/x-ndjson"), 200,
			`{"ok":true,"n":1}` + "\n" + `{"ok":true,"groups":["g"]}`},
		{post("batch", "\n").with("Content-Type", "application/x-ndjson"), 200, ""},
		{post("groups", `{}`).with("Host", "push.internal:6780"), 200, `{"ok":true,"groups":["g"]}`},
		{post("groups", `{}`).with("Host", "LOCALHOST"), 200, `{"ok":true,"groups":["g"]}`},
		{post("groups", `{}`).with("Host", "[::1]:6780"), 200, `{"ok":true,"groups":["g"]}`},
		{post("pub", `{"to":"u:ann","text":"last","id":"x"}`), 200, `{"ok":true,"n":1}`},
		{post("pub", `{"to":"u:ann","text":"last","id":"x"}`), 200, `{"ok":true,"n":1}`},

		{post("pub", `{"to":"u:ann"}`), 400, "pub wants"},
		{post("pub", `{"cmd":"kick","to":"u:ann","text":"x"}`), 400, "in the path"},
		{post("pub", `[]`), 400, "not a JSON object"},
		{post("pub", ``), 400, "want a JSON object"},
		{post("pub", "{\"to\":\"u:ann\",\"text\":\"\xff\"}"), 400, "not UTF-8"},
		{post("fly", `{}`), 404, "unknown_command"},
		{post("batch", `{}`), 415, "application/x-ndjson"},
		{post("../x", `{}`), 404, "unknown_command"},
		{call{"GET", "pub", "", nil}, 405, ""},
		{call{"DELETE", "openapi.json", "", nil}, 405, ""},
		{post("pub", `{"to":"u:ann","text":"x"}`).with("Content-Type", "text/plain"), 415, "want Content-Type"},
		{post("pub", `{"to":"u:ann","text":"x"}`).with("Content-Type", ""), 415, "want Content-Type"},
		{post("pub", `{"to":"u:ann","text":"x"}`).with("Content-Type", "application/x-www-form-urlencoded"), 415,
			"want Content-Type"},
		{post("pub", `{"to":"u:ann","text":"x"}`).with("Origin", "https://evil.example"), 403, "denied"},
		{post("pub", `{"to":"u:ann","text":"x"}`).with("Origin", "null"), 403, "denied"},
		{post("pub", `{"to":"u:ann","text":"x"}`).with("Sec-Fetch-Site", "cross-site"), 403, "denied"},
		{post("pub", `{"to":"u:ann","text":"x"}`).with("Host", "evil.example:6780"), 403, "denied"},
		{call{"GET", "openapi.json", "", map[string]string{"Origin": "https://evil.example"}}, 403, "denied"},
		{post("pub", `{"to":"u:ann","text":"`+strings.Repeat("x", 10_000)+`"}`), 413, ""},
	} {
		status, answer := r.call(w.call)
		if status != w.status || !strings.Contains(answer, w.answer) || status == 200 && answer != w.answer {
			t.Errorf("%+v: %d %s, want %d %s", w.call, status, answer, w.status, w.answer)
		}
	}
	for _, want := range []string{`{ "a":1}`, "one", "two", "last"} {
		if got := ann.Receive(); got != want {
			t.Errorf("the page got %q, want %q", got, want)
		}
	}
	status, text := r.call(call{"GET", "openapi.json", "", nil})
	if status != 200 || !json.Valid([]byte(text)) || !strings.Contains(text, `"/v1/pub"`) {
		t.Errorf("the description: %d, %.100s", status, text)
	}
}

// TestAPIHead answers by the head of a request, whatever its body would be: nothing of that is kept.
func TestAPIHead(t *testing.T) {
	c := devMode()
	c.API.Keys = []config.Key{{Name: "all", Key: "a secret of 22 letters"}}
	c.API.Listen = "0.0.0.0:0"
	r := start(t, c, server.Options{})
	const key, object = "Authorization: Bearer a secret of 22 letters\r\n", "Content-Type: application/json\r\n"
	api := strings.Replace(strings.TrimPrefix(r.api, "http://"), "[::]", "127.0.0.1", 1)
	api, _, _ = strings.Cut(api, "/")
	for _, w := range []struct {
		head   string
		status int
		answer string
	}{
		{"POST /v1/pub HTTP/1.1\r\nHost: localhost\r\n" + object, 401, `{"ok":false,"error":{"code":"unauthorized"`},
		{"POST /v1/pub HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer none\r\n" + object, 401, `"unauthorized"`},
		{"POST /v1/pub HTTP/1.1\r\nHost: evil.example\r\n" + key + object, 403, `"denied"`},
		{"POST /v1/pub HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n" + key + object,
			403, `"denied"`},
		{"POST /v1/pub HTTP/1.1\r\nHost: localhost\r\n" + key, 415, "want Content-Type"},
		{"POST /v1/pub HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\n" + key + object, 415,
			"without Content-Encoding"},
		{"POST /v1/pub HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: identity\r\n" +
			"Content-Encoding: gzip\r\n" + key + object, 415, "without Content-Encoding"},
		{"POST /v1/pub HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: identity, gzip\r\n" + key + object, 415,
			"without Content-Encoding"},
		{"POST /pub HTTP/1.1\r\nHost: localhost\r\n" + key + object, 404, `"unknown_command"`},
		{"PUT /v1/pub HTTP/1.1\r\nHost: localhost\r\n" + key + object, 405, ""},
		{"GET /v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n", 413, "without a body"},
	} {
		for _, framing := range []string{
			"Content-Length: 990000\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n1\r\n{",
			"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n",
		} {
			client := linemantest.NewClient(t, dial(t, api), &lineman.Worker{Addr: "http://127.0.0.1:0"})
			client.Write(w.head + framing)
			a, text := client.Response("")
			if a.StatusCode != w.status || !strings.Contains(text, w.answer) || !a.Close {
				t.Errorf("%q: %d %s, want %d %s", w.head+framing, a.StatusCode, text, w.status, w.answer)
			}
		}
	}
	good := post("pub", `{"to":"u:x","text":"x"}`).with("Authorization", "Bearer a secret of 22 letters")
	r.api = "http://" + api + "/v1/"
	for coding, want := range map[string]int{"identity": 200, "Identity": 200, "br": 415} {
		if status, text := r.call(good.with("Content-Encoding", coding)); status != want {
			t.Errorf("%s: %d %s", coding, status, text)
		}
	}
}

// TestTypedAddress has who types an address, or follows a link from there, read and not write.
func TestTypedAddress(t *testing.T) {
	r := start(t, devMode(), server.Options{})
	api := r.api
	for site, want := range map[string]int{
		"none": 200, "same-origin": 200, "same-site": 403, "cross-site": 403, "None": 403,
	} {
		r.api = api
		if status, _ := r.call(call{
			"GET", "openapi.json", "", map[string]string{"Sec-Fetch-Site": site},
		}); status != want {
			t.Errorf("the description by %s: %d", site, status)
		}
		if status, _ := r.call(post("count", `{"to":"*"}`).with("Sec-Fetch-Site", site)); status != 403 {
			t.Errorf("a command by %s: %d", site, status)
		}
		r.api = r.admin
		for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/cmdline"} {
			if status, _ := r.call(call{
				"GET", path, "", map[string]string{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"},
			}); status != want {
				t.Errorf("%s by %s: %d", path, site, status)
			}
			if status, _ := r.call(call{
				"GET", path, "", map[string]string{"Sec-Fetch-Site": site, "Origin": "http://127.0.0.1"},
			}); status != 403 {
				t.Errorf("%s by %s with an origin: %d", path, site, status)
			}
		}
		if status, _ := r.call(call{
			"POST", "/debug/pprof/symbol", "", map[string]string{"Sec-Fetch-Site": site},
		}); status != 403 {
			t.Errorf("a POST by %s: %d", site, status)
		}
	}
}

// TestKeys lets in who has a key, for what the key allows, and by no more commands than are allowed.
func TestKeys(t *testing.T) {
	c := devMode()
	c.API.Keys = []config.Key{
		{Name: "shop", Key: "the shop's own secret", Scopes: []string{"publish"}, Targets: []string{"u:*"}},
		{Name: "all", Key: "another secret of 28 letters"},
	}
	c.Text.Auth, c.Limits.CommandsPerKey = true, 1.0/1000
	journal := &journal{}
	r := start(t, c, server.Options{Log: journal.logger()})
	pub := post("pub", `{"to":"u:x","text":"x"}`)
	for _, w := range []struct {
		call   call
		status int
	}{
		{pub, 401},
		{pub.with("Authorization", "Bearer nonsense"), 401},
		{pub.with("Authorization", "Bearer"), 401},
		{pub.with("Authorization", "Basic the shop's own secret"), 401},
		{post("groups", `{}`).with("Authorization", "Bearer the shop's own secret"), 403},
		{pub.with("Authorization", "Bearer the shop's own secret"), 429},
		{pub.with("Authorization", "bearer another secret of 28 letters"), 200},
		{pub.with("Authorization", "Bearer another secret of 28 letters"), 429},
	} {
		if status, answer := r.call(w.call); status != w.status || strings.Contains(answer, "secret") {
			t.Errorf("%+v: %d %s, want %d", w.call, status, answer, w.status)
		}
	}
	for _, line := range []string{
		`{"uid":"x"}`, `{"cmd":"groups"}`, `{"cmd":"auth","key":"nonsense"}`, `{"cmd":"auth"}`, `x`, ``,
	} {
		b := r.backend()
		b.Write(line + "\n" + `{"uid":"x"}` + "\n")
		if got := b.Rest(); !strings.HasPrefix(got, `{"ok":false,"error":{"code":"unauthorized"`) ||
			strings.Count(got, "\n") != 1 {
			t.Errorf("%s: %q", line, got)
		}
	}
	open := start(t, devMode(), server.Options{}).backend()
	if got := ask(open, `{"cmd":"auth","key":"whatever"}`) +
		ask(open, `{"cmd":"groups"}`); got != `{"ok":true}{"ok":true,"groups":[]}` {
		t.Errorf("a key where none is needed: %s", got)
	}
	b := r.backend()
	if got := ask(b, `{"cmd":"auth","key":"the shop's own secret"}`); got != `{"ok":true}` {
		t.Errorf("a key: %s", got)
	}
	if got := ask(b, `{"uid":"x"}`); got != "error: too many commands: try again later" {
		t.Errorf("too many: %s", got)
	}
	if strings.Contains(journal.String(), "secret") || strings.Contains(journal.String(), "nonsense") {
		t.Errorf("the log has a key: %s", journal)
	}
}

// TestKeyless bounds the back ends that have not said a key, in number and in time.
func TestKeyless(t *testing.T) {
	t.Parallel()
	c := devMode()
	c.API.Keys = []config.Key{{Name: "all", Key: "a secret of 22 letters"}}
	c.Text.Auth, c.Limits.Waiting, c.Limits.Login = true, 2, 4*time.Second
	r := start(t, c, server.Options{})
	first, second := r.backend(), r.backend()
	if got := ask(first, `{"cmd":"auth","key":"a secret of 22 letters"}`); got != `{"ok":true}` {
		t.Fatal(got)
	}
	third := r.backend()
	if got := ask(third, `{"cmd":"auth","key":"a secret of 22 letters"}`); got != `{"ok":true}` {
		t.Errorf("in the place of one that has a key: %s", got)
	}
	if got := second.Rest(); got != "" {
		t.Errorf("one that says nothing is told %q", got)
	}
	second.Close()
	r.backend()
	r.backend()
	if c, err := net.DialTimeout("tcp", r.text, time.Minute); err == nil { // it may be reset before that returns
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		if _, err = c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("one too many could wait: %v", err)
		}
	}
	if got := ask(first, `{"cmd":"groups"}`); got != `{"ok":true,"groups":[]}` {
		t.Errorf("one that has a key: %s", got)
	}
}
