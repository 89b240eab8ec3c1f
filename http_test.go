package lineman_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
)

// TestHTTPOnMessage has the body of a request be the message, and Send the answer, once.
func TestHTTPOnMessage(t *testing.T) {
	w := &lineman.Worker{Addr: "http://127.0.0.1:0"}
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		if c.Request() == nil {
			t.Error("no Request in OnMessage")
		}
		echo(c, msg)
		if err := c.Send(msg); !errors.Is(err, lineman.ErrAnswered) {
			t.Errorf("the second Send: %v", err)
		}
	}
	s := linemantest.Start(t, w)
	url := "http://" + s.Addr(w).String()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, body := range []string{"", "hello", strings.Repeat("x", 1<<20)} {
		for name, reader := range map[string]io.Reader{
			"length": strings.NewReader(body), "chunked": io.MultiReader(strings.NewReader(body)),
		} {
			r, err := client.Post(url, "text/plain", reader)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r.Body)
			r.Body.Close()
			kind := "text/plain; charset=utf-8"
			if body == "" {
				kind = ""
			}
			if err != nil || string(got) != body || r.StatusCode != 200 || r.Header.Get("Content-Type") != kind ||
				r.Header.Get("Date") == "" {
				t.Errorf("%s: %v, %d bytes of %d, %v", name, r.Status, len(got), len(body), r.Header)
			}
		}
	}
}

// TestHTTPPipelining answers pipelined requests in order, whether the answers come at once or later, from elsewhere.
func TestHTTPPipelining(t *testing.T) {
	const requests = 50
	w := &lineman.Worker{Addr: "http://127.0.0.1:0"}
	w.OnRequest = func(c *lineman.Conn, r *http1.Request) {
		n := 0
		if _, err := fmt.Sscanf(string(r.Path()), "/%d", &n); err != nil {
			t.Error(err)
		}
		answer := fmt.Append(nil, n)
		if n%3 == 0 {
			_ = c.Send(answer)
			return
		}
		go func() { _ = c.Send(answer) }()
	}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	var all strings.Builder
	for i := range requests {
		fmt.Fprintf(&all, "GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", i)
	}
	c.Write(all.String())
	for i := range requests {
		if r, body := c.Response(""); r.StatusCode != 200 || body != fmt.Sprint(i) {
			t.Fatalf("answer %d is %s %q", i, r.Status, body)
		}
	}
}

// TestHTTPPipelinedUnread has pipelined requests wait while their peer does not read the answers: none is refused one.
func TestHTTPPipelinedUnread(t *testing.T) {
	const requests, size = 100, 1 << 20
	w := &lineman.Worker{Addr: "http://127.0.0.1:0"}
	answer, answered := make([]byte, size), 0
	w.OnRequest = func(c *lineman.Conn, _ *http1.Request) {
		if err := c.Send(answer); err != nil {
			t.Errorf("answer %d: %v", answered, err)
		}
		answered++
	}
	l, err := lineman.Open(w)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Shut()
	client, err := net.Dial("tcp", l.Listener(w).Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	asked := strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\n\r\n", requests)
	if _, err := io.WriteString(client, asked); err != nil {
		t.Fatal(err)
	}
	step := func() {
		if err := l.Step(); err != nil {
			t.Fatal(err)
		}
	}
	for l.Stats().BytesIn < uint64(len(asked)) {
		step()
	}
	if answered > requests/2 {
		t.Errorf("%d requests were looked at, and no answer read", answered)
	}
	read := make(chan error, 1)
	go func() {
		_, err := io.CopyN(io.Discard, client, requests*size)
		read <- err
	}()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); step() {
		select {
		case err := <-read:
			if err != nil || answered != requests {
				t.Errorf("%d of %d answers, %v", answered, requests, err)
			}
			return
		default:
		}
	}
	t.Error("the answers did not come in time")
}

// TestHTTPKeepAlive has connections live on or end as the request and its version want.
func TestHTTPKeepAlive(t *testing.T) {
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}}
	s := linemantest.Start(t, w)
	for head, closes := range map[string]bool{
		"GET / HTTP/1.1\r\nHost: x\r\n":                                                     false,
		"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n":                                true,
		"GET / HTTP/1.1\r\nHost: x\r\nConnection: TE, Close\r\n":                            true,
		"GET / HTTP/1.0\r\n":                                                                true,
		"GET / HTTP/1.0\r\nConnection: keep-alive\r\n":                                      false,
		"HEAD / HTTP/1.1\r\nHost: x\r\n":                                                    false,
		"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n":                               true,
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n": true,
	} {
		c := s.Dial(w)
		c.Write(head + "\r\n")
		if strings.Contains(head, "chunked") {
			c.Write("0\r\n\r\n")
		}
		method, _, _ := strings.Cut(head, " ")
		r, body := c.Response(method)
		if r.StatusCode != 200 || body != "" || r.ContentLength != 0 {
			t.Errorf("%q: %s, %q, length %d", head, r.Status, body, r.ContentLength)
		}
		if r.Close != closes {
			t.Errorf("%q: the answer says close: %v, want %v", head, r.Close, closes)
		}
		if closes {
			if got := c.Rest(); got != "" {
				t.Errorf("%q: got %q after the answer", head, got)
			}
			continue
		}
		c.Write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		c.Response("")
	}
}

// TestHTTPErrors has each bad request answered with its status, and the connection end.
func TestHTTPErrors(t *testing.T) {
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Limits: lineman.Limits{MaxMessage: 1000}, Logger: quiet}
	w.OnMessage = func(_ *lineman.Conn, _ []byte) { t.Error("a bad request was delivered") }
	s := linemantest.Start(t, w)
	for request, want := range map[string]int{
		"nonsense\r\n\r\n":                                                                      400,
		"GET / HTTP/1.1\r\n\r\n":                                                                400,
		"GET / HTTP/2.0\r\nHost: x\r\n\r\n":                                                     505,
		"GET /" + strings.Repeat("x", 70000):                                                    414,
		"GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 70000):                                    431,
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n":                            413,
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n":               413,
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n":                501,
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n": 400,
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n":          400,
		"POST / HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nContent-Length: 3\r\n\r\n":           417,
	} {
		c := s.Dial(w)
		c.Write(request)
		r, body := c.Response("")
		if r.StatusCode != want || !r.Close || body == "" {
			t.Errorf("%.60q: %s, close %v, %q, want %d", request, r.Status, r.Close, body, want)
		}
		if got := c.Rest(); got != "" {
			t.Errorf("%.60q: got %q after the answer", request, got)
		}
	}
}

// TestHTTPExpect has 100 Continue sent when the body is waited for, and not when it is there or refused.
func TestHTTPExpect(t *testing.T) {
	w := &lineman.Worker{
		Addr: "http://127.0.0.1:0", Limits: lineman.Limits{MaxMessage: 1000}, Events: lineman.Events{OnMessage: echo},
	}
	s := linemantest.Start(t, w)
	head := "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: "
	c := s.Dial(w)
	c.Write(head + "5\r\n\r\n")
	if r, _ := c.Response(""); r.StatusCode != 100 {
		t.Errorf("got %s, want 100", r.Status)
	}
	c.Write("hello")
	if _, body := c.Response(""); body != "hello" {
		t.Errorf("got %q", body)
	}
	c.Write(head + "5\r\n\r\nthere")
	if r, body := c.Response(""); r.StatusCode != 200 || body != "there" {
		t.Errorf("with the body: %s %q", r.Status, body)
	}
	c.Write(head + "5000\r\n\r\n")
	if r, _ := c.Response(""); r.StatusCode != 413 {
		t.Errorf("too large: %s", r.Status)
	}
}

// TestHTTPRespond has a whole answer: status, fields, body; and no body where there must be none.
func TestHTTPRespond(t *testing.T) {
	w := &lineman.Worker{Addr: "http://127.0.0.1:0"}
	w.OnRequest = func(c *lineman.Conn, r *http1.Request) {
		answer := &http1.Response{
			Status: 201, Header: []http1.Field{{Name: "X-One", Value: "1"}}, Type: "application/json",
			Body: []byte("{}"),
		}
		switch string(r.Path()) {
		case "/204":
			answer.Status, answer.Body = 204, nil
		case "/bad":
			answer.Header[0].Value = "1\r\nX-Injected: 1"
			if err := c.Respond(answer); err == nil {
				t.Error("a field with a line break was accepted")
			}
			answer.Header = answer.Header[1:]
		}
		if err := c.Respond(answer); err != nil {
			t.Error(err)
		}
		if err := c.Respond(answer); !errors.Is(err, lineman.ErrAnswered) {
			t.Errorf("the second answer: %v", err)
		}
	}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	for _, tt := range []struct {
		method, path string
		status       int
		length       int64
		kind, body   string
	}{{"GET", "/", 201, 2, "application/json", "{}"}, {"HEAD", "/", 201, 2, "application/json", ""},
		{"GET", "/204", 204, 0, "", ""}, {"GET", "/bad", 201, 2, "application/json", "{}"}} {
		c.Write(tt.method + " " + tt.path + " HTTP/1.1\r\nHost: x\r\n\r\n")
		r, body := c.Response(tt.method)
		if r.StatusCode != tt.status || r.ContentLength != tt.length || body != tt.body ||
			r.Header.Get("Content-Type") != tt.kind || r.Header.Get("X-Injected") != "" {
			t.Errorf("%s %s: %s, length %d, %q, %v", tt.method, tt.path, r.Status, r.ContentLength, body, r.Header)
		}
	}
}

// TestHTTPNobodyAnswers has a worker without a callback say 404.
func TestHTTPNobodyAnswers(t *testing.T) {
	w := &lineman.Worker{Addr: "http://127.0.0.1:0"}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if r, _ := c.Response(""); r.StatusCode != 404 {
		t.Errorf("got %s", r.Status)
	}
}

// TestHTTPStop has a request that waits for its answer get it though the loop stops.
func TestHTTPStop(t *testing.T) {
	conns := make(chan *lineman.Conn, 1)
	w := &lineman.Worker{Addr: "http://127.0.0.1:0"}
	w.OnRequest = func(c *lineman.Conn, _ *http1.Request) { conns <- c }
	s := linemantest.Start(t, w)
	client := s.Dial(w)
	client.Write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	c := next(t, conns, "the request")
	stopping := c.Loop().Context().Done()
	stopped := make(chan error)
	go func() { stopped <- s.Stop() }()
	next(t, stopping, "the stop")
	s.Do(w, func(*lineman.Loop) {}) // it has told everybody
	if err := c.Send([]byte("still")); err != nil {
		t.Error(err)
	}
	if r, body := client.Response(""); body != "still" || !r.Close {
		t.Errorf("got %q, close %v", body, r.Close)
	}
	client.Close()
	if err := next(t, stopped, "the end"); err != nil {
		t.Error(err)
	}
}

// TestHTTPPortOfText has a browser's request to a text port that refuses HTTP end at once.
func TestHTTPPortOfText(t *testing.T) {
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Protocol: textWithoutHTTP, Logger: quiet}
	w.OnMessage = func(_ *lineman.Conn, msg []byte) { t.Errorf("delivered %q", msg) }
	s := linemantest.Start(t, w)
	c, err := net.Dial("tcp", s.Addr(w).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	client := linemantest.NewClient(t, c, w)
	client.Write("POST / HTTP/1.1\r\n")
	if got := client.Rest(); got != "" {
		t.Errorf("got %q", got)
	}
}
