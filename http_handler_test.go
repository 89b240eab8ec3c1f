package lineman_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// handled is a worker with an http.Handler.
func handled(f http.HandlerFunc) *lineman.Worker {
	return &lineman.Worker{Addr: "http://127.0.0.1:0", Handler: f, Logger: quiet}
}

func TestHandler(t *testing.T) {
	linemantest.NoLeaks(t)
	w := handled(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %d %v", r.Method, r.URL, len(body), err)
	})
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	for range 3 {
		c.Write("GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n")
		if r, body := c.Response(""); r.StatusCode != 200 || body != "GET /a?b 0 <nil>" {
			t.Errorf("%s %q", r.Status, body)
		}
	}
	big := strings.Repeat("x", 1<<20)
	c.Write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n" + big + "GET /next HTTP/1.1\r\n" +
		"Host: x\r\n\r\n")
	for _, want := range []string{"POST / 1048576 <nil>", "GET /next 0 <nil>"} {
		if _, body := c.Response(""); body != want {
			t.Errorf("%q, want %q", body, want)
		}
	}
	c.Write("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" +
		"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	for _, want := range []string{"POST / 5 <nil>", "GET /last 0 <nil>"} {
		if _, body := c.Response(""); body != want {
			t.Errorf("%q, want %q", body, want)
		}
	}
	if rest := c.Rest(); rest != "" {
		t.Errorf("after the end: %q", rest)
	}
}

// TestHandlerHijack gives connections away: TCP as it is, TLS as a net.Conn of the loop's.
func TestHandlerHijack(t *testing.T) {
	linemantest.NoLeaks(t)
	for _, secure := range []bool{false, true} {
		kinds := make(chan string, 1)
		w := handled(func(w http.ResponseWriter, r *http.Request) {
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			kinds <- fmt.Sprintf("%T", c)
			for {
				line, err := rw.ReadString('\n')
				if err != nil {
					return
				}
				_, _ = rw.WriteString("got " + line)
				_ = rw.Flush()
			}
		})
		w.OnClose = func(*lineman.Conn, error) {
			if !secure {
				t.Error("OnClose for a connection that was given away")
			}
		}
		if secure {
			w.TLS = linemantest.TLS(t)
		}
		s := linemantest.Start(t, w)
		c := s.Dial(w)
		c.Write("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: lines\r\nConnection: Upgrade\r\n\r\nearly\n")
		if got := c.Read(10); got != "got early\n" {
			t.Errorf("%q", got)
		}
		c.Write("later\n")
		if got := c.Read(10); got != "got later\n" {
			t.Errorf("%q", got)
		}
		if kind, want := next(t, kinds, "the kind"),
			map[bool]string{false: "*net.TCPConn", true: "*exchange.Exchange"}[secure]; kind != want {
			t.Errorf("TLS %v: it is a %s", secure, kind)
		}
		c.CloseWrite()
		if rest := c.Rest(); rest != "" {
			t.Errorf("%q", rest)
		}
	}
}

// TestHandlerUpgrade has a path of a router become a WebSocket.
func TestHandlerUpgrade(t *testing.T) {
	linemantest.NoLeaks(t)
	live := &lineman.Worker{Name: "live", Protocol: &websocket.Protocol{}}
	live.OnMessage = echo
	refusing := &lineman.Worker{Name: "refusing", Protocol: &websocket.Protocol{}}
	refusing.OnUpgrade = func(*lineman.Conn, *http1.Request) error {
		return &lineman.RefuseError{Status: 401, Reason: "no"}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		if err := lineman.Upgrade(w, r, live); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/no", func(w http.ResponseWriter, r *http.Request) { _ = lineman.Upgrade(w, r, refusing) })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") })
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Handler: mux, Logger: quiet}
	s := linemantest.Start(t, w)

	page := s.Dial(w)
	page.Write("GET / HTTP/1.1\r\n" +
		"Host: x\r\n\r\n" + strings.Replace(handshake, "GET / ", "GET /ws ", 1) + "\x81\x82\x00\x00\x00\x00hi")
	if _, body := page.Response(""); body != "page" {
		t.Errorf("the page is %q", body)
	}
	if r, _ := page.Response(""); r.StatusCode != 101 {
		t.Errorf("the handshake: %s", r.Status)
	}
	if got := page.Read(4); got != "\x81\x02hi" {
		t.Errorf("the echo is %q", got)
	}
	refused := s.Dial(w)
	refused.Write(strings.Replace(handshake, "GET / ", "GET /no ", 1))
	if r, body := refused.Response(""); r.StatusCode != 401 || body != "no\n" {
		t.Errorf("refused: %s %q", r.Status, body)
	}
	plain := s.Dial(w)
	plain.Write("GET /ws HTTP/1.1\r\nHost: x\r\n\r\n")
	if r, _ := plain.Response(""); r.StatusCode != 426 {
		t.Errorf("no handshake at all: %s", r.Status)
	}
}
