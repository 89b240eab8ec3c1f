package exchange_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/internal/exchange"
)

// goroutine names the one that it is called on.
func goroutine() string {
	stack := make([]byte, 64)
	stack = stack[:runtime.Stack(stack, false)]
	name, _, _ := bytes.Cut(stack, []byte(" ["))
	return string(name)
}

// spares counts the goroutines that wait for an exchange.
func spares() int {
	all := make([]byte, 4<<20)
	return bytes.Count(all[:runtime.Stack(all, true)], []byte("(*serverConn).goOn("))
}

// serve has an exchange of a whole request served, and returns the goroutine that did, and the path that it saw.
func (t *trial) serve(request string, inHandler func(http.ResponseWriter, *http.Request)) (by, path string) {
	t.Helper()
	x := t.begin(func(w http.ResponseWriter, r *http.Request) {
		by, path = goroutine(), r.URL.Path
		if err := r.Context().Err(); err != nil {
			t.Errorf("the context of %s is over before its handler begins: %v", path, err)
		}
		inHandler(w, r)
	}, request, true)
	if !x.Over() {
		t.Errorf("%q is not over", request)
	}
	return by, path
}

func nop(http.ResponseWriter, *http.Request) {}

func abort(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

const second = "GET /second HTTP/1.1\r\nHost: x\r\n\r\n"

// TestSpare has a request find the goroutine of one before it, and nothing else of that.
func TestSpare(t *testing.T) {
	for name, c := range map[string]struct {
		request string
		handler http.HandlerFunc
		kept    bool
	}{
		"answered":                {get, nop, true},
		"a body":                  {post + "hello", echo, true},
		"a body that is not read": {post + "hello", nop, true},
		"chunks":                  {chunked + "3\r\nabc\r\n0\r\n\r\n", echo, true},
		"the handler closes":      {get, closing, false},
		"a byte too many":         {get + "G", nop, false},
		"a request too many":      {get + "GET /b HTTP/1.1\r\nHost: x\r\n\r\n", nop, false},
		"a line too many":         {post + "hello\r\n", echo, false},
		"a panic":                 {get, abort, false},
		"a time to read by": {get, func(w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // it can be set
			<-r.Context().Done()
		}, false},
		"a peer that goes": {get, func(_ http.ResponseWriter, r *http.Request) {
			exchange.Of(r).Cut()
			<-r.Context().Done()
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			try(t, func(t *trial) {
				first, path := t.serve(c.request, c.handler)
				if path != "/a" {
					t.Errorf("the first is for %s", path)
				}
				t.set(nil, func(f *fake) { f.state.Open, f.taken = true, nil })
				t.local = &net.TCPAddr{Port: 7}
				then, path := t.serve(second, func(w http.ResponseWriter, r *http.Request) {
					fmt.Fprint(w, r.Context().Value(http.LocalAddrContextKey))
				})
				if status, body := t.response(); status != 200 || body != ":7" || path != "/second" {
					t.Errorf("%s is answered %d %q", path, status, body)
				}
				if kept := first == then; kept != c.kept {
					t.Errorf("served by %s and %s", first, then)
				}
			})
		})
	}
}

// TestSparesEnd has a server that is quiet hold no goroutine, and end those that it did not need.
func TestSparesEnd(t *testing.T) {
	try(t, func(t *trial) {
		leave := make(chan struct{})
		const many = 300
		for range many {
			t.begin(func(http.ResponseWriter, *http.Request) { <-leave }, get, true)
		}
		close(leave)
		synctest.Wait()
		if n := spares(); n < 200 || n == many {
			t.Errorf("%d goroutines are spare after %d requests at once", n, many)
		}
		for range 4 {
			time.Sleep(900 * time.Millisecond)
			t.serve(get, nop)
		}
		if n := spares(); n != 1 {
			t.Errorf("%d goroutines for one request after the other", n)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if n := spares(); n != 0 {
			t.Errorf("%d goroutines of a quiet server", n)
		}
		t.serve(get, nop)
	})
}

// TestServeAfterClose has a server that has ended hold nobody up who wants many exchanges served.
func TestServeAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := exchange.NewServer(slog.New(slog.DiscardHandler), func(exchange.Conn, *http.Request) {})
		s.Close()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 1000 {
				s.Serve(exchange.New(&fake{}, exchange.Ends{}, http.HandlerFunc(nop), 0))
			}
		}()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatal("Serve waits for a server that has ended")
		}
	})
}

// TestPanicOfPeer tells whose request had a handler panic.
func TestPanicOfPeer(t *testing.T) {
	try(t, func(t *trial) {
		t.serve(get, func(http.ResponseWriter, *http.Request) { panic("on purpose") })
		if log := t.log.String(); !strings.Contains(log, "panic serving 192.0.2.1:1: on purpose") ||
			!strings.Contains(log, "TestPanicOfPeer") {
			t.Errorf("the log has %q", log)
		}
	})
}
