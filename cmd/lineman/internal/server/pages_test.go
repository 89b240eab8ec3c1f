package server_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
)

// TestChannels gives a page the groups of its credential, and the channels that it asks for and may have.
func TestChannels(t *testing.T) {
	c := settings()
	c.Namespaces = map[string]config.Namespace{
		"default": {Subscribe: "token"}, "open": {Subscribe: "all"}, "shut": {Subscribe: "none"},
		"chat": {Subscribe: "token"},
	}
	r := start(t, c, server.Options{Credentials: openQuick(secret)})
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

// TestHosts is asked in dev mode by addresses, as localhost and by names that are listed: by another name, a page would
// be of the origin that it talks to. Where credentials are checked, that gains nothing.
func TestHosts(t *testing.T) {
	c := devMode()
	c.API.Hosts = []string{"dev.example"}
	dev, strict := start(t, c, server.Options{}), start(t, settings(), server.Options{Credentials: openQuick(secret)})
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
		c.Write(head + "Origin: http://" + w.host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		if answer, body := c.Response("GET"); answer.StatusCode != w.status ||
			w.status == 403 && !strings.Contains(body, "api.hosts") {
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
	byCookie := start(t, cookie, server.Options{Credentials: openQuick(secret)})
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
	r := start(t, settings(), server.Options{Credentials: openQuick(secret)})
	b := r.backend()
	page := r.page("secret-ann")
	r.known(b, "ann")
	if got := ask(b, `{"cmd":"revoke","uid":"bob"}`); !strings.Contains(got, "the disk is full") ||
		!strings.Contains(got, "unavailable") {
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

// TestGreeting has what is there to be pasted reach the port, with the key that it wants, in the message and on the
// page.
func TestGreeting(t *testing.T) {
	closed := devMode()
	closed.Text.Auth, closed.Origins = true, []string{"https://shop.example"}
	for name, c := range map[string]config.Config{"open": devMode(), "closed": closed} {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			pages := server.New(c, server.Options{Out: &said, Command: "./lineman"}).Worker()
			r := linemantest.Start(t, pages)
			_, port, _ := strings.Cut(regexp.MustCompile(`back ends on 127.0.0.1:\d+`).FindString(said.String()),
				"127.0.0.1:")
			push := "./lineman push --server 127.0.0.1:" + port
			if c.Text.Auth {
				push += " --key-file FILE"
			}
			if want := "  push   " + push + ` uid uid1 '{"percent":"88%"}'` +
				"\n"; !strings.Contains(said.String(), want) {
				t.Errorf("the message is %q, want %q in it", said.String(), want)
			}
			believesFiles := strings.Contains(said.String(), "origin null")
			if !strings.Contains(said.String(), "DEV MODE") || believesFiles != (len(c.Origins) == 0) {
				t.Errorf("of dev mode the message says %q", said.String())
			}
			if byNetcat := strings.Contains(said.String(), "nc -N 127.0.0.1 "+port); byNetcat == c.Text.Auth {
				t.Errorf("the message is %q", said.String())
			}
			answer, err := http.Get("http://" + r.Addr(pages).String() + "/dev/facts")
			if err != nil {
				t.Fatal(err)
			}
			defer http.DefaultClient.CloseIdleConnections()
			defer answer.Body.Close()
			if page, err := io.ReadAll(answer.Body); err != nil || !bytes.Contains(page, []byte(`"push":"`+push+`"`)) {
				t.Errorf("the page does not have %q: %v", push, err)
			}
		})
	}
}

// TestRequests answers health and readiness, and has the page in dev mode only.
func TestRequests(t *testing.T) {
	dev := start(t, devMode(), server.Options{})
	strict := start(t, settings(), server.Options{Credentials: openQuick(secret)})
	client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	for _, c := range []struct {
		r      *running
		method string
		path   string
		status int
	}{
		{dev, "GET", "/health", 200}, {dev, "GET", "/ready", 200}, {dev, "HEAD", "/", 200}, {dev, "GET", "/x", 404},
		{dev, "POST", "/", 405}, {strict, "GET", "/health", 200}, {strict, "GET", "/", 404},
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
