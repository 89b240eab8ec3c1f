package lineman_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
)

// streaming is a worker whose answers stay open; their connections come out of the channel.
func streaming(answer func() *http1.Response) (*lineman.Worker, chan *lineman.Conn) {
	conns := make(chan *lineman.Conn, 4)
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Logger: quiet}
	w.OnRequest = func(c *lineman.Conn, r *http1.Request) {
		if string(r.Path()) == "/plain" {
			_ = c.Send([]byte("plain"))
			return
		}
		if err := c.Respond(answer()); err != nil {
			_ = c.Respond(&http1.Response{Status: 500, Body: []byte(err.Error())})
			return
		}
		conns <- c
	}
	return w, conns
}

// TestStream has an answer go on until EndStream, and the connection after it.
func TestStream(t *testing.T) {
	linemantest.NoLeaks(t)
	w, conns := streaming(func() *http1.Response { return &http1.Response{Stream: true, Body: []byte("first ")} })
	s := linemantest.Start(t, w)
	client := s.Dial(w)
	client.Write("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /plain HTTP/1.1\r\nHost: x\r\n\r\n")
	c := next(t, conns, "the stream")
	for _, piece := range []string{"second ", "", "third"} {
		if err := c.Send([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Respond(&http1.Response{}); err != lineman.ErrAnswered {
		t.Errorf("an answer inside the stream: %v", err)
	}
	if err := c.EndStream(); err != nil {
		t.Error(err)
	}
	r, body := client.Response("")
	if body != "first second third" || r.TransferEncoding[0] != "chunked" {
		t.Errorf("%q, %v", body, r.TransferEncoding)
	}
	if _, body := client.Response(""); body != "plain" {
		t.Errorf("the next answer is %q", body)
	}
	if err := c.EndStream(); err != lineman.ErrAnswered {
		t.Errorf("no stream: %v", err)
	}

	client.Write("HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET /plain HTTP/1.1\r\nHost: x\r\n\r\n")
	next(t, conns, "HEAD")
	client.Response("HEAD")
	if _, body := client.Response(""); body != "plain" {
		t.Errorf("after HEAD: %q", body)
	}

	old := s.Dial(w)
	old.Write("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
	c = next(t, conns, "HTTP/1.0")
	_ = c.Send([]byte("last"))
	_ = c.EndStream()
	if _, body := old.Response(""); body != "first last" {
		t.Errorf("to HTTP/1.0: %q", body)
	}
	if rest := old.Rest(); rest != "" {
		t.Errorf("after it: %q", rest)
	}
}

// TestStreamEnds has a client that goes away noticed, a long stream not cut by any limit, and a stream ended when the
// loop stops.
func TestStreamEnds(t *testing.T) {
	linemantest.NoLeaks(t)
	w, conns := streaming(http1.EventStream)
	ends := make(chan error, 2)
	w.OnClose = func(_ *lineman.Conn, err error) { ends <- err }
	s, clock := startByClock(t, w)
	gone := s.Dial(w)
	gone.Write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	next(t, conns, "the stream")
	if _, err := http.ReadResponse(gone.Reader, nil); err != nil {
		t.Fatal(err)
	}
	gone.Close()
	if err := next(t, ends, "OnClose"); err != io.EOF {
		t.Errorf("a client that goes: %v", err)
	}
	stays := s.Dial(w)
	stays.Write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	c := next(t, conns, "the stream")
	clock.jump(s, w, time.Hour)
	if err := c.Send([]byte(": still there\n\n")); err != nil {
		t.Errorf("after an hour: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if _, body := stays.Response(""); body != ": still there\n\n" {
		t.Errorf("the stream is %q", body) // Response fails if it was cut
	}
}

// TestEvents has server-sent events reach many clients by one broadcast.
func TestEvents(t *testing.T) {
	w, conns := streaming(http1.EventStream)
	s := linemantest.Start(t, w)
	var clients []*linemantest.Client
	for range 3 {
		c := s.Dial(w)
		c.Write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		next(t, conns, "a stream")
		clients = append(clients, c)
	}
	event, err := (&http1.Event{
		ID: "7", Name: "progress", Retry: 2 * time.Second, Data: []byte("88%\nof it"),
	}).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Do(w, func(l *lineman.Loop) {
		if n := l.Broadcast(l.Conns(w), event); n != 3 {
			t.Errorf("%d took it", n)
		}
	})
	for _, c := range clients {
		r, err := http.ReadResponse(c.Reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := "id: 7\nevent: progress\nretry: 2000\ndata: 88%\ndata: of it\n\n"
		got := make([]byte, len(want))
		if _, err := io.ReadFull(r.Body, got); err != nil || string(got) != want {
			t.Errorf("%q, %v", got, err)
		}
		if r.Header.Get("Content-Type") != "text/event-stream" || r.Header.Get("X-Accel-Buffering") != "no" {
			t.Errorf("fields %v", r.Header)
		}
	}
}

// TestServe lends requests of the loop to net/http, and goes on after them.
func TestServe(t *testing.T) {
	linemantest.NoLeaks(t)
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "a.txt"), []byte(strings.Repeat("0123456789", 10_000)),
		0o600); err != nil {
		t.Fatal(err)
	}
	files := http.FileServer(http.Dir(folder))
	body := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %v", r.URL, b, err)
	})
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Logger: quiet}
	w.OnRequest = func(c *lineman.Conn, r *http1.Request) {
		switch r.Method() {
		case "POST":
			if err := c.Serve(body); err != nil {
				t.Error(err)
			}
			if err := c.Send(nil); err != lineman.ErrAnswered {
				t.Errorf("a second answer: %v", err)
			}
			if err := c.Serve(body); err != lineman.ErrAnswered {
				t.Errorf("a second handler: %v", err)
			}
		default:
			if string(r.Path()) == "/here" {
				_ = c.Send([]byte("here"))
				return
			}
			if err := c.Serve(files); err != nil {
				t.Error(err)
			}
		}
	}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write("GET /a.txt HTTP/1.1\r\nHost: x\r\nRange: bytes=10-14\r\n\r\n" +
		"POST /p?q HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" +
		"GET /here HTTP/1.1\r\nHost: x\r\n\r\n" +
		"GET /../a.txt HTTP/1.1\r\nHost: x\r\n\r\n" +
		"GET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	for i, want := range []string{"01234", "/p?q hello <nil>", "here", "", strings.Repeat("0123456789", 10_000)} {
		if _, got := c.Response(""); got != want && i != 3 {
			t.Errorf("answer %d is %.60q, want %.60q", i, got, want)
		}
	}
	if rest := c.Rest(); rest != "" {
		t.Errorf("after the last: %q", rest)
	}
}

// TestServeSlow has a loop go on, and a connection idle for its limit only after the handler.
func TestServeSlow(t *testing.T) {
	linemantest.NoLeaks(t)
	release := make(chan bool)
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Logger: quiet}
	ends := make(chan error, 1)
	w.OnClose = func(_ *lineman.Conn, err error) { ends <- err }
	w.OnRequest = func(c *lineman.Conn, _ *http1.Request) {
		_ = c.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-release
			_, _ = io.WriteString(w, "done")
		}))
	}
	s, clock := startByClock(t, w)
	c := s.Dial(w)
	c.Write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	linemantest.Until(t, "the request does not arrive", func() (there bool) {
		s.Do(w, func(l *lineman.Loop) { there = l.Stats().MessagesIn > 0 })
		return there
	})
	clock.jump(s, w, time.Hour)
	close(release)
	if _, body := c.Response(""); body != "done" {
		t.Errorf("%q", body)
	}
	c.Write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, body := c.Response(""); body != "done" {
		t.Errorf("%q", body)
	}
	linemantest.Until(t, "the connection stays", func() bool {
		clock.jump(s, w, time.Minute)
		return len(ends) > 0
	})
	if err := <-ends; !errors.Is(err, lineman.ErrIdle) {
		t.Errorf("OnClose: %v", err)
	}
}
