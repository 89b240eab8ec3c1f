package lineman_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// TestDialWebSocket echoes over ws and wss, with and without compression. What is sent before the handshake comes
// first.
func TestDialWebSocket(t *testing.T) {
	linemantest.NoLeaks(t)
	for _, scheme := range []string{"ws", "wss"} {
		for name, compression := range map[string]*websocket.Compression{
			"plain": nil, "deflate": {}, "takeover": {ContextTakeover: true},
		} {
			t.Run(scheme+"/"+name, func(t *testing.T) {
				p := &websocket.Protocol{Subprotocols: []string{"v1"}, Compression: compression}
				w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Logger: quiet, Protocol: p}
				d := newDialed()
				d.Protocol = &websocket.Protocol{Subprotocols: []string{"v2", "v1"}, Compression: compression}
				d.Header = []http1.Field{{Name: "X-Token", Value: "secret"}}
				if scheme == "wss" {
					w.TLS = linemantest.TLS(t)
					d.TLS = w.TLS
				}
				heads := make(chan string, 1)
				w.OnUpgrade = func(_ *lineman.Conn, r *http1.Request) error {
					heads <- fmt.Sprintf("%s?%s %s %s", r.Path(), r.Query(), r.Header("X-Token"), r.Host())
					return nil
				}
				w.OnMessage = echo
				goodbyes := make(chan error, 1)
				w.OnClose = func(_ *lineman.Conn, err error) { goodbyes <- err }
				binary := make(chan bool, 16)
				d.OnMessage = func(c *lineman.Conn, msg []byte) {
					binary <- c.Binary()
					d.messages <- string(msg)
				}
				s := linemantest.Start(t, w)
				addr := s.Addr(w).String()
				c := dialFrom(t, s, w, scheme+"://"+addr+"/a/b?c=d", d.Dialer)
				early := strings.Repeat("early ", 100)
				if err := errors.Join(c.Send([]byte(early)), c.SendBinary([]byte("\xff"))); err != nil {
					t.Fatal(err)
				}
				if got, want := next(t, heads, "the handshake"), "/a/b?c=d secret "+addr; got != want {
					t.Errorf("the request says %q, want %q", got, want)
				}
				next(t, d.connects, "OnConnect")
				if a, b := next(t, d.messages, "the first"), next(t, d.messages, "the second"); a != early ||
					b != "\xff" {
					t.Errorf("got %.20q, %.20q", a, b)
				}
				if a, b := next(t, binary, "the first"), next(t, binary, "the second"); a || !b {
					t.Errorf("binary: %v, %v", a, b)
				}
				for _, size := range []int{0, 1, 125, 126, 1000, 65535, 65536, 1 << 20} {
					for range 2 {
						msg := strings.Repeat("ab", size/2) + strings.Repeat("c", size%2)
						if err := c.Send([]byte(msg)); err != nil {
							t.Fatal(err)
						}
						if got := next(t, d.messages, "the echo"); got != msg {
							t.Fatalf("%d bytes came back as %d", size, len(got))
						}
						next(t, binary, "its kind")
					}
				}
				s.Do(w, func(*lineman.Loop) {
					if got := c.Subprotocol(); got != "v1" {
						t.Errorf("the subprotocol is %q", got)
					}
				})
				if err := c.CloseWith(4000, "bye"); err != nil {
					t.Error(err)
				}
				var goodbye *websocket.CloseError
				if err := next(t, goodbyes, "the server's OnClose"); !errors.As(err, &goodbye) ||
					goodbye.Code != 4000 || goodbye.Reason != "bye" {
					t.Errorf("the server has seen %v", err)
				}
				if err := next(t, d.closes, "OnClose"); err != nil {
					t.Errorf("OnClose: %v", err)
				}
			})
		}
	}
}

// TestDialWebSocketGoodbye has the server's goodbye told, and a limit of the client's.
func TestDialWebSocketGoodbye(t *testing.T) {
	linemantest.NoLeaks(t)
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Logger: quiet}
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		if string(msg) == "close" {
			_ = c.CloseWith(websocket.Restart, "come back")
			return
		}
		_ = c.Send(make([]byte, 1000))
	}
	goodbyes := make(chan error, 1)
	w.OnClose = func(_ *lineman.Conn, err error) { goodbyes <- err }
	s := linemantest.Start(t, w)
	d := newDialed()
	d.Limits.MaxMessage = 999
	var goodbye *websocket.CloseError
	c := dialFrom(t, s, w, "ws://"+s.Addr(w).String(), d.Dialer)
	_ = c.Send([]byte("close"))
	if err := next(t, d.closes, "OnClose"); !errors.As(err, &goodbye) || goodbye.Code != websocket.Restart ||
		goodbye.Reason != "come back" {
		t.Errorf("the server closes: %v", err)
	}
	if err := next(t, goodbyes, "the server's OnClose"); err != nil {
		t.Errorf("the server has seen %v", err)
	}
	c = dialFrom(t, s, w, "ws://"+s.Addr(w).String(), d.Dialer)
	_ = c.Send([]byte("long"))
	if err := next(t, d.closes, "OnClose"); err != lineman.ErrTooLarge {
		t.Errorf("a long message: %v", err)
	}
	if err := next(t, goodbyes, "the server's OnClose"); !errors.As(err, &goodbye) || goodbye.Code != websocket.TooBig {
		t.Errorf("the server has seen %v", err)
	}
}

// scriptedServer is a server of a WebSocket that says what a test has it say: its answer, in which ACCEPT is what the
// request asks for. What comes after the request goes to a channel.
func scriptedServer(answers ...string) (*lineman.Worker, chan string) {
	w := &lineman.Worker{Addr: "tcp://127.0.0.1:0", Name: "scripted", Logger: quiet}
	after := make(chan string, 64)
	w.OnMessage = func(c *lineman.Conn, data []byte) {
		head, _ := c.Value().(string)
		if strings.HasSuffix(head, "\r\n\r\n") {
			after <- string(data)
			return
		}
		head += string(data)
		c.SetValue(head)
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
		if err != nil {
			return // not all there
		}
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		answer := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		if answer == "" {
			_ = c.Close()
			return
		}
		_, _ = c.Write([]byte(strings.ReplaceAll(answer, "ACCEPT", base64.StdEncoding.EncodeToString(sum[:]))))
	}
	return w, after
}

const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Accept: ACCEPT\r\n\r\n"

// TestDialWebSocketRefused has every answer that makes no WebSocket told, with its status.
func TestDialWebSocketRefused(t *testing.T) {
	linemantest.NoLeaks(t)
	for name, tt := range map[string]struct {
		answer string
		status int // -1: no AnswerError
		text   string
	}{
		"403": {"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n", 403, "answered with 403 Forbidden"},
		"a redirect": {"HTTP/1.1 301 Moved\r\nLocation: /other\r\n\r\n", 301,
			"301 Moved Permanently to \"/other\": redirects are not followed"},
		"not to this": {strings.ReplaceAll(switching, "ACCEPT", "x"), 101, "Sec-WebSocket-Accept"},
		"not asked for": {
			strings.Replace(switching, "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 1),
			101, "extension",
		},
		"not HTTP": {"hello", 0, "does not speak HTTP"},
		"no end":   {"HTTP/1.1 101 X\r\n" + strings.Repeat("x", 70_000), 0, "too long"},
		"end of stream": {"",
			-1,
			"unexpected EOF"},
		"a frame before": {"\x81\x00" + switching, 0,
			"does not speak HTTP"},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := scriptedServer(tt.answer)
			s := linemantest.Start(t, w)
			d := newDialed()
			c := dialFrom(t, s, w, "ws://"+s.Addr(w).String(), d.Dialer)
			_ = c.Send([]byte("early"))
			err := next(t, d.closes, "OnClose")
			var answer *websocket.AnswerError
			if is := errors.As(err, &answer); is != (tt.status >= 0) || is && answer.Status != tt.status {
				t.Errorf("%v, want status %d", err, tt.status)
			}
			if text := fmt.Sprint(err); !strings.Contains(text, tt.text) ||
				!strings.HasPrefix(text, "lineman: dial 127.0.0.1:") {
				t.Errorf("%q does not say %q", text, tt.text)
			}
			if tt.status < 0 && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestDialWebSocketTogether has frames that come with the answer delivered, pings answered and frames masked.
func TestDialWebSocketTogether(t *testing.T) {
	linemantest.NoLeaks(t)
	w, after := scriptedServer(switching + "\x81\x05hello" + "\x89\x04ping" + "\x88\x02\x03\xe9")
	s := linemantest.Start(t, w)
	d := newDialed()
	dialFrom(t, s, w, "ws://"+s.Addr(w).String(), d.Dialer)
	next(t, d.connects, "OnConnect")
	if got := next(t, d.messages, "the message"); got != "hello" {
		t.Errorf("got %q", got)
	}
	var got string
	for len(got) < 2+4+4+2+4+2 {
		got += next(t, after, "the pong and the goodbye")
	}
	for _, want := range []string{"\x8a\x84ping", "\x88\x82\x03\xe9"} {
		mask, payload := got[2:6], []byte(got[6:4+len(want)])
		for i := range payload {
			payload[i] ^= mask[i&3]
		}
		if got[:2]+string(payload) != want {
			t.Errorf("got %q, want %q", got[:2]+string(payload), want)
		}
		got = got[4+len(want):]
	}
	s.Do(w, func(l *lineman.Loop) {
		select {
		case err := <-d.closes:
			t.Errorf("the client has not waited for the server's end: %v", err) // RFC 6455, 7.1.1
		default:
		}
		for c := range l.Conns(w) {
			_ = c.Close()
		}
	})
	var goodbye *websocket.CloseError
	if err := next(t, d.closes, "OnClose"); !errors.As(err, &goodbye) || goodbye.Code != websocket.GoingAway {
		t.Errorf("OnClose: %v", err)
	}
}

// TestDialWebSocketTime has a server that does not answer, or does so byte by byte, given up in time, and one that does
// not answer pings.
func TestDialWebSocketTime(t *testing.T) {
	linemantest.NoLeaks(t)
	for name, answer := range map[string]string{"silent": "H", "slow": switching[:50]} {
		t.Run(name, func(t *testing.T) {
			w, _ := scriptedServer(answer)
			answered := make(chan struct{}, 1)
			onMessage := w.OnMessage
			w.OnMessage = func(c *lineman.Conn, data []byte) {
				onMessage(c, data)
				answered <- struct{}{}
			}
			s, clock := startByClock(t, w)
			d := newDialed()
			d.Limits.Handshake = 5 * second
			dialFrom(t, s, w, "ws://"+s.Addr(w).String(), d.Dialer)
			next(t, answered, "the request")
			clock.jump(s, w, 4*second)
			s.Do(w, func(l *lineman.Loop) {
				for c := range l.Conns(w) {
					_, _ = c.Write([]byte("T")) // a beginning of something gives no further time
				}
			})
			clock.jump(s, w, 2*second)
			if err := next(t, d.closes, "OnClose"); err != lineman.ErrTimeout {
				t.Errorf("OnClose: %v", err)
			}
		})
	}
	w, after := scriptedServer(switching)
	s, clock := startByClock(t, w)
	d := newDialed()
	d.Protocol = &websocket.Protocol{PingInterval: 5 * second, PongTimeout: second}
	dialFrom(t, s, w, "ws://"+s.Addr(w).String(), d.Dialer)
	next(t, d.connects, "OnConnect")
	clock.jump(s, w, 6*second)
	if got := next(t, after, "the ping"); len(got) != 6 || got[:2] != "\x89\x80" {
		t.Errorf("the ping is %q", got)
	}
	clock.jump(s, w, 2*second)
	if err := next(t, d.closes, "OnClose"); err != lineman.ErrTimeout {
		t.Errorf("OnClose: %v", err)
	}
}

// TestDialWebSocketClosed ends an attempt while the server is still to answer.
func TestDialWebSocketClosed(t *testing.T) {
	linemantest.NoLeaks(t)
	w, _ := scriptedServer("H")
	asked := make(chan struct{}, 1)
	onMessage := w.OnMessage
	w.OnMessage = func(c *lineman.Conn, data []byte) {
		onMessage(c, data)
		asked <- struct{}{}
	}
	s := linemantest.Start(t, w)
	d := newDialed()
	d.Backoff = lineman.Backoff{First: time.Millisecond}
	c := dialFrom(t, s, w, "ws://"+s.Addr(w).String(), d.Dialer)
	_ = c.Send([]byte("early"))
	next(t, asked, "the request")
	s.Do(w, func(*lineman.Loop) {
		if err := c.SetWorker(w); err == nil {
			t.Error("SetWorker before the connection is there")
		}
	})
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := next(t, d.closes, "OnClose"); err != nil {
		t.Errorf("OnClose: %v", err)
	}
}
