package lineman_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// TestWebSocketUpgrade has OnUpgrade see the request and refuse it, and OnConnect see it too.
func TestWebSocketUpgrade(t *testing.T) {
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0"}
	w.OnUpgrade = func(c *lineman.Conn, r *http1.Request) error {
		if c.Request() != r {
			t.Error("Request is not the one of the handshake in OnUpgrade")
		}
		std, err := r.Std()
		if err != nil {
			return err
		}
		switch std.FormValue("token") {
		case "secret":
			return nil
		case "teapot":
			return &lineman.RefuseError{
				Status: 418, Reason: "short and stout", Header: []http1.Field{{Name: "Retry-After", Value: "5"}},
			}
		case "mistake":
			return &lineman.RefuseError{Status: 429, Header: []http1.Field{{Name: "Content-Length", Value: "5"}}}
		}
		return errors.New("a secret of the program")
	}
	w.OnConnect = func(c *lineman.Conn) {
		r := c.Request()
		std, err := r.Std()
		if err != nil {
			t.Error(err)
			return
		}
		session, err := std.Cookie("session")
		if err != nil {
			t.Error(err)
			return
		}
		_ = c.Send(
			[]byte(strings.Join([]string{
				string(r.Path()), string(r.Query()), string(r.Header("User-Agent")), session.Value,
			}, " ")))
	}
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		if c.Request() != nil {
			t.Error("the request is still there in OnMessage")
		}
		echo(c, msg)
	}
	w.OnClose = func(*lineman.Conn, error) {}
	s := linemantest.Start(t, w)
	c := s.Connect(w)
	c.Upgrade("/room/5?token=secret&x=1", http.Header{"User-Agent": {"test"}, "Cookie": {"a=b; session=abc"}})
	if got := c.Receive(); got != "/room/5 token=secret&x=1 test abc" {
		t.Errorf("OnConnect saw %q", got)
	}
	c.Send("x")
	c.Receive()
	for token, want := range map[string]struct {
		status int
		body   string
		retry  string
	}{"teapot": {418, "short and stout\n", "5"}, "mistake": {429, "", ""}, "": {403, "forbidden\n", ""}} {
		r, body := s.Connect(w).Handshake("/?token="+token, nil)
		if r.StatusCode != want.status || body != want.body || r.Header.Get("Retry-After") != want.retry {
			t.Errorf("token %q: %s, %q", token, r.Status, body)
		}
	}
}

// TestWebSocketHandshake has what is wrong with a handshake answered.
func TestWebSocketHandshake(t *testing.T) {
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Logger: quiet}
	w.Protocol = &websocket.Protocol{Origins: []string{"https://good.example"}, Subprotocols: []string{"v2", "v1"}}
	refused := make(chan int, 1)
	w.OnRefuse = func(_ *lineman.Conn, r *http1.Request, why *websocket.HandshakeError) {
		if string(r.Path()) != "/" {
			t.Errorf("OnRefuse gets the path %s", r.Path())
		}
		refused <- why.Status
	}
	s := linemantest.Start(t, w)
	for name, tt := range map[string]struct {
		header http.Header
		status int
		body   string
	}{
		"version 8":     {http.Header{"Sec-Websocket-Version": {"8"}}, 426, ""},
		"no key":        {http.Header{"Sec-Websocket-Key": nil}, 400, ""},
		"bad key":       {http.Header{"Sec-Websocket-Key": {"eA=="}}, 400, ""},
		"no upgrade":    {http.Header{"Upgrade": nil}, 426, ""},
		"other origin":  {http.Header{"Origin": {"https://evil.example"}}, 403, "https://evil.example"},
		"no origin":     {nil, 101, ""},
		"same origin":   {http.Header{"Origin": {"http://127.0.0.1:1"}}, 101, ""},
		"listed origin": {http.Header{"Origin": {"https://good.example"}}, 101, ""},
		"null origin":   {http.Header{"Origin": {"null"}}, 403, "null"},
	} {
		t.Run(name, func(t *testing.T) {
			r, body := s.Connect(w).Handshake("/", tt.header)
			if tt.status != 101 && next(t, refused, "OnRefuse") != tt.status {
				t.Error("OnRefuse was told another status")
			}
			if r.StatusCode != tt.status || !strings.Contains(body, tt.body) {
				t.Errorf("%s: %q, want %d", r.Status, body, tt.status)
			}
			if tt.status == 426 && r.Header.Get("Sec-WebSocket-Version") != "13" {
				t.Error("the answer does not name version 13")
			}
		})
	}
	for offered, want := range map[string]string{"v1, v2": "v2", "v1": "v1", "v3": ""} {
		r, _ := s.Connect(w).Handshake("/", http.Header{"Sec-Websocket-Protocol": {offered}})
		if got := r.Header.Get("Sec-WebSocket-Protocol"); got != want || r.StatusCode != 101 {
			t.Errorf("offered %q: got %q, want %q", offered, got, want)
		}
	}
}

// TestWebSocketMessages has texts and binaries, fragments, and control frames between them.
func TestWebSocketMessages(t *testing.T) {
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0"}
	w.OnMessage = echo
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
		msg := strings.Repeat("é", size/2) + strings.Repeat("x", size%2)
		c.Send(msg)
		if got := c.Receive(); got != msg || c.Binary() {
			t.Errorf("a text of %d bytes came back as %d, binary %v", len(msg), len(got), c.Binary())
		}
		c.SendBinary("\xff" + msg)
		if got := c.Receive(); got != "\xff"+msg || !c.Binary() {
			t.Errorf("a binary of %d bytes came back as %d, binary %v", len(msg)+1, len(got), c.Binary())
		}
	}
	c.Frame(false, websocket.Text, "one ")
	c.Frame(true, websocket.Ping, "ping")
	c.Frame(false, websocket.Continuation, "two ")
	c.Frame(true, websocket.Pong, "unasked")
	c.Frame(true, websocket.Continuation, "three")
	if op, payload := c.NextFrame(); op != websocket.Pong || payload != "ping" {
		t.Errorf("got %v %q, want the pong", op, payload)
	}
	if got := c.Receive(); got != "one two three" {
		t.Errorf("got %q", got)
	}
}

// TestWebSocketGoodbye has the closing handshake of both sides: the peer's is echoed, ours is awaited and what the peer
// still sends is dropped; then this side ends the stream.
func TestWebSocketGoodbye(t *testing.T) {
	reasons := make(chan error, 1)
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0"}
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		if string(msg) != "close" {
			t.Errorf("got %q after Close", msg)
		}
		_ = c.Send([]byte("last"))
		if err := c.CloseWith(4000, strings.Repeat("é", 100)); err != nil {
			t.Error(err)
		}
		if err := c.Send([]byte("too late")); err == nil {
			t.Error("Send after Close was accepted")
		}
	}
	w.OnClose = func(_ *lineman.Conn, err error) { reasons <- err }
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Send("close")
	c.Send("dropped")
	if got := c.Receive(); got != "last" {
		t.Errorf("got %q", got)
	}
	op, payload := c.NextFrame()
	if op != websocket.Close || payload != "\x0f\xa0"+strings.Repeat("é", 61) {
		t.Errorf("got %v %q", op, payload)
	}
	c.Send("dropped too")
	c.Goodbye(4000, "")
	if got := c.Rest(); got != "" {
		t.Errorf("got %q after the goodbye", got)
	}
	if err := next(t, reasons, "OnClose"); err != nil {
		t.Errorf("OnClose: %v", err)
	}

	c = s.Dial(w)
	c.Goodbye(websocket.GoingAway, "moving on")
	if op, payload := c.NextFrame(); op != websocket.Close || payload != "\x03\xe9" {
		t.Errorf("the echo is %v %q", op, payload)
	}
	if got := c.Rest(); got != "" {
		t.Errorf("got %q after the echo", got)
	}
	var goodbye *websocket.CloseError
	if err := next(t, reasons, "OnClose"); !errors.As(err, &goodbye) || goodbye.Code != websocket.GoingAway ||
		goodbye.Reason != "moving on" {
		t.Errorf("OnClose: %v", err)
	}
}

// TestWebSocketEarlyUTF8 sends an invalid byte in the middle of a long text: the connection ends before the rest comes.
func TestWebSocketEarlyUTF8(t *testing.T) {
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0"}
	w.OnMessage = func(*lineman.Conn, []byte) { t.Error("the message was delivered") }
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write("\x81\xfe\x40\x00\x00\x00\x00\x00" + "all is well \xff") // 16 KiB are announced
	var goodbye *websocket.CloseError
	if err := c.Ended(); !errors.As(err, &goodbye) || goodbye.Code != websocket.InvalidPayload {
		t.Errorf("got %v, want 1007", err)
	}
}

// TestWebSocketHugeLength announces 2^63-1 bytes: refused at once with 1009.
func TestWebSocketHugeLength(t *testing.T) {
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0"}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00")
	var goodbye *websocket.CloseError
	err := c.Ended()
	if !errors.As(err, &goodbye) || goodbye.Code != websocket.TooBig || goodbye.Reason != "message too large" {
		t.Errorf("got %v, want 1009, and why, without names of packages", err)
	}
}

// TestWebSocketFirstFrameWithHandshake has a frame that arrives in the segment of the handshake.
func TestWebSocketFirstFrameWithHandshake(t *testing.T) {
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}}
	s := linemantest.Start(t, w)
	c := s.Connect(w)
	c.Write("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x82\x00\x00\x00\x00hi")
	r, _ := c.Response("")
	if got := r.Header.Get("Sec-WebSocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" { // RFC 6455, 1.3
		t.Errorf("Sec-WebSocket-Accept is %q", got)
	}
	if got := c.Receive(); got != "hi" {
		t.Errorf("got %q", got)
	}
}

// TestOnePort serves HTTP and WebSocket on one port, both ways round.
func TestOnePort(t *testing.T) {
	page := func(c *lineman.Conn, r *http1.Request) { _ = c.Send([]byte("the page")) }
	ws := &lineman.Worker{
		Addr: "websocket://127.0.0.1:0", Name: "ws", Events: lineman.Events{OnMessage: echo, OnRequest: page},
	}
	upgraded := &lineman.Worker{
		Addr: "websocket://127.0.0.1:0", Name: "upgraded", Events: lineman.Events{OnMessage: echo},
	}
	web := &lineman.Worker{Addr: "http://127.0.0.1:0", Name: "web"}
	web.OnRequest = func(c *lineman.Conn, r *http1.Request) {
		if websocket.IsUpgrade(r) {
			if err := c.SetWorker(upgraded); err != nil {
				t.Error(err)
			}
			return
		}
		page(c, r)
	}
	web.OnStart = func(l *lineman.Loop) error {
		_, err := l.Listen(upgraded)
		return err
	}
	s := linemantest.Start(t, ws, web)
	for _, w := range []*lineman.Worker{ws, web} {
		c := s.Connect(w)
		for range 2 {
			c.Write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if r, body := c.Response(""); r.StatusCode != 200 || body != "the page" {
				t.Errorf("%s: %s %q", w.Name, r.Status, body)
			}
		}
		u := linemantest.NewClient(t, c.Conn, upgraded)
		u.Upgrade("/", nil)
		u.Send("hello")
		if got := u.Receive(); got != "hello" {
			t.Errorf("%s: got %q", w.Name, got)
		}
		u.Close()
	}
	plain := &lineman.Worker{Addr: "websocket://127.0.0.1:0"}
	s = linemantest.Start(t, plain)
	c := s.Connect(plain)
	c.Write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if r, _ := c.Response(""); r.StatusCode != 426 || r.Header.Get("Upgrade") != "websocket" {
		t.Errorf("a request on a plain WebSocket port: %s, Upgrade: %q", r.Status, r.Header.Get("Upgrade"))
	}
}

// TestWebSocketSubprotocol has the agreed one told, and none.
func TestWebSocketSubprotocol(t *testing.T) {
	w := &lineman.Worker{
		Addr: "websocket://127.0.0.1:0", Protocol: &websocket.Protocol{Subprotocols: []string{"b", "a"}},
	}
	w.OnConnect = func(c *lineman.Conn) { _ = c.Send([]byte("<" + c.Subprotocol() + ">")) }
	s := linemantest.Start(t, w)
	for offered, want := range map[string]string{"": "<>", "a": "<a>", "c, a": "<a>"} {
		c := s.Connect(w)
		header := http.Header{}
		if offered != "" {
			header["Sec-Websocket-Protocol"] = []string{offered}
		}
		c.Upgrade("/", header)
		if got := c.Receive(); got != want {
			t.Errorf("offered %q: got %q, want %q", offered, got, want)
		}
	}
}

// TestWebSocketNotText has Send refuse what is no text, with the connection unharmed.
func TestWebSocketNotText(t *testing.T) {
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0"}
	w.OnMessage = func(c *lineman.Conn, _ []byte) {
		if err := c.Send([]byte{0xff}); !errors.Is(err, websocket.ErrNotUTF8) {
			t.Errorf("Send: %v", err)
		}
		if n := c.Loop().Broadcast(c.Loop().Conns(w), []byte{0xff}); n != 0 {
			t.Errorf("Broadcast reached %d", n)
		}
		_ = c.SendBinary([]byte{0xff})
	}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Send("x")
	if got := c.Receive(); got != "\xff" || !c.Binary() {
		t.Errorf("got %q", got)
	}
}

// TestWebSocketBroken has a peer that broke the protocol told so, and its stream ended at once: nothing more is looked
// at, no message and no goodbye.
func TestWebSocketBroken(t *testing.T) {
	linemantest.NoLeaks(t)
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Logger: quiet, Limits: lineman.Limits{Close: 3600 * second}}
	ends := make(chan error, 1)
	w.OnMessage = func(_ *lineman.Conn, msg []byte) { t.Errorf("OnMessage(%q)", msg) }
	w.OnClose = func(_ *lineman.Conn, err error) { ends <- err }
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write("\x81\x02hi") // not masked
	if op, payload := c.NextFrame(); op != websocket.Close || !strings.HasPrefix(payload, "\x03\xea") {
		t.Errorf("the peer got %v %q, want a Close frame with 1002", op, payload)
	}
	if rest := c.Rest(); rest != "" {
		t.Errorf("then it got %q", rest)
	}
	c.Send("hello")
	c.Close()
	if err := next(t, ends, "OnClose"); !strings.Contains(err.Error(), "mask") {
		t.Errorf("OnClose: %v", err)
	}
}
