package lineman_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
)

// patientRest is a worker whose connections may take so long to close that no test waits for it.
func patientRest(t *testing.T, scheme string, config *tls.Config) *restWorker {
	r := newRestWorker(t, scheme, config)
	r.Limits.Close = time.Minute
	return r
}

// post is a request with a body.
func post(body string) string {
	return fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// TestRestHead has requests whose heads are decided about come all the same.
func TestRestHead(t *testing.T) {
	for how, goes := range breaks {
		t.Run(how, func(t *testing.T) {
			r := patientRest(t, "http", nil)
			r.OnHead = func(*lineman.Conn, *http1.Request) error { return nil }
			s := linemantest.Start(t, r.Worker)
			c := s.Dial(r.Worker)
			c.Write(post("first"))
			next(t, r.conns, "the first message")
			c.Write(strings.Repeat(post(strings.Repeat("x", restBytes)), restSize))
			arrived(t, c.Conn)
			goes(c)
			r.gate <- true
			next(t, r.ended, "OnClose")
			if got := r.got.Load(); got != restSize+1 {
				t.Errorf("%d requests came, want %d", got, restSize+1)
			}
		})
	}
}

// TestRestStream has requests behind an answer that streams come, when the answer cannot go on.
func TestRestStream(t *testing.T) {
	for how, goes := range breaks {
		t.Run(how, func(t *testing.T) {
			r := patientRest(t, "http", nil)
			r.OnMessage = nil
			r.OnRequest = func(c *lineman.Conn, _ *http1.Request) {
				if r.got.Add(1) == 1 {
					r.conns <- c
					_ = c.Respond(&http1.Response{Stream: true})
					return
				}
				_ = c.Send([]byte("answer"))
			}
			s := linemantest.Start(t, r.Worker)
			c := s.Dial(r.Worker)
			c.Write(strings.Repeat(post("x"), restSize))
			next(t, r.conns, "the first request")
			arrived(t, c.Conn)
			goes(c)
			next(t, r.ended, "OnClose")
			if got := r.got.Load(); got != restSize {
				t.Errorf("%d requests came, want %d", got, restSize)
			}
		})
	}
}

// TestRestHandlers has requests behind the one that is with its handler come.
func TestRestHandlers(t *testing.T) {
	for _, serve := range []bool{false, true} {
		for how, goes := range breaks {
			t.Run(fmt.Sprint(how, serve), func(t *testing.T) {
				r := patientRest(t, "http", nil)
				r.OnMessage = nil
				gate := make(chan bool)
				handler := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					b, _ := io.ReadAll(req.Body)
					if r.got.Add(1) == 1 {
						gate <- true
						<-gate
					}
					_, _ = w.Write(b)
				})
				if serve {
					r.OnRequest = func(c *lineman.Conn, _ *http1.Request) { _ = c.Serve(handler) }
				} else {
					r.Handler = handler
				}
				s := linemantest.Start(t, r.Worker)
				c := s.Dial(r.Worker)
				c.Write(post("first"))
				next(t, gate, "the handler")
				c.Write(strings.Repeat(post(strings.Repeat("x", restBytes)), restSize))
				arrived(t, c.Conn)
				goes(c)
				gate <- true
				next(t, r.ended, "OnClose")
				linemantest.Until(t, "requests did not come", func() bool { return r.got.Load() == restSize+1 })
			})
		}
	}
}

// TestRestHalf ends at once where the last message is not whole.
func TestRestHalf(t *testing.T) {
	for _, scheme := range []string{"text", "frame", "http"} {
		for secured, config := range map[string]*tls.Config{"": nil, " below TLS": linemantest.TLS(t)} {
			for how, goes := range breaks {
				t.Run(scheme+secured+" "+how, func(t *testing.T) {
					r := patientRest(t, scheme, config)
					s := linemantest.Start(t, r.Worker)
					c := s.Dial(r.Worker)
					first, half := "first\n", "half"
					if scheme == "http" {
						first, half = post("first"), "POST / HTTP/1.1\r\nHost:"
					}
					if scheme == "frame" {
						first, half = "\x00\x00\x00\x09first", "\x00\x00\x00\xffhalf"
					}
					c.Write(first)
					next(t, r.conns, "the first message")
					c.Write(strings.Repeat(first, restSize))
					c.Write(half)
					arrived(t, c.Conn)
					goes(c)
					r.gate <- true
					next(t, r.ended, "OnClose")
					if got := r.got.Load(); got != restSize+1 {
						t.Errorf("%d requests came, want %d", got, restSize+1)
					}
				})
			}
		}
	}
}

// TestRestShaking has what a client sent right behind its handshake come, though it has gone before TLS could say its
// last word.
func TestRestShaking(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for how, goes := range breaks {
			t.Run(fmt.Sprint(how, version), func(t *testing.T) {
				const rounds, lines = 100, 20
				w := &lineman.Worker{Addr: "text://127.0.0.1:0", TLS: linemantest.TLS(t), Logger: quiet}
				var got atomic.Int64
				w.OnMessage = func(c *lineman.Conn, msg []byte) {
					got.Add(1)
					_ = c.Send(msg)
				}
				s := linemantest.Start(t, w)
				for range rounds {
					raw, err := net.Dial("tcp", s.Addr(w).String())
					if err != nil {
						t.Fatal(err)
					}
					c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
					if err := c.Handshake(); err != nil {
						t.Fatal(err)
					}
					_, _ = io.WriteString(c, strings.Repeat("line\n", lines))
					arrived(t, c)
					goes(linemantest.NewClient(t, c, w))
				}
				linemantest.Until(t, "lines are missing", func() bool { return got.Load() == rounds*lines })
			})
		}
	}
}
