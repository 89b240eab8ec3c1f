package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/protocol/websocket"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/client"
	"github.com/lineman-go/lineman/push/level1"
)

func TestDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, r := newNetwork(t), &record{}
		o := client.Options{
			Token:  func(context.Context) (string, error) { return "secret", nil },
			Header: http.Header{"X-A": {"b"}},
			Dial:   n.dial,
			Up:     func(w level1.Welcome) { r.add("up %s", w.Conn) },
			Down:   func(err error) { r.add("down %v", err) },
		}
		done := make(chan *client.Client)
		go func() {
			c, err := client.Dial(t.Context(), "ws://server.example/live?a=b", o)
			if err != nil {
				t.Error(err)
			}
			done <- c
		}()
		p := n.accept()
		want := level1.Request{
			Op: level1.OpHello, ID: 1, Token: "secret", Subs: []level1.Start{}, Batch: true, Heartbeat: true,
		}
		if got := p.welcome(); !reflect.DeepEqual(got, want) {
			t.Errorf("hello: %+v, want %+v", got, want)
		}
		c := <-done
		if c.UID() != "7" || c.Conn() != "c:n.1" || c.Err() != nil {
			t.Errorf("%q, %q, %v", c.UID(), c.Conn(), c.Err())
		}
		if got := r.take(); got != "[up c:n.1]" {
			t.Error(got)
		}
		closing(t, c)
		synctest.Wait()
		var end *websocket.CloseError
		if !errors.As(p.closed(), &end) || end.Code != websocket.Normal {
			t.Errorf("the client said %v", p.closed())
		}
		if got := r.take(); got != "[]" {
			t.Errorf("after Close: %s", got)
		}
		if _, err := c.Subscribe(t.Context(), "a", push.Since{}, r.handler()); !errors.Is(err, client.ErrClosed) {
			t.Errorf("Subscribe after Close: %v", err)
		}
	})
}

// TestDialFinal has Dial return what another try would not change.
func TestDialFinal(t *testing.T) {
	for name, answer := range map[string]func(n *network){
		"client: the server has ended the connection with 4001: no": func(n *network) {
			p := n.accept()
			p.next(level1.OpHello)
			p.say(level1.Bye{Code: 4001, Why: "no"})
			p.goodbye(4001, "")
		},
		"client: the server does not speak lineman.v1": func(n *network) {
			_, _ = shake(t, <-n.peers)
		},
		"answered with 403 Forbidden": func(n *network) {
			conn := <-n.peers
			_, _ = http.ReadRequest(newReader(conn))
			_, _ = io.WriteString(conn, "HTTP/1.1 403 Forbidden\r\n\r\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				go answer(n)
				c, err := client.Dial(t.Context(), "ws://server.example", client.Options{Dial: n.dial})
				if c != nil || err == nil || !strings.Contains(err.Error(), name) {
					t.Errorf("%v, %v", c, err)
				}
			})
		})
	}
	for _, address := range []string{"http://x/", "ws:///", "://", "ws://\x00"} {
		if _, err := client.Dial(t.Context(), address, client.Options{}); err == nil {
			t.Errorf("%q was dialed", address)
		}
	}
}

// TestDialPatience has Dial try again until its context ends, and then say what was wrong.
func TestDialPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, downs := newNetwork(t), 0
		o := client.Options{
			Dial:  n.dial,
			Down:  func(error) { downs++ },
			Token: func(context.Context) (string, error) { return "", errors.New("nobody is logged in") },
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		c, err := client.Dial(ctx, "ws://server.example", o)
		if c != nil || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "nobody") {
			t.Errorf("%v, %v", c, err)
		}
		if downs < 120 || downs > 600 { // every 15 s on average
			t.Errorf("%d tries in an hour", downs)
		}
	})
}

// TestReconnect has the client come back when the server wants it to, with its positions.
func TestReconnect(t *testing.T) {
	for _, tt := range []struct {
		name        string
		end         func(p *peer)
		least, most time.Duration
	}{
		{"bye", func(p *peer) { p.say(level1.Bye{Code: 4101, Retry: 3 * time.Second}); p.goodbye(4101, "") },
			3 * time.Second, 3 * time.Second},
		{"bye and a cut", func(p *peer) { p.say(level1.Bye{Code: 4101, Retry: 3 * time.Second}); p.conn.Close() },
			3 * time.Second, 3 * time.Second},
		{"reason", func(p *peer) { p.goodbye(4103, `{"retry":2500}`) },
			2500 * time.Millisecond, 2500 * time.Millisecond},
		{"at once", func(p *peer) { p.goodbye(4200, "") }, 0, 0},
		{"later", func(p *peer) { p.goodbye(4102, "") }, 0, time.Second},
		{"cut", func(p *peer) { p.conn.Close() }, 0, time.Second},
		{"no protocol", func(p *peer) { p.text("hello") }, 0, time.Second},
		{"no WebSocket", func(p *peer) { _, _ = p.conn.Write([]byte{0xff, 0xff}) }, 0, time.Second},
		{"a second welcome", func(p *peer) { p.say(level1.Welcome{Conn: "c:n.1"}) }, 0, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, r := newNetwork(t), &record{}
				c, p := dialed(t, n, client.Options{Handler: client.Handler{
					Gap: func(m level1.Missed) { r.add("gap %s %s", m.Channel, m.Gap) },
				}})
				defer closing(t, c)
				sub := subscribed(t, c, p, "a", push.Since{}, r.handler(),
					level1.Subscribed{Channel: "a", Position: at(4)}, message("a", 5))
				synctest.Wait()
				if sub.Position() != at(5) {
					t.Errorf("position %v", sub.Position())
				}
				began := time.Now()
				tt.end(p)
				p = n.accept()
				if took := time.Since(began); took < tt.least || took > tt.most {
					t.Errorf("came back after %v", took)
				}
				hello := p.welcome()
				want := []level1.Start{{Target: "a", Since: push.Since{Position: at(5)}}}
				if !reflect.DeepEqual(hello.Subs, want) {
					t.Errorf("hello: %+v", hello.Subs)
				}
				p.say(level1.Subscribed{Channel: "a", Position: at(7), N: 2}, message("a", 6), message("a", 7))
				if got := r.take(); got != "[5 gap * off 6 7]" {
					t.Error(got)
				}
			})
		})
	}
}

// TestFinal has the client end when the server says so.
func TestFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &record{}
		c, p := dialed(t, newNetwork(t), client.Options{Down: func(err error) { r.add("%v", err) }})
		subscribed(t, c, p, "a", push.Since{}, r.handler(), level1.Subscribed{Channel: "a", Position: at(4)})
		p.say(message("a", 5), level1.Bye{Code: 4010, Why: "out"})
		p.goodbye(4010, "")
		<-c.Done()
		var end *client.EndError
		if !errors.As(c.Err(), &end) || *end != (client.EndError{Code: 4010, Why: "out"}) {
			t.Errorf("%v", c.Err())
		}
		if got := r.take(); got != "[5 client: the server has ended the connection with 4010: out]" {
			t.Error(got)
		}
		if _, err := c.History(t.Context(), "a", push.Since{}, 1); !errors.As(err, &end) {
			t.Errorf("History after the end: %v", err)
		}
	})
}

// TestWatchdog has a server that is silent be asked for a sign of life, and given up.
func TestWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, r := newNetwork(t), &record{}
		began := time.Now()
		c, p := dialed(t, n, client.Options{Down: func(err error) { r.add("%v %v", time.Since(began), err) }})
		defer closing(t, c)
		for range 3 {
			p.next(level1.OpHB)
			p.say(level1.Heartbeat{})
		}
		if took := time.Since(began); took != 90*time.Second {
			t.Errorf("three signs of life after %v", took)
		}
		p.next(level1.OpHB)
		time.Sleep(9 * time.Second)
		if _, err := p.conn.Write(p.codec.AppendControl(nil, websocket.Ping, []byte("are you there?"))); err != nil {
			t.Error(err) // a ping is a sign of life too
		}
		time.Sleep(9 * time.Second)
		if got := r.take(); got != "[]" {
			t.Error(got)
		}
		p.mu.Lock()
		if !slices.Equal(p.pongs, []string{"are you there?"}) {
			t.Errorf("pongs: %q", p.pongs)
		}
		p.mu.Unlock()
		time.Sleep(2 * time.Second)
		if got := r.take(); !strings.HasPrefix(got, "[2m19s client: the server is silent") {
			t.Error(got)
		}
		p = n.accept()
		hello := p.next(level1.OpHello)
		p.say(level1.Welcome{ID: hello.ID, Conn: "c:n.2", Heartbeat: 10 * time.Second})
		began = time.Now()
		p.next(level1.OpHB)
		if took := time.Since(began); took != 15*time.Second {
			t.Errorf("a heartbeat was missed for %v", took)
		}
	})
}

// TestNoWelcome has a server that does not answer hello be given up.
func TestNoWelcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, downs := newNetwork(t), make(chan error, 1)
		o := client.Options{Dial: n.dial, Down: func(err error) { downs <- err }}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = client.Dial(ctx, "ws://server.example", o) }()
		began := time.Now()
		n.accept().next(level1.OpHello)
		if err := <-downs; !strings.Contains(err.Error(), "silent") || time.Since(began) != 20*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		<-n.peers // it has come again, and nobody answers
		cancel()
	})
}

// TestCloseInHandler has Close be called where everything is called.
func TestCloseInHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c *client.Client
		calls := 0
		c, p := dialed(t, newNetwork(t), client.Options{})
		subscribed(t, c, p, "a", push.Since{}, client.Handler{Message: func(level1.Message) { calls++; c.Close() }},
			level1.Subscribed{Channel: "a", Position: at(4)})
		p.text("[" + string(message("a", 5).Append(nil)) + "," + string(message("a", 6).Append(nil)) + "]")
		<-c.Done()
		if calls != 1 {
			t.Errorf("%d calls", calls)
		}
	})
}

// TestSlowToken has waits grow though it takes long to get a token: only a connection that lasts begins them anew.
func TestSlowToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const tries, slow = 12, 15 * time.Second
		n, began := newNetwork(t), time.Now()
		o := client.Options{Dial: n.dial, Token: func(context.Context) (string, error) {
			time.Sleep(slow)
			return "token", nil
		}}
		var c *client.Client
		done := make(chan error)
		go func() {
			var err error
			c, err = client.Dial(t.Context(), "ws://server.example", o)
			done <- err
		}()
		for i := range tries {
			p := n.accept()
			p.welcome()
			if i == 0 {
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
			p.conn.Close()
		}
		defer closing(t, c)
		n.accept().welcome()
		if waited := time.Since(began) - (tries+1)*slow; waited < tries*time.Second {
			t.Errorf("%d waits took %v in all", tries, waited)
		}
	})
}
