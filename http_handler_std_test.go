package lineman_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
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

// TestHandlerFiles has net/http's own handlers work: ranges, conditions, and files that io.Copy would hand to the
// kernel.
func TestHandlerFiles(t *testing.T) {
	linemantest.NoLeaks(t)
	folder, big := t.TempDir(), strings.Repeat("0123456789", 300_000)
	file := filepath.Join(folder, "big.txt")
	if err := os.WriteFile(file, []byte(big), 0o600); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/files/", http.StripPrefix("/files/", http.FileServer(http.Dir(folder))))
	mux.HandleFunc("/content", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"e"`)
		http.ServeContent(w, r, "a.txt", time.Time{}, strings.NewReader("0123456789"))
	})
	mux.HandleFunc("/copy", func(w http.ResponseWriter, _ *http.Request) {
		f, err := os.Open(file)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		if n, err := io.Copy(w, f); n != int64(len(big)) || err != nil {
			t.Errorf("%d bytes copied, %v", n, err)
		}
	})
	mux.Handle("/late",
		http.TimeoutHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }),
			time.Millisecond, "late"))
	mux.Handle("/early",
		http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "early") }),
			patience, "late"))
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Handler: mux, Logger: quiet}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	for _, tt := range []struct {
		method, path, fields string
		status               int
		body                 string
		length               int64
	}{
		{"GET", "/content", "", 200, "0123456789", 10},
		{"GET", "/content", "Range: bytes=2-4\r\n", 206, "234", 3},
		{"GET", "/content", "Range: bytes=-2\r\n", 206, "89", 2},
		{"GET", "/content", "Range: bytes=20-\r\n", 416, "invalid range: failed to overlap\n", 33},
		{"GET", "/content", "If-None-Match: \"e\"\r\n", 304, "", 0},
		{"GET", "/content", "If-None-Match: \"f\"\r\n", 200, "0123456789", 10},
		{"HEAD", "/content", "", 200, "", 10},
		{"GET", "/files/big.txt", "", 200, big, int64(len(big))},
		{"HEAD", "/files/big.txt", "", 200, "", int64(len(big))},
		{"GET", "/files/big.txt", "Range: bytes=1000000-1999999\r\n", 206, big[1000000:2000000], 1000000},
		{"GET", "/files/none", "", 404, "404 page not found\n", 19},
		{"GET", "/copy", "", 200, big, -1},
		{"GET", "/late", "", 503, "late", 4},
		{"GET", "/early", "", 200, "early", 5},
	} {
		c.Write(tt.method + " " + tt.path + " HTTP/1.1\r\nHost: x\r\n" + tt.fields + "\r\n")
		r, body := c.Response(tt.method)
		if r.StatusCode != tt.status || body != tt.body || r.ContentLength != tt.length {
			t.Errorf("%s %s %q: %s, %d bytes told, body %.40q of %d", tt.method, tt.path, tt.fields, r.Status,
				r.ContentLength, body, len(body))
		}
	}
}

// TestHandlerDeadlines has a handler limit its own Read and Write.
func TestHandlerDeadlines(t *testing.T) {
	linemantest.NoLeaks(t)
	failed := make(chan error, 1)
	w := handled(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		soon := time.Now().Add(50 * time.Millisecond)
		if r.Method == "POST" {
			_ = control.SetReadDeadline(soon)
			_, err := io.ReadAll(r.Body)
			failed <- err
			return
		}
		_ = control.SetWriteDeadline(soon)
		for piece, err := make([]byte, 1<<16), error(nil); ; {
			if _, err = w.Write(piece); err != nil {
				failed <- err
				return
			}
		}
	})
	s := linemantest.Start(t, w)
	reads, takes := s.Dial(w), s.Dial(w)
	reads.Write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel")
	if err := next(t, failed, "the end of Read"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read: %v", err)
	}
	if r, _ := reads.Response(""); r.StatusCode != 200 || !r.Close {
		t.Errorf("%s, close %v", r.Status, r.Close)
	}
	takes.Write(get)
	if err := next(t, failed, "the end of Write"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write: %v", err)
	}
}

// TestHandlerCloseNotify is for middleware of old.
func TestHandlerCloseNotify(t *testing.T) {
	linemantest.NoLeaks(t)
	gone := make(chan bool, 1)
	w := handled(func(w http.ResponseWriter, _ *http.Request) {
		gone <- <-w.(interface{ CloseNotify() <-chan bool }).CloseNotify()
	})
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write(get)
	waitForBytes(t, s, w, c)
	c.Close()
	if !next(t, gone, "the notice") {
		t.Error("the channel was closed")
	}
}

// TestHandlerWho has a handler know its client, and the TLS below.
func TestHandlerWho(t *testing.T) {
	linemantest.NoLeaks(t)
	for _, secure := range []bool{false, true} {
		w := handled(func(w http.ResponseWriter, r *http.Request) {
			local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
			fmt.Fprintf(w, "%s %s %v", r.RemoteAddr, local, r.TLS != nil && r.TLS.HandshakeComplete &&
				r.TLS.Version >= tls.VersionTLS12)
		})
		if secure {
			w.TLS = linemantest.TLS(t)
		}
		s := linemantest.Start(t, w)
		c := s.Dial(w)
		c.Write(get)
		want := fmt.Sprintf("%s %s %v", c.Conn.LocalAddr(), c.Conn.RemoteAddr(), secure)
		if _, body := c.Response(""); body != want {
			t.Errorf("%q, want %q", body, want)
		}
	}
}

// TestHandlerSlowReader has a client read a big answer slowly: little of it waits in this process, and others are
// served.
func TestHandlerSlowReader(t *testing.T) {
	linemantest.NoLeaks(t)
	const size = 32 << 20
	for _, secure := range []bool{false, true} {
		w := handled(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				return
			}
			for piece, left := make([]byte, 1<<20), size; left > 0; left -= len(piece) {
				if _, err := w.Write(piece); err != nil {
					t.Error(err)
					return
				}
			}
		})
		if secure {
			w.TLS = linemantest.TLS(t)
		}
		s := linemantest.Start(t, w)
		c, other := s.Dial(w), s.Dial(w)
		c.Write("GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		r, err := http.ReadResponse(c.Reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		for got := 0; got < size; got += 1 << 20 {
			_ = c.Conn.SetDeadline(time.Now().Add(patience)) // for each piece: all of it may take longer
			if _, err := io.CopyN(io.Discard, r.Body, 1<<20); err != nil {
				t.Fatalf("after %d bytes: %v", got, err)
			}
			other.Write(get)
			other.Response("")
			s.Do(w, func(l *lineman.Loop) {
				for c := range l.Conns(w) {
					if n := c.Pending(); n > held {
						t.Errorf("%d bytes wait", n)
					}
				}
			})
		}
		r.Body.Close()
	}
}

// TestHandlerClient has net/http's client use one connection for 1,000 requests, or few: it gives one up whose request
// it takes 50 ms to write, as on a busy machine.
func TestHandlerClient(t *testing.T) {
	linemantest.NoLeaks(t)
	w := handled(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(body)
	})
	s := linemantest.Start(t, w)
	client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
	defer client.CloseIdleConnections()
	for i := range 1000 {
		want := strings.Repeat("x", i)
		r, err := client.Post("http://"+s.Addr(w).String(), "text/plain", strings.NewReader(want))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		if r.Body.Close(); string(body) != want || err != nil {
			t.Fatalf("request %d: %q, %v", i, body, err)
		}
	}
	s.Do(w, func(l *lineman.Loop) {
		if n := l.Stats().Accepted; n > 20 {
			t.Errorf("%d connections", n)
		}
	})
}

// TestHandlerHalfClose has clients end their side at once behind a request: each gets its answer, and then the end.
func TestHandlerHalfClose(t *testing.T) {
	linemantest.NoLeaks(t)
	w := handled(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "answer") })
	w.Limits.Close = 3600 * second // so that it is no limit that ends them
	s := linemantest.Start(t, w)
	for i := range 100 {
		c := s.Dial(w)
		c.Write(get + get)
		c.CloseWrite()
		if n := strings.Count(c.Rest(), "answer"); n != 2 {
			t.Fatalf("connection %d: %d answers", i, n)
		}
		c.Close()
	}
}

// TestServeKeepAlive has several requests of one connection go to a handler by Serve.
func TestServeKeepAlive(t *testing.T) {
	linemantest.NoLeaks(t)
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Logger: quiet}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	w.OnRequest = func(c *lineman.Conn, _ *http1.Request) {
		if err := c.Serve(h); err != nil {
			t.Error(err)
		}
	}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	for i := range 100 {
		c.Write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
		if _, body := c.Response(""); body != "hello" {
			t.Errorf("request %d: %q", i, body)
		}
	}
}
