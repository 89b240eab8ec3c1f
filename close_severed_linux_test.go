package lineman_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// arrived waits until the other side's kernel has all that was written to c.
func arrived(t *testing.T, c net.Conn) {
	t.Helper()
	if s, ok := c.(*tls.Conn); ok {
		c = s.NetConn()
	}
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(patience); time.Now().Before(until); {
		left := -1
		if err := raw.Control(func(fd uintptr) { left, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }); err != nil {
			t.Fatal(err)
		}
		if err == nil && left == 0 {
			return
		}
	}
	t.Fatal("the bytes do not arrive")
}

// breaks are the ways in which a client goes that does not read.
var breaks = map[string]func(*linemantest.Client){
	"closes": func(c *linemantest.Client) { _ = c.Conn.Close() },
	"resets": (*linemantest.Client).Reset,
}

const (
	restSize  = 300 // messages that lie in the kernel when the connection breaks
	restBytes = 300 // of each: more in all than is read at once
)

// restWorker counts what comes, and answers it. The first message waits for the gate.
type restWorker struct {
	*lineman.Worker
	gate  chan bool
	conns chan *lineman.Conn
	got   atomic.Int64
	ended chan error
}

func newRestWorker(t *testing.T, scheme string, config *tls.Config) *restWorker {
	r := &restWorker{
		Worker: &lineman.Worker{Addr: scheme + "://127.0.0.1:0", TLS: config, Logger: quiet},
		gate:   make(chan bool), conns: make(chan *lineman.Conn, 1), ended: make(chan error, 2),
	}
	r.OnMessage = func(c *lineman.Conn, msg []byte) { r.take(c) }
	var closing int
	r.OnClosing = func(*lineman.Conn) { closing++ }
	r.OnClose = func(_ *lineman.Conn, err error) {
		if closing != 1 {
			t.Errorf("OnClosing came %d times before OnClose", closing)
		}
		r.ended <- err
	}
	return r
}

func (r *restWorker) take(c *lineman.Conn) {
	if r.got.Add(1) == 1 {
		r.conns <- c
		<-r.gate
	}
	_ = c.Send([]byte(strings.Repeat("answer", 50)))
}

// TestRest has a client write, read nothing, and go: what the kernel had of it is handled, though answers cannot be
// sent any more.
func TestRest(t *testing.T) {
	for _, scheme := range []string{"text", "frame", "websocket", "http"} {
		for secured, config := range map[string]*tls.Config{"": nil, " below TLS": linemantest.TLS(t)} {
			for how, goes := range breaks {
				t.Run(scheme+secured+" "+how, func(t *testing.T) {
					r := newRestWorker(t, scheme, config)
					s := linemantest.Start(t, r.Worker)
					c := s.Dial(r.Worker)
					send := c.Send
					if scheme == "http" {
						send = func(msg string) {
							c.Write(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s",
								len(msg), msg))
						}
					}
					send("first")
					next(t, r.conns, "the first message")
					for range restSize {
						send(strings.Repeat("x", restBytes))
					}
					arrived(t, c.Conn)
					goes(c)
					r.gate <- true
					if err := next(t, r.ended, "OnClose"); err == nil {
						t.Error("OnClose says that this side closed it")
					}
					if got := r.got.Load(); got != restSize+1 {
						t.Errorf("%d messages came, want %d", got, restSize+1)
					}
				})
			}
		}
	}
}

// TestRestBytes does so with bytes, of which none is a message by itself.
func TestRestBytes(t *testing.T) {
	for how, goes := range breaks {
		t.Run(how, func(t *testing.T) {
			r := newRestWorker(t, "tcp", nil)
			var got atomic.Int64
			r.OnMessage = func(c *lineman.Conn, msg []byte) {
				got.Add(int64(len(msg)))
				r.take(c)
			}
			s := linemantest.Start(t, r.Worker)
			c := s.Dial(r.Worker)
			c.Write("first")
			next(t, r.conns, "the first bytes")
			c.Write(strings.Repeat("x", restSize*restBytes))
			arrived(t, c.Conn)
			goes(c)
			r.gate <- true
			next(t, r.ended, "OnClose")
			if got := got.Load(); got != restSize*restBytes+5 {
				t.Errorf("%d bytes came, want %d", got, restSize*restBytes+5)
			}
		})
	}
}

// TestRestPaused has the connection be paused, by the application or because it is full, while it breaks: OnClosing
// tells at once, what came is handled after Resume, and the time for that has a limit.
func TestRestPaused(t *testing.T) {
	for name, resume := range map[string]bool{"resumed": true, "never resumed": false} {
		t.Run(name, func(t *testing.T) {
			r := newRestWorker(t, "text", nil)
			told := make(chan bool, 1)
			count := r.OnClosing
			r.OnClosing = func(c *lineman.Conn) {
				count(c)
				told <- true
			}
			r.OnMessage = func(c *lineman.Conn, _ []byte) {
				if r.got.Add(1) == 1 {
					c.Pause()
					r.conns <- c
				}
			}
			s, now := startByClock(t, r.Worker)
			client := s.Dial(r.Worker)
			client.Send("first")
			c := next(t, r.conns, "the first message")
			for range restSize {
				client.Send(strings.Repeat("x", restBytes))
			}
			arrived(t, client.Conn)
			client.Reset()
			next(t, told, "OnClosing while it is paused")
			want := int64(1)
			if resume {
				s.Do(r.Worker, func(*lineman.Loop) { c.Resume() })
				want += restSize
			} else {
				now.jump(s, r.Worker, 6*second)
			}
			next(t, r.ended, "OnClose")
			if got := r.got.Load(); got != want {
				t.Errorf("%d messages came, want %d", got, want)
			}
		})
	}
}

// TestRestFull has an application that reads no more from who does not read: it goes on when that one has gone.
func TestRestFull(t *testing.T) {
	for how, goes := range breaks {
		t.Run(how, func(t *testing.T) {
			r := newRestWorker(t, "text", nil)
			full := make(chan bool, 1)
			r.OnMessage = func(c *lineman.Conn, _ []byte) {
				if r.got.Add(1) == 1 {
					for c.Send(make([]byte, 100<<10)) == nil {
					}
				}
			}
			r.OnFull = func(c *lineman.Conn) {
				c.Pause()
				full <- true
			}
			r.OnDrain = func(c *lineman.Conn) { c.Resume() }
			s := linemantest.Start(t, r.Worker)
			c := s.Dial(r.Worker)
			c.Send("first")
			next(t, full, "OnFull")
			for range restSize {
				c.Send(strings.Repeat("x", restBytes))
			}
			arrived(t, c.Conn)
			goes(c)
			next(t, r.ended, "OnClose")
			if got := r.got.Load(); got != restSize+1 {
				t.Errorf("%d messages came, want %d", got, restSize+1)
			}
		})
	}
}

// TestRestClosed has an application that closes a broken connection get no more of it.
func TestRestClosed(t *testing.T) {
	r := newRestWorker(t, "text", nil)
	r.OnMessage = func(c *lineman.Conn, _ []byte) {
		if r.take(c); r.got.Load() > 1 && c.Send([]byte("x")) == net.ErrClosed {
			_ = c.Close()
		}
	}
	var closed atomic.Int64
	r.OnClosing = nil
	r.OnClose = func(*lineman.Conn, error) {
		closed.Store(r.got.Load())
		r.ended <- nil
	}
	s := linemantest.Start(t, r.Worker)
	c := s.Dial(r.Worker)
	c.Send("first")
	next(t, r.conns, "the first message")
	for range restSize {
		c.Send(strings.Repeat("x", restBytes))
	}
	arrived(t, c.Conn)
	c.Reset()
	r.gate <- true
	next(t, r.ended, "OnClose")
	if got := closed.Load(); got == restSize+1 && !portable() { // there it may all come before a write fails
		t.Error("everything came to who had closed")
	}
}

// TestRestDialed is TestRest for a connection that this side has dialed.
func TestRestDialed(t *testing.T) {
	ln := target(t)
	r := newRestWorker(t, "text", nil)
	w := &lineman.Worker{Name: "dials", Addr: "text://127.0.0.1:0", Logger: quiet}
	w.OnStart = func(l *lineman.Loop) error {
		_, err := l.Dial("text://"+ln.Addr().String(), lineman.Dialer{Events: r.Events, Logger: quiet})
		return err
	}
	linemantest.Start(t, w)
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, "first\n")
	next(t, r.conns, "the first message")
	_, _ = io.WriteString(c, strings.Repeat(strings.Repeat("x", restBytes)+"\n", restSize))
	arrived(t, c)
	_ = c.Close()
	r.gate <- true
	next(t, r.ended, "OnClose")
	if got := r.got.Load(); got != restSize+1 {
		t.Errorf("%d messages came, want %d", got, restSize+1)
	}
}

// TestRestHandler has the whole body of a request reach its handler, whose client has gone.
func TestRestHandler(t *testing.T) {
	for how, goes := range breaks {
		t.Run(how, func(t *testing.T) {
			gate, got := make(chan bool), make(chan int, 1)
			w := &lineman.Worker{Addr: "http://127.0.0.1:0", Logger: quiet}
			w.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				gate <- true
				<-gate
				b, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				got <- len(b)
			})
			s := linemantest.Start(t, w)
			c := s.Dial(w)
			const size = 90 << 10
			c.Write(fmt.Sprintf("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size))
			c.Write(strings.Repeat("x", size))
			next(t, gate, "the handler")
			arrived(t, c.Conn)
			goes(c)
			gate <- true
			if n := next(t, got, "the body"); n != size {
				t.Errorf("%d bytes, want %d", n, size)
			}
		})
	}
}

// TestRestPiped has everything that one side had sent reach the other, though that one takes nothing yet: what waits in
// this process, and what lies in the kernel.
func TestRestPiped(t *testing.T) {
	for how, goes := range breaks {
		t.Run(how, func(t *testing.T) {
			linemantest.NoLeaks(t)
			ln := target(t)
			w, ends := forwarder(t, "tcp://"+ln.Addr().String(), lineman.Dialer{})
			s := linemantest.Start(t, w)
			client, server := through(t, s, w, ln)
			_, _ = server.Write([]byte("an answer that nobody reads"))
			content := fillPipe(t, s, w, client)
			goes(linemantest.NewClient(t, client, w))
			linemantest.Until(t, "nobody notices", func() bool { return isSevered(s, w) })
			b, _ := io.ReadAll(server) // it ends by a reset
			if !bytes.Equal(b, content) {
				t.Errorf("the server got %d bytes of %d", len(b), len(content))
			}
			server.Close()
			for range 2 {
				next(t, ends, "OnClose")
			}
		})
	}
}

// fillPipe writes until much lies unread in the kernel, as the other side takes nothing, and returns all of it.
func fillPipe(t *testing.T, s *linemantest.Server, w *lineman.Worker, client net.Conn) (content []byte) {
	t.Helper()
	piece := bytes.Repeat([]byte("0123456789abcdef"), 1<<10)
	for unread := 0; unread < 8<<10; {
		if _, err := client.Write(piece); err != nil {
			t.Fatal(err)
		}
		content = append(content, piece...)
		arrived(t, client)
		s.Do(w, func(l *lineman.Loop) {
			for c := range l.Conns(w) {
				unread = len(content) + len("!") - int(c.Stats().BytesIn)
			}
		})
	}
	return content
}

// isSevered reports whether the connection of w is known to be broken.
func isSevered(s *linemantest.Server, w *lineman.Worker) (severed bool) {
	s.Do(w, func(l *lineman.Loop) {
		severed = true
		for c := range l.Conns(w) {
			severed = c.Send(nil) == net.ErrClosed
		}
	})
	return severed
}
