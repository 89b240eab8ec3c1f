package lineman_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// offer is a handshake for a path that offers subprotocols.
func offer(path, subprotocols string) string {
	h := strings.Replace(handshake, "GET / ", "GET "+path+" ", 1)
	if subprotocols == "" {
		return h
	}
	return strings.Replace(h, "\r\n\r\n", "\r\nSec-WebSocket-Protocol: "+subprotocols+"\r\n\r\n", 1)
}

type userKey struct{}

// signIn is middleware that knows the user, and has something to say with each answer.
func signIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Set-Cookie", "session=1; HttpOnly")
		h.Add("Set-Cookie", "theme=dark")
		h.Set("X-Request-Id", "7")
		h.Set("Content-Type", "text/html")
		h.Set("Content-Length", "5")
		h.Set("Transfer-Encoding", "chunked")
		h.Set("Sec-WebSocket-Accept", "forged")
		h.Set("Connection", "keep-alive, X-Hop")
		h.Set("X-Hop", "for one hop")
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, "uid1")))
	})
}

// ownHeader is a ResponseWriter of middleware that keeps what is set to itself.
type ownHeader struct {
	http.ResponseWriter
	header http.Header
}

func (o *ownHeader) Header() http.Header { return o.header }

func live(connected chan<- string) *lineman.Worker {
	w := &lineman.Worker{Name: "live", Protocol: &websocket.Protocol{Subprotocols: []string{"v1"}}, Logger: quiet}
	w.OnConnect = func(c *lineman.Conn) { connected <- fmt.Sprint(c.Value(), " ", c.Subprotocol()) }
	w.OnMessage = echo
	return w
}

// TestUpgradeBehindMiddleware has the answer carry what middleware has set, and the connection the value that it has
// found.
func TestUpgradeBehindMiddleware(t *testing.T) {
	linemantest.NoLeaks(t)
	connected := make(chan string, 1)
	ws := live(connected)
	ws.OnUpgrade = func(c *lineman.Conn, _ *http1.Request) error {
		if c.Value() != "uid1" {
			t.Errorf("in OnUpgrade the value is %v", c.Value())
		}
		return c.Accept(lineman.Acceptance{Header: []http1.Field{{Name: "X-Node", Value: "a"}}})
	}
	upgrade := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/own" {
			w = &ownHeader{w, http.Header{"X-Own": {"yes"}}}
		}
		w.Header().Set("Sec-WebSocket-Protocol", "v2")
		if err := lineman.Upgrade(w, r, ws, r.Context().Value(userKey{})); err != nil {
			t.Error(err)
		}
	})
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Handler: signIn(upgrade), Logger: quiet}
	s := linemantest.Start(t, w)
	for _, path := range []string{"/", "/own"} {
		c := s.Dial(w)
		c.Write(offer(path, "v1, v2") + "\x81\x82\x00\x00\x00\x00hi")
		r, _ := c.Response("")
		if r.StatusCode != 101 || r.Header.Get("Sec-WebSocket-Protocol") != "v2" ||
			r.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
			t.Errorf("%s: %s, %v", path, r.Status, r.Header)
		}
		if got := r.Header["Set-Cookie"]; !slices.Equal(got, []string{"session=1; HttpOnly", "theme=dark"}) {
			t.Errorf("%s: cookies %q", path, got)
		}
		if r.Header.Get("X-Request-Id") != "7" || r.Header.Get("X-Node") != "a" ||
			(r.Header.Get("X-Own") == "yes") != (path == "/own") {
			t.Errorf("%s: %v", path, r.Header)
		}
		for _, name := range []string{"X-Hop", "Content-Type", "Content-Length", "Transfer-Encoding"} {
			if r.Header.Get(name) != "" {
				t.Errorf("%s: the answer has %s", path, name)
			}
		}
		if got := strings.Join(r.Header.Values("Connection"), "; "); got != "Upgrade" {
			t.Errorf("%s: Connection is %q", path, got)
		}
		if got := next(t, connected, "OnConnect"); got != "uid1 v2" {
			t.Errorf("%s: in OnConnect value and subprotocol are %q", path, got)
		}
		if got := c.Read(4); got != "\x81\x02hi" {
			t.Errorf("%s: the echo is %q", path, got)
		}
		c.Close()
	}
}

// TestUpgradeCannotSend has Upgrade say what cannot be sent while the handler can still answer.
func TestUpgradeCannotSend(t *testing.T) {
	linemantest.NoLeaks(t)
	ws := live(make(chan string, 1))
	set := map[string]http.Header{
		"/injection":   {"X-User": {"a\r\nSet-Cookie: admin=1"}},
		"/name":        {"X User": {"a"}},
		"/subprotocol": {"Sec-Websocket-Protocol": {"v3"}},
	}
	problems := make(chan error, 1)
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Logger: quiet}
	w.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range set[r.URL.Path] {
			w.Header()[name] = values
		}
		problems <- lineman.Upgrade(w, r, ws)
		clear(w.Header())
		w.WriteHeader(500)
	})
	s := linemantest.Start(t, w)
	for path, want := range map[string]string{
		"/injection": "control character", "/name": "no token", "/subprotocol": `does not offer the subprotocol "v3"`,
	} {
		c := s.Dial(w)
		c.Write(offer(path, "v1, v2"))
		if r, _ := c.Response(""); r.StatusCode != 500 || r.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %s, %v", path, r.Status, r.Header)
		}
		if err := next(t, problems, "the error"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// TestUpgradeRefused has the refusal carry what middleware has set, and the connection its own value again.
func TestUpgradeRefused(t *testing.T) {
	linemantest.NoLeaks(t)
	ws := live(make(chan string, 1))
	ws.OnUpgrade = func(*lineman.Conn, *http1.Request) error {
		return &lineman.RefuseError{Status: 401, Reason: "no", Header: []http1.Field{{Name: "X-Why", Value: "banned"}}}
	}
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Logger: quiet}
	w.OnConnect = func(c *lineman.Conn) { c.SetValue("page") }
	values := make(chan any, 1)
	w.OnClose = func(c *lineman.Conn, _ error) { values <- c.Value() }
	w.Handler = signIn(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = lineman.Upgrade(w, r, ws, "uid1") // the refusal is the loop's
	}))
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write(offer("/", ""))
	r, body := c.Response("")
	if r.StatusCode != 401 || body != "no\n" || r.Header.Get("X-Request-Id") != "7" ||
		r.Header.Get("X-Why") != "banned" || len(r.Header["Set-Cookie"]) != 2 {
		t.Errorf("%s, %q, %v", r.Status, body, r.Header)
	}
	c.Close()
	if got := next(t, values, "OnClose"); got != "page" {
		t.Errorf("in OnClose the value is %v", got)
	}
}

// TestAccept has OnUpgrade, and OnRequest before SetWorker, add fields and choose the subprotocol for each request.
func TestAccept(t *testing.T) {
	linemantest.NoLeaks(t)
	connected := make(chan string, 1)
	direct := live(connected)
	direct.Name, direct.Addr = "direct", "websocket://127.0.0.1:0"
	direct.OnUpgrade = func(c *lineman.Conn, r *http1.Request) error {
		for _, bad := range []lineman.Acceptance{
			{Subprotocol: "v9"},
			{Header: []http1.Field{{Name: "X-A", Value: "a\r\nX-B: b"}}},
			{Header: []http1.Field{
				{Name: "X-Good", Value: "but not alone"}, {Name: "Sec-WebSocket-Accept", Value: "x"},
			}},
			{Header: []http1.Field{{Name: "connection", Value: "close"}}, Subprotocol: "v2"},
			{Header: []http1.Field{{Name: "Content-Length", Value: "5"}}},
			{Header: []http1.Field{{Name: "Content-Type", Value: "text/plain"}}},
		} {
			if err := c.Accept(bad); err == nil || !strings.HasPrefix(err.Error(), "lineman: accept: ") {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		a := lineman.Acceptance{Header: []http1.Field{
			{Name: "Set-Cookie", Value: "a=1"}, {Name: "Set-Cookie", Value: "b=2"},
		}}
		if offered := websocket.Offered(r); len(offered) > 0 {
			a.Subprotocol = offered[len(offered)-1]
		}
		return c.Accept(a)
	}
	turned := &lineman.Worker{Name: "turned", Protocol: direct.Protocol, Logger: quiet}
	turned.OnConnect = direct.OnConnect
	turned.OnUpgrade = func(c *lineman.Conn, _ *http1.Request) error {
		return c.Accept(lineman.Acceptance{Header: []http1.Field{{Name: "Set-Cookie", Value: "b=2"}}})
	}
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Logger: quiet}
	w.OnRequest = func(c *lineman.Conn, r *http1.Request) {
		if !websocket.IsUpgrade(r) {
			_ = c.Send(nil)
			return
		}
		a := lineman.Acceptance{Header: []http1.Field{{Name: "Set-Cookie", Value: "a=1"}}}
		if offered := websocket.Offered(r); len(offered) > 0 {
			a.Subprotocol = offered[len(offered)-1]
		}
		if err := c.Accept(a); err != nil {
			t.Error(err)
		}
		if err := c.SetWorker(turned); err != nil {
			t.Error(err)
		}
	}
	s := linemantest.Start(t, direct, w)
	for _, at := range []*lineman.Worker{direct, w} {
		for offered, want := range map[string]string{"": "", "v2": "v2", "v1,v2 , v3": "v3"} {
			c := dial(t, s.Addr(at))
			if _, err := c.Write([]byte(offer("/", offered))); err != nil {
				t.Fatal(err)
			}
			r, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.StatusCode != 101 || r.Header.Get("Sec-WebSocket-Protocol") != want ||
				!slices.Equal(r.Header["Set-Cookie"], []string{"a=1", "b=2"}) || r.Header.Get("X-Good") != "" {
				t.Errorf("%s, offered %q: %s, %v", at.Name, offered, r.Status, r.Header)
			}
			if got := next(t, connected, "OnConnect"); got != "<nil> "+want {
				t.Errorf("%s, offered %q: in OnConnect %q", at.Name, offered, got)
			}
			c.Close()
		}
	}
	s.Do(direct, func(l *lineman.Loop) {
		for c := range l.Conns(direct) {
			if err := c.Accept(lineman.Acceptance{}); err == nil {
				t.Error("Accept without a handshake")
			}
		}
	})
}
