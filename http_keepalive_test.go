package lineman_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
)

// TestKeepAliveWebSocket ends HTTP connections of a WebSocket worker that say nothing more, however they came there.
func TestKeepAliveWebSocket(t *testing.T) {
	const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	asked := func(_ *linemantest.Server, c *linemantest.Client) {
		c.Write(get)
		c.Response("")
	}
	pages := func() *lineman.Worker {
		w := &lineman.Worker{Name: "pages", Addr: "websocket://127.0.0.1:0", Logger: quiet}
		w.OnRequest = ok
		return w
	}
	for name, tt := range map[string]struct {
		worker func(to *lineman.Worker) *lineman.Worker // nil: to itself
		client func(s *linemantest.Server, c *linemantest.Client)
		limit  int // seconds
	}{
		"several requests": {nil, func(s *linemantest.Server, c *linemantest.Client) { asked(s, c); asked(s, c) }, 75},
		"over TLS, silent": {func(to *lineman.Worker) *lineman.Worker {
			to.TLS = linemantest.TLS(t)
			return to
		}, func(*linemantest.Server, *linemantest.Client) {}, 10},
		"over TLS": {func(to *lineman.Worker) *lineman.Worker {
			to.TLS = linemantest.TLS(t)
			return to
		}, asked, 75},
		"answered later": {func(to *lineman.Worker) *lineman.Worker {
			to.OnRequest = func(c *lineman.Conn, r *http1.Request) { c.Loop().Do(func() { ok(c, r) }) }
			return to
		}, asked, 75},
		"answered by a handler": {func(to *lineman.Worker) *lineman.Worker {
			to.OnRequest = func(c *lineman.Conn, _ *http1.Request) { _ = c.Serve(http.NotFoundHandler()) }
			return to
		}, asked, 75},
		"paused and resumed": {func(to *lineman.Worker) *lineman.Worker {
			to.OnRequest = func(c *lineman.Conn, r *http1.Request) {
				c.Pause()
				ok(c, r)
				c.Loop().Do(c.Resume)
			}
			return to
		}, asked, 75},
		"from lines": {func(to *lineman.Worker) *lineman.Worker {
			w := &lineman.Worker{Name: "lines", Addr: "text://127.0.0.1:0", Logger: quiet}
			w.OnMessage = func(c *lineman.Conn, _ []byte) {
				_ = c.Send([]byte("now WebSocket"))
				if err := c.SetWorker(to); err != nil {
					t.Error(err)
				}
			}
			return w
		}, func(_ *linemantest.Server, c *linemantest.Client) {
			c.Write("WebSocket\n")
			c.Read(len("now WebSocket\n"))
		}, 10},
		"from requests, answered": {func(to *lineman.Worker) *lineman.Worker {
			w := &lineman.Worker{Name: "requests", Addr: "http://127.0.0.1:0", Logger: quiet}
			w.OnRequest = func(c *lineman.Conn, r *http1.Request) {
				ok(c, r)
				if err := c.SetWorker(to); err != nil {
					t.Error(err)
				}
			}
			return w
		}, asked, 75},
		"by Upgrade": {func(to *lineman.Worker) *lineman.Worker {
			return &lineman.Worker{Name: "handler", Addr: "http://127.0.0.1:0", Logger: quiet,
				Handler: http.HandlerFunc(
					func(w http.ResponseWriter, r *http.Request) { _ = lineman.Upgrade(w, r, to) })}
		}, asked, 75},
		"to requests": {func(to *lineman.Worker) *lineman.Worker {
			requests := &lineman.Worker{Name: "requests", Protocol: &http1.Protocol{}, Logger: quiet}
			requests.OnRequest = ok
			to.OnRequest = func(c *lineman.Conn, r *http1.Request) {
				if err := c.SetWorker(requests); err != nil {
					t.Error(err)
				}
				ok(c, r)
			}
			return to
		}, asked, 75},
	} {
		t.Run(name, func(t *testing.T) {
			linemantest.NoLeaks(t)
			w := pages()
			if tt.worker != nil {
				w = tt.worker(w)
			}
			s, clock := startByClock(t, w)
			c := s.Connect(w)
			tt.client(s, c)
			waitForBytes(t, s, w, c)
			waitForEnd(t, s, w) // from which the limit counts where a handler answers
			limit := time.Duration(tt.limit) * second
			clock.jump(s, w, limit-second)
			s.Do(w, func(l *lineman.Loop) {
				if l.Stats().Conns != 1 {
					t.Error("the limit struck early")
				}
			})
			clock.jump(s, w, 2*second)
			waitUntil(t, s, w, func(l *lineman.Loop) bool { return l.Stats().Conns == 0 })
			c.Rest()
		})
	}
}

// TestHandshakeTrickle has the limit of a handshake count from the connecting, whatever comes meanwhile.
func TestHandshakeTrickle(t *testing.T) {
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Logger: quiet}
	s, clock := startByClock(t, w)
	c := s.Connect(w)
	for _, piece := range []string{"GET", " /", " HTTP/1.1\r\n"} {
		waitForBytes(t, s, w, c)
		clock.jump(s, w, 3*second)
		c.Write(piece)
	}
	waitForBytes(t, s, w, c)
	clock.jump(s, w, 2*second)
	s.Do(w, func(l *lineman.Loop) {
		if l.Stats().Conns != 0 {
			t.Error("bytes in between have it last longer")
		}
	})
	if got := c.Rest(); got == "" {
		t.Error("it was not told")
	}
}
