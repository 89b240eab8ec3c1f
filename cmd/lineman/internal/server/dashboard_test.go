package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
)

// What lets people in.
const (
	theKey       = "the key of the boss"
	thePassword  = "correct horse battery"
	theHash      = "$pbkdf2-sha256$100000$MDEyMzQ1Njc4OWFiY2RlZg$hLne8TouGCTQgICXM2UlnguGPFJk6wzUwaafCbSR+18"
	readonly     = "only to look at"
	readonlyHash = "$pbkdf2-sha256$100000$ZmVkY2JhOTg3NjU0MzIxMA$fwcIgy9Sxeqb1lA5Qy8oafLozzbcPW4i6OR2BwnFVi0"
)

// operator is somebody at the dashboard.
type operator struct {
	*running
	cookie, token string
}

// guarded are settings with a dashboard for which a password or a key is needed.
func guarded() config.Config {
	c := keyed()
	c.Admin.Password, c.Admin.Readonly = theHash, readonlyHash
	return c
}

// keyed are settings with one for which a key is needed: to check it takes no time.
func keyed() config.Config {
	c := settings()
	c.API.Keys = []config.Key{
		{Name: "boss", Key: theKey, Scopes: []string{"admin", "publish", "manage", "read", "watch"}},
		{Name: "shop", Key: "the key of the shop", Scopes: []string{"publish"}},
		{Name: "scraper", Key: "the key of Prometheus", Scopes: []string{"admin"}},
		{Name: "ops", Key: "the key of operators", Scopes: []string{"admin", "read", "manage"},
			Targets: []string{"u:ann", "chat:*"}},
	}
	return c
}

// operator is one that has logged in.
func (r *running) operator(secret string) *operator {
	r.t.Helper()
	one := &operator{running: r}
	r.api = r.admin
	answer := one.send("POST", "/dashboard/login", fmt.Sprintf(`{"secret":%q}`, secret), nil)
	if answer.StatusCode != http.StatusNoContent {
		r.t.Fatalf("the login is answered %d", answer.StatusCode)
	}
	one.cookie, _, _ = strings.Cut(answer.Header.Get("Set-Cookie"), ";")
	one.meet()
	return one
}

// meet learns the token.
func (o *operator) meet() {
	o.t.Helper()
	var told struct{ Token string }
	if status, text := o.get("/dashboard/session"); status != 200 || json.Unmarshal([]byte(text), &told) != nil {
		o.t.Fatalf("the session is %d %s", status, text)
	}
	o.token = told.Token
}

// send makes a request as the page does, but for the fields of header.
func (o *operator) send(method, path, body string, header map[string]string) *http.Response {
	o.t.Helper()
	q, err := http.NewRequest(method, o.admin+path, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	fields := map[string]string{"Cookie": o.cookie}
	if method != "GET" {
		fields["Origin"], fields["Content-Type"], fields["X-Lineman-Token"] = o.admin, "application/json", o.token
	}
	for name, value := range header {
		fields[name] = value
	}
	for name, value := range fields {
		switch {
		case name == "Host":
			q.Host = value
		case value != "":
			q.Header.Set(name, value)
		}
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	answer, err := client.Do(q)
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { answer.Body.Close() })
	return answer
}

func (o *operator) get(path string) (status int, text string) {
	o.t.Helper()
	answer := o.send("GET", path, "", nil)
	all, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(all)
}

// do gives a command.
func (o *operator) do(name, body string) (status int, text string) {
	o.t.Helper()
	answer := o.send("POST", "/dashboard/do/"+name, body, nil)
	all, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, strings.TrimSpace(string(all))
}

// TestDashboardStranger shows nothing but the login to who has no password.
func TestDashboardStranger(t *testing.T) {
	r := start(t, guarded(), server.Options{Credentials: openQuick(secret)})
	r.page("secret-zacharias")
	one := &operator{running: r}
	for path, want := range map[string]int{
		"/": 200, "/dashboard/dashboard.js": 200, "/dashboard/session": 401, "/dashboard/live": 401,
		"/dashboard/find?to=*": 401, "/dashboard/follow?to=*": 401, "/dashboard/nonsense": 401, "/nonsense": 404,
	} {
		answer := one.send("GET", path, "", nil)
		text, _ := io.ReadAll(answer.Body)
		if answer.StatusCode != want || strings.Contains(string(text), "zacharias") {
			t.Errorf("%s: %d %.100s, want %d", path, answer.StatusCode, text, want)
		}
		if path == "/" && !strings.Contains(answer.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("the page has the policy %q", answer.Header.Get("Content-Security-Policy"))
		}
	}
	for _, cookie := range []string{
		"lineman_dashboard_0=", "lineman_dashboard_0=AAAA", "lineman_dashboard_0=" + strings.Repeat("A", 100), "x",
	} {
		one.cookie = cookie
		if status, _ := one.do("kick", `{"to":"*"}`); status != 401 {
			t.Errorf("%s: %d", cookie, status)
		}
		if answer := one.send("POST", "/dashboard/dashboard.js", "{}", nil); answer.StatusCode != 401 {
			t.Errorf("a body of a stranger: %d", answer.StatusCode)
		}
	}
}

// TestDashboardLogin lets in who has a password or a key of scope admin, and tells others nothing.
func TestDashboardLogin(t *testing.T) {
	log := &journal{}
	options := server.Options{Credentials: openQuick(secret), Log: log.logger()}
	one := &operator{running: start(t, guarded(), options)}
	for _, wrong := range []string{"", "the key of the shop", theHash, thePassword + " "} {
		answer := one.send("POST", "/dashboard/login", fmt.Sprintf(`{"secret":%q}`, wrong),
			map[string]string{"X-Forwarded-For": "203.0.113.9"})
		if answer.StatusCode != 401 || answer.Header.Get("Set-Cookie") != "" {
			t.Errorf("%q: %d, want 401", wrong, answer.StatusCode)
		}
	}
	r := start(t, guarded(), options)
	for secret, scopes := range map[string]string{
		thePassword: `["publish","manage","read","watch"]`, readonly: `["read","watch"]`,
		"the key of Prometheus": `["admin"]`, "the key of operators": `["admin","read","manage"]`,
	} {
		if status, text := r.operator(secret).get("/dashboard/session"); status != 200 ||
			!strings.Contains(text, `"scopes":`+scopes) {
			t.Errorf("%s: %d %s", secret, status, text)
		}
	}
	for _, secret := range []string{thePassword, readonly, "the key of", theHash} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	for _, want := range []string{
		"somebody has logged in to the dashboard", `the password is wrong" reason=key remote=203.0.113.9`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %q", want)
		}
	}
}

// TestDashboardTries has who tries many passwords wait, with the right one too.
func TestDashboardTries(t *testing.T) {
	log := &journal{}
	one := &operator{running: start(t, keyed(), server.Options{Credentials: openQuick(secret), Log: log.logger()})}
	try := func(secret string) int {
		answer := one.send("POST", "/dashboard/login", fmt.Sprintf(`{"secret":%q}`, secret), nil)
		answer.Body.Close() // there is room for so many connections only
		return answer.StatusCode
	}
	linemantest.Until(t, "one may try for ever", func() bool { return try("wrong") == 429 })
	if !strings.Contains(log.String(), "too many passwords were tried") {
		t.Error("the log does not tell")
	}
	linemantest.Until(t, "one may never try again", func() bool { return try("the key of operators") == 204 })
}

// TestDashboardCookie gives a cookie that no script sees and no other site sends, and none over the wire once there is
// TLS.
func TestDashboardCookie(t *testing.T) {
	one := &operator{running: start(t, keyed(), server.Options{Credentials: openQuick(secret)})}
	for proto, secure := range map[string]bool{"": false, "https": true} {
		answer := one.send("POST", "/dashboard/login", fmt.Sprintf(`{"secret":%q}`, theKey), map[string]string{
			"X-Forwarded-Proto": proto, "Origin": strings.Replace(one.admin, "http", strings.TrimSuffix(
				"https", map[bool]string{false: "s", true: ""}[secure]), 1),
		})
		c := answer.Cookies()
		if len(c) != 1 || !c[0].HttpOnly || c[0].SameSite != http.SameSiteStrictMode || c[0].Secure != secure ||
			c[0].MaxAge != int((12*time.Hour).Seconds()) {
			t.Errorf("by %q: %d %v", proto, answer.StatusCode, c)
		}
	}
}

// TestDashboardSites refuses whatever a page of another site, or of a host name that was made to lead here, has a
// browser ask, with the cookie of an operator; and changes without the token.
func TestDashboardSites(t *testing.T) {
	r := start(t, keyed(), server.Options{Credentials: openQuick(secret)})
	page, b := r.page("secret-ann"), r.operator(theKey)
	linemantest.Until(t, "ann does not come", func() bool {
		_, text := b.do("count", `{"to":"u:ann"}`)
		return text == `{"ok":true,"counts":{"u:ann":1}}`
	})
	const kick, read = "/dashboard/do/kick", "/dashboard/session"
	for _, w := range []struct {
		method, path string
		header       map[string]string
		status       int
	}{
		{"GET", read, map[string]string{"Origin": "https://evil.example"}, 403},
		{"GET", read, map[string]string{"Origin": "null"}, 403},
		{"GET", read, map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"GET", read, map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"GET", read, map[string]string{"Host": "evil.example"}, 403},
		{"GET", "/", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"}, 403},
		{"GET", "/", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}, 200},
		{"GET", read, map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		{"POST", kick, map[string]string{"Origin": "https://evil.example"}, 403},
		{"POST", kick, map[string]string{"Origin": "http://127.0.0.1"}, 403},
		{"POST", kick, map[string]string{"Origin": ""}, 403},
		{"POST", kick, map[string]string{"X-Forwarded-Proto": "https"}, 403},
		{"POST", kick, map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"POST", kick, map[string]string{"X-Lineman-Token": ""}, 403},
		{"POST", kick, map[string]string{"X-Lineman-Token": "x"}, 403},
		{"POST", kick, map[string]string{"Cookie": ""}, 401},
		{"POST", kick, map[string]string{"Cookie": b.cookie[:len(b.cookie)-2]}, 401},
		{"POST", kick, map[string]string{"Content-Type": "text/plain"}, 415},
		{"POST", "/", nil, 405},
		{"PUT", kick, nil, 405},
	} {
		body := ""
		if w.method != "GET" {
			body = `{"to":"*"}`
		}
		if answer := b.send(w.method, w.path, body, w.header); answer.StatusCode != w.status {
			t.Errorf("%s %s %v: %d, want %d", w.method, w.path, w.header, answer.StatusCode, w.status)
		}
	}
	large := fmt.Sprintf(`{"to":"*","text":"%s"}`, strings.Repeat("x", 64<<10))
	if answer := b.send("POST", "/dashboard/do/pub", large, nil); answer.StatusCode != 413 {
		t.Errorf("a large body: %d", answer.StatusCode)
	}
	if status, text := b.do("kick", `{"to":"u:ann"}`); status != 200 || text != `{"ok":true,"n":1}` {
		t.Errorf("ann is not there any more, or was not: %d %s", status, text)
	}
	told(t, page, 4010)
}

// TestDashboardScopes lets nobody do more than the scopes and targets of his login say, and has a line in the log for
// what was changed, without what was sent.
func TestDashboardScopes(t *testing.T) {
	log := &journal{}
	r := start(t, guarded(), server.Options{Credentials: openQuick(secret), Log: log.logger()})
	r.page("secret-ann")
	looks, scrapes, ops := r.operator(readonly), r.operator("the key of Prometheus"), r.operator("the key of operators")
	linemantest.Until(t, "ann does not come", func() bool {
		_, text := looks.do("count", `{"to":"u:ann"}`)
		return text == `{"ok":true,"counts":{"u:ann":1}}`
	})
	for _, w := range []struct {
		by         *operator
		name, body string
		want       string
	}{
		{looks, "kick", `{"to":"u:ann"}`, "denied"}, {looks, "pub", `{"to":"u:ann","text":"hush"}`, "denied"},
		{looks, "join", `{"to":"u:ann","group":"g"}`, "denied"}, {looks, "forget", `{"to":"u:ann"}`, "denied"},
		{looks, "revoke", `{"uid":"ann"}`, "denied"}, {looks, "list", `{"to":"*"}`, "ann"},
		{scrapes, "list", `{"to":"*"}`, "denied"}, {scrapes, "kick", `{"to":"*"}`, "denied"},
		{ops, "pub", `{"to":"u:ann","text":"hush"}`, "denied"}, {ops, "list", `{"to":"*"}`, "denied"},
		{ops, "list", `{"to":"u:ann"}`, "ann"}, {ops, "join", `{"to":"u:ann","group":"g"}`, "denied"},
		{ops, "nonsense", `{}`, "unknown_command"}, {ops, "watch", `{"to":"u:ann"}`, "denied"},
		{ops, "subscribe", `{"to":"u:ann","channel":"chat:1"}`, `{"ok":true,"n":1}`},
	} {
		if _, text := w.by.do(w.name, w.body); !strings.Contains(text, w.want) {
			t.Errorf("%s %s: %s, want %s", w.name, w.body, text, w.want)
		}
	}
	for path, want := range map[string]int{"find?to=u:ann": 200, "find?to=*": 403, "follow?to=u:ann": 403} {
		if answer := ops.send("GET", "/dashboard/"+path, "", nil); answer.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, answer.StatusCode, want)
		}
	}
	for _, want := range []string{
		`who=read-only remote=127.0.0.1`, `command=kick about=u:ann error=denied`,
		`who="key ops"`, `command=subscribe about="u:ann chat:1" n=1`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %q: %s", want, log)
		}
	}
	if strings.Contains(log.String(), "hush") || strings.Contains(log.String(), "command=list") {
		t.Error("the log has too much")
	}
}

// TestDashboardFind tells of connections what there is to know.
func TestDashboardFind(t *testing.T) {
	r := start(t, devMode(), server.Options{})
	r.page("ann")
	b := r.backend()
	r.known(b, "ann")
	ask(b, `{"cmd":"subscribe","to":"u:ann","channel":"chat:1"}`)
	ask(b, `{"cmd":"join","to":"u:ann","group":"<b>g"}`)
	one := &operator{running: r}
	one.meet()
	for to, n := range map[string]int{"u:ann": 1, "*": 1, "chat:1": 1, "g:%3Cb%3Eg": 1, "u:nobody": 0} {
		var found struct {
			Conns []struct {
				Conn, UID, Remote string
				Since             time.Time
				Groups, Channels  []string
			}
		}
		status, text := one.get("/dashboard/find?to=" + to)
		if err := json.Unmarshal([]byte(text), &found); status != 200 || err != nil || len(found.Conns) != n {
			t.Errorf("%s: %d %s", to, status, text)
			continue
		}
		for _, c := range found.Conns {
			if !strings.HasPrefix(c.Conn, "c:") || c.UID != "ann" || !strings.HasPrefix(c.Remote, "127.0.0.1:") ||
				time.Since(c.Since) > time.Minute || fmt.Sprint(c.Groups, c.Channels) != "[<b>g] [chat:1]" {
				t.Errorf("%s: %+v", to, c)
			}
		}
	}
	if status, _ := one.get("/dashboard/find?to=%00"); status != 400 {
		t.Errorf("nonsense: %d", status)
	}
}

// TestDashboardFollow tells what is published for a target, until the page goes; and lets the server end.
func TestDashboardFollow(t *testing.T) {
	r := start(t, devMode(), server.Options{})
	r.page("ann")
	b := r.backend()
	r.known(b, "ann")
	one := &operator{running: r}
	one.meet()
	for range 20 { // more than may watch at a time: each ends
		var answer *http.Response
		linemantest.Until(t, "those that have gone are still followed", func() bool {
			answer = one.send("GET", "/dashboard/follow?to=u:ann", "", nil)
			return answer.StatusCode == 200
		})
		lines := bufio.NewScanner(answer.Body)
		next := func(want string) {
			t.Helper()
			for lines.Scan() {
				if strings.Contains(lines.Text(), want) {
					return
				}
			}
			t.Fatalf("no %s comes: %d", want, answer.StatusCode)
		}
		next("event: begun")
		ask(b, `{"cmd":"pub","to":"u:ann","text":"hello <b>"}`)
		next(`"text":"hello <b>"`)
		next(`"uid":"ann"`)
		answer.Body.Close()
	}
	one.send("GET", "/dashboard/follow?to=u:ann", "", nil) // is open when the server ends
}
