package exchange_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lineman-go/lineman/internal/exchange"
)

const (
	get     = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
	post    = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
	chunked = "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
)

// response is the answer that the peer has.
func (t *trial) response() (status int, body string) {
	t.Helper()
	r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(t.sent())), nil)
	if err != nil {
		t.Fatalf("%q: %v", t.sent(), err)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("%q: %v", t.sent(), err)
	}
	return r.StatusCode, string(b)
}

// echo answers with the body.
func echo(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }

// closing answers that the connection closes, without a look at the body.
func closing(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }

// TestAnswer has the connection go on after an answer, or close.
func TestAnswer(t *testing.T) {
	for _, c := range []struct {
		name, request string
		handler       http.HandlerFunc
		body          string
		closes        bool
	}{
		{"keep-alive", get, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) }, "/a", false},
		{"a body", post + "hello", echo, "hello", false},
		{"a body that is not read", post + "hello", func(http.ResponseWriter, *http.Request) {}, "", false},
		{"chunks", chunked + "3\r\nabc\r\n0\r\n\r\n", echo, "abc", false},
		{"HTTP/1.0", "GET /a HTTP/1.0\r\n\r\n", echo, "", true},
		{"the client closes", "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", echo, "", true},
		{"the handler closes", get, closing, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for split := range len(c.request) {
				try(t, func(t *trial) {
					x := t.begin(c.handler, c.request[:split], false)
					if x.Over() || t.sent() != "" {
						t.Errorf("answered after %d bytes", split)
					}
					x.Feed([]byte(c.request[split:]), true)
					synctest.Wait()
					if status, body := t.response(); status != 200 || body != c.body {
						t.Errorf("%d %q", status, body)
					}
					resumes, closes, room := 1, 0, exchange.Ended
					if c.closes {
						resumes, closes, room = 0, 1, exchange.Full
					}
					t.want("after the answer", resumes, closes)
					if got := x.Room(true); !x.Over() || got != room {
						t.Errorf("over %v, and room for the next request is %d, want %d", x.Over(), got, room)
					}
				})
			}
		})
	}
}

// TestRequest has the handler see what net/http shows it, and more.
func TestRequest(t *testing.T) {
	try(t, func(t *trial) {
		t.tls = &tls.ConnectionState{}
		x := t.begin(func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Prepared"); got != "192.0.2.1:1" || r.RemoteAddr != got {
				t.Errorf("from %s, prepared %q", r.RemoteAddr, got)
			}
			if r.TLS != t.tls {
				t.Errorf("TLS is %p", r.TLS)
			}
			if of := exchange.Of(r); of.Conn() != t.fake || string(of.Head()) != get || of.Response() == w {
				t.Errorf("the exchange is not the request's: %q", of.Head())
			}
			if _, ok := w.(exchange.Response); !ok {
				t.Errorf("%T is less than net/http's", w)
			}
		}, get, true)
		if !x.Over() {
			t.Error("it is not over")
		}
	})
	if r, _ := http.NewRequest("GET", "/", nil); exchange.Of(r) != nil {
		t.Error("a request of another server has an exchange")
	}
}

// TestRoom has the loop read a body no faster than its handler, and be told when it may go on.
func TestRoom(t *testing.T) {
	try(t, func(t *trial) {
		step := make(chan int)
		x := t.begin(func(w http.ResponseWriter, r *http.Request) {
			for n := range step {
				_, _ = io.ReadFull(r.Body, make([]byte, n))
			}
		}, strings.Replace(post, "5", "1000000", 1), false)
		piece, fed := make([]byte, 10<<10), 0
		for ; x.Room(false) == exchange.Free; fed += len(piece) {
			x.Feed(piece, false)
		}
		if fed < 64<<10 || fed > 100<<10 {
			t.Errorf("%d bytes of a body are read ahead", fed)
		}
		t.want("while the handler does not read", 0, 0)
		step <- 20 << 10
		synctest.Wait()
		t.want("while more than half is full", 0, 0)
		step <- 40 << 10
		synctest.Wait()
		t.want("when half is free", 1, 0)
		step <- 1
		synctest.Wait()
		t.want("when the loop knows", 1, 0)
		if x.Room(false) != exchange.Free {
			t.Error("there is no room for more")
		}
		if x.Room(true) != exchange.Full {
			t.Error("there is room for the next request")
		}
		close(step)
		x.Cut()
		synctest.Wait()
	})
}

// TestRest has what comes of a body after its answer go nowhere.
func TestRest(t *testing.T) {
	try(t, func(t *trial) {
		x := t.begin(closing, post+"he", false)
		t.want("after the answer", 0, 0)
		x.Feed([]byte("llo"), true)
		synctest.Wait()
		t.want("after the request", 0, 1)
	})
}

// TestGather has the end of an answer wait for the next one, if that is wanted, and nothing that the handler has sent.
func TestGather(t *testing.T) {
	for _, followed := range []bool{false, true} {
		try(t, func(t *trial) {
			x := exchange.New(t.fake, t.ends(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, "one")
				_ = http.NewResponseController(w).Flush() // net/http's can
				fmt.Fprint(w, "two")
			}), 0)
			if x.Feed([]byte(get), true); followed {
				x.Follow()
			}
			t.server.Serve(x)
			synctest.Wait()
			t.set(nil, func(f *fake) {
				want := 0
				if followed {
					want = len("3\r\ntwo\r\n0\r\n\r\n")
				}
				if f.gathered != want {
					t.Errorf("followed %v: %d bytes may wait, want %d", followed, f.gathered, want)
				}
			})
			if _, body := t.response(); body != "onetwo" {
				t.Errorf("%q", body)
			}
		})
	}
}

// TestHold has a loop that waits for the end only be told of it.
func TestHold(t *testing.T) {
	try(t, func(t *trial) {
		leave := make(chan struct{})
		waits := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-leave })
		x := exchange.New(t.fake, t.ends(), waits, 0)
		x.Hold()
		x.Feed([]byte(get), true)
		t.server.Serve(x)
		close(leave)
		synctest.Wait()
		if _, resumes, _ := t.calls(); resumes == 0 || !x.Over() {
			t.Error("the loop still waits")
		}
	})
}

// TestCut ends the body and the context of a request whose peer goes, and lets the handler answer.
func TestCut(t *testing.T) {
	try(t, func(t *trial) {
		read, done := make(chan error, 1), make(chan error, 1)
		x := t.begin(func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			read <- err
			<-r.Context().Done()
			done <- r.Context().Err()
			fmt.Fprint(w, "answered")
		}, post+"hel", false)
		x.Cut()
		synctest.Wait()
		if err := <-read; !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the body ends with %v", err)
		}
		if err := <-done; err != context.Canceled {
			t.Errorf("the context ends with %v", err)
		}
		if _, body := t.response(); body != "answered" {
			t.Errorf("%q", body)
		}
		t.want("after the answer", 1, 0) // the loop knows that it has ended
	})
}

// TestMakeLast has the connection close after the exchange under way.
func TestMakeLast(t *testing.T) {
	try(t, func(t *trial) {
		leave := make(chan struct{})
		x := t.begin(func(http.ResponseWriter, *http.Request) { <-leave }, get, true)
		if attends, _, _ := t.calls(); attends > 0 || !x.MakeLast() {
			t.Error("it waits for its body, or is over")
		}
		close(leave)
		synctest.Wait()
		t.want("after the answer", 0, 1)
		if x.MakeLast() || x.Room(true) != exchange.Full {
			t.Error("there may be a next request")
		}
	})
}

// TestBroken has a connection that cannot be written to go on with what had come before.
func TestBroken(t *testing.T) {
	for _, closes := range []bool{false, true} {
		try(t, func(t *trial) {
			leave := make(chan struct{})
			x := t.begin(func(w http.ResponseWriter, _ *http.Request) {
				<-leave
				if closes {
					w.Header().Set("Connection", "close")
				}
			}, get, true)
			x.MakeLast()
			t.set(x, func(f *fake) { f.state.Open, f.state.Broken = false, true })
			x.Cut()
			close(leave)
			synctest.Wait()
			t.want("after the answer", 1, 0)
			if !x.Over() || x.Room(true) != exchange.Ended {
				t.Error("the next request is not looked at")
			}
		})
	}
}

// TestAwaitsBody knows since when a handler can go on only by what its peer sends.
func TestAwaitsBody(t *testing.T) {
	try(t, func(t *trial) {
		step := make(chan int)
		x := t.begin(func(_ http.ResponseWriter, r *http.Request) {
			for n := range step {
				_, _ = io.ReadFull(r.Body, make([]byte, n))
			}
		}, post, false)
		wants := func(when string, now, since uint32, awaits bool) {
			t.Helper()
			synctest.Wait()
			if got, ok := x.AwaitsBody(now); ok != awaits || ok && got != since {
				t.Errorf("%s: %v since %d, want %v since %d", when, ok, got, awaits, since)
			}
		}
		wants("before it reads", 1, 0, false)
		step <- 2
		wants("when it reads", 5, 5, true)
		if attends, _, _ := t.calls(); attends == 0 {
			t.Error("the loop is not told that it waits")
		}
		wants("later", 9, 5, true)
		x.Feed([]byte("he"), false)
		wants("when it has what it wanted", 10, 0, false)
		step <- 3
		wants("when it reads again", 11, 11, true)
		x.Feed([]byte("llo"), true)
		wants("when all has come", 12, 0, false)
		close(step)
		synctest.Wait()
	})
}

// TestStalled knows since when nothing of an answer has gone.
func TestStalled(t *testing.T) {
	try(t, func(t *trial) {
		t.room = 1
		_, _ = t.WriteSome([]byte("of an answer before"), 64<<10, false)
		x := exchange.New(t.fake, t.ends(), nil, 2)
		for _, step := range []struct {
			now    uint32
			change func(f *fake)
			waits  bool
			since  uint32
		}{
			{3, func(*fake) {}, true, 2},
			{4, func(f *fake) { f.room += 5 }, true, 4},
			{7, func(*fake) {}, true, 4},
			{8, func(f *fake) { f.room++ }, true, 8},
			{9, func(f *fake) { f.room = 100 }, false, 9},
			{20, func(*fake) {}, false, 20},
			{30, func(f *fake) { f.room, f.pending = 0, []byte("more") }, true, 20},
			{40, func(f *fake) { f.room = 100 }, false, 40},
		} {
			t.set(x, step.change)
			if since, ok := x.Stalled(step.now); ok != step.waits || since != step.since {
				t.Errorf("at %d: %v since %d, want %v since %d", step.now, ok, since, step.waits, step.since)
			}
		}
		t.state.Stalled = true // by a file: nothing is pending
		if _, ok := x.Stalled(50); !ok {
			t.Error("a file that waits is not seen")
		}
	})
}

// TestPanic logs it, and closes the connection.
func TestPanic(t *testing.T) {
	try(t, func(t *trial) {
		x := t.begin(func(http.ResponseWriter, *http.Request) { panic("on purpose") }, get, true)
		t.want("after the panic", 0, 1)
		if log := t.log.String(); !strings.Contains(log, "on purpose") || !x.Over() {
			t.Errorf("the log has %q", log)
		}
	})
}

// TestServerClose lets a handler under way go on.
func TestServerClose(t *testing.T) {
	try(t, func(t *trial) {
		leave := make(chan struct{})
		x := t.begin(func(w http.ResponseWriter, _ *http.Request) {
			<-leave
			fmt.Fprint(w, "late")
		}, get, true)
		t.server.Close()
		close(leave)
		synctest.Wait()
		if _, body := t.response(); body != "late" || !x.Over() {
			t.Errorf("%q", body)
		}
	})
}
