package lineman_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// standing are servers whose connections stay, and how a client asks there and is answered.
var standing = map[string]struct {
	scheme string
	ask    func(c *linemantest.Client, msg string)
	answer func(c *linemantest.Client) string
}{
	"text":      {"text", (*linemantest.Client).Send, (*linemantest.Client).Receive},
	"frame":     {"frame", (*linemantest.Client).Send, (*linemantest.Client).Receive},
	"WebSocket": {"websocket", (*linemantest.Client).Send, (*linemantest.Client).Receive},
	"HTTP": {"http", func(c *linemantest.Client, msg string) {
		c.Write(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(msg), msg))
	}, func(c *linemantest.Client) string {
		_, body := c.Response("POST")
		return body
	}},
}

// TestGoodbyeAfterReading has clients ask while the loop stands still, in a reload and in a stop: no goodbye is said to
// who has a request in the kernel.
func TestGoodbyeAfterReading(t *testing.T) {
	for name, server := range standing {
		for secured, config := range map[string]*tls.Config{"": nil, " below TLS": linemantest.TLS(t)} {
			for _, how := range []string{"reload", "stop"} {
				t.Run(name+secured+" "+how, func(t *testing.T) {
					const many = 20
					w := &lineman.Worker{Addr: server.scheme + "://127.0.0.1:0", TLS: config, Logger: quiet}
					asked := make(chan bool)
					w.OnMessage = func(c *lineman.Conn, msg []byte) {
						if string(msg) == "slow" {
							if how == "reload" {
								c.Loop().Leave(1012, 10*second, false)
							}
							asked <- true
							<-asked
							time.Sleep(300 * time.Millisecond) // by now everybody seems to be at rest
						}
						echo(c, msg)
					}
					s := linemantest.Start(t, w)
					slow := s.Dial(w)
					var clients []*linemantest.Client
					for n := range many {
						c := s.Dial(w)
						server.ask(c, "before")
						if got := server.answer(c); got != "before" {
							t.Fatalf("client %d: %q", n, got)
						}
						clients = append(clients, c)
					}
					stopped := make(chan error, 1)
					if how == "reload" {
						stopped <- nil
					}
					server.ask(slow, "slow")
					next(t, asked, "the slow callback")
					if how == "stop" {
						go func() { stopped <- s.Stop() }()
					}
					for n, c := range clients {
						server.ask(c, fmt.Sprint("request ", n))
					}
					asked <- true
					for n, c := range clients {
						if got := server.answer(c); got != fmt.Sprint("request ", n) {
							t.Errorf("client %d: %q", n, got)
						}
					}
					for _, c := range append(clients, slow) {
						_ = c.Conn.Close()
					}
					if err := next(t, stopped, "the end"); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}

// TestGoodbyePipelined has a client of a loop that is left send several requests at once: all are answered, and the
// last answer says that the connection closes.
func TestGoodbyePipelined(t *testing.T) {
	const many = 5
	for secured, config := range map[string]*tls.Config{"": nil, " below TLS": linemantest.TLS(t)} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprint("answered late ", late, secured), func(t *testing.T) {
				w := &lineman.Worker{Addr: "http://127.0.0.1:0", TLS: config, Logger: quiet}
				var leave sync.Once
				w.OnMessage = func(c *lineman.Conn, msg []byte) {
					leave.Do(func() { c.Loop().Leave(1012, 10*second, false) })
					if late {
						l := c.Loop()
						go l.Do(func() { _ = c.Send([]byte("answer")) })
						return
					}
					echo(c, msg)
				}
				s := linemantest.Start(t, w)
				c := s.Dial(w)
				c.Write(strings.Repeat("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nanswer", many))
				for n := range many {
					r, body := c.Response("POST")
					if body != "answer" || r.Close != (n == many-1) {
						t.Errorf("answer %d: %q, says that it closes: %v", n, body, r.Close)
					}
				}
				if err := c.Ended(); err != nil && !strings.Contains(err.Error(), "EOF") {
					t.Errorf("the client sees %v", err)
				}
			})
		}
	}
}

// TestGoodbyePipelinedHandler is TestGoodbyePipelined for a Handler, in a reload and in a stop, with requests that were
// read when it begins, and with some that still lie in the kernel.
func TestGoodbyePipelinedHandler(t *testing.T) {
	const many = 5
	const request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nanswer"
	for secured, config := range map[string]*tls.Config{"": nil, " below TLS": linemantest.TLS(t)} {
		for _, how := range []string{"reload", "stop"} {
			for _, read := range []int{1, 2, many} {
				t.Run(fmt.Sprint(how, " ", read, " at once", secured), func(t *testing.T) {
					w := &lineman.Worker{
						Addr: "http://127.0.0.1:0", TLS: config, Limits: lineman.Limits{Close: -1, Shutdown: -1},
						Logger: quiet,
					}
					asked, goOn := make(chan bool), make(chan bool)
					var first sync.Once
					if how == "stop" {
						w.OnStop = func(*lineman.Loop) { close(goOn) }
					}
					w.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						body, _ := io.ReadAll(r.Body)
						first.Do(func() {
							asked <- true
							<-goOn
						})
						_, _ = w.Write(body)
					})
					s := linemantest.Start(t, w)
					c := s.Dial(w)
					stopped := make(chan error, 1)
					c.Write(strings.Repeat(request, read))
					next(t, asked, "the first request")
					var loop *lineman.Loop
					s.Do(w, func(l *lineman.Loop) { loop = l })
					leaves, held := make(chan bool, 1), make(chan bool)
					loop.Do(func() {
						if how == "reload" {
							loop.Leave(1012, 10*second, false)
							close(goOn)
						}
						leaves <- true
						<-held // until the rest lies in the kernel
					})
					next(t, leaves, "the loop")
					if how == "reload" {
						stopped <- nil
					} else {
						go func() { stopped <- s.Stop() }()
					}
					if read < many {
						c.Write(strings.Repeat(request, many-read))
						time.Sleep(300 * time.Millisecond) // by now a poller that reads ahead has seen it
					}
					close(held)
					for n := range many {
						r, body := c.Response("POST")
						if body != "answer" || r.Close && n != many-1 {
							t.Fatalf("answer %d: %q, says that it closes: %v", n, body, r.Close)
						}
						if n == many-1 && how == "reload" && !r.Close {
							t.Error("the last answer does not say that the connection closes")
						}
					}
					if err := c.Ended(); err != nil && !strings.Contains(err.Error(), "EOF") {
						t.Errorf("the client sees %v", err)
					}
					if err := next(t, stopped, "the end"); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}

// TestStopIdle has a loop stop at once whose clients are idle, and stay: they are owed nothing.
func TestStopIdle(t *testing.T) {
	for name, server := range standing {
		if name == "WebSocket" {
			continue // it is owed the answer to its goodbye
		}
		for secured, config := range map[string]*tls.Config{"": nil, " below TLS": linemantest.TLS(t)} {
			t.Run(name+secured, func(t *testing.T) {
				w := &lineman.Worker{
					Addr: server.scheme + "://127.0.0.1:0", TLS: config,
					Limits: lineman.Limits{Close: -1, Shutdown: -1},
					Logger: quiet,
				}
				w.OnMessage = echo
				s := linemantest.Start(t, w)
				c := s.Dial(w)
				server.ask(c, "before")
				server.answer(c)
				stopped := make(chan error, 1)
				go func() { stopped <- s.Stop() }()
				if err := next(t, stopped, "the end, though the client stays"); err != nil {
					t.Error(err)
				}
				if err := c.Ended(); err != nil && !strings.Contains(err.Error(), "EOF") {
					t.Errorf("the client sees %v", err)
				}
			})
		}
	}
	t.Run("Handler", func(t *testing.T) {
		w := &lineman.Worker{Addr: "http://127.0.0.1:0", Limits: lineman.Limits{Close: -1, Shutdown: -1}, Logger: quiet}
		w.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "x") })
		s := linemantest.Start(t, w)
		c := s.Dial(w)
		c.Write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		c.Response("GET")
		stopped := make(chan error, 1)
		go func() { stopped <- s.Stop() }()
		if err := next(t, stopped, "the end, though the client stays"); err != nil {
			t.Error(err)
		}
	})
}
