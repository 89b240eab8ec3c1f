package lineman_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
)

// folder makes files with these contents.
func folder(t *testing.T, contents map[string]string) http.Dir {
	t.Helper()
	dir := t.TempDir()
	for name, content := range contents {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return http.Dir(dir)
}

// bothDoors are workers that serve h, by Handler and by OnRequest.
func bothDoors(h http.Handler) map[string]*lineman.Worker {
	byHandler := &lineman.Worker{Addr: "http://127.0.0.1:0", Name: "handler", Handler: h, Logger: quiet}
	byRequest := &lineman.Worker{Addr: "http://127.0.0.1:0", Name: "request", Logger: quiet}
	byRequest.OnRequest = func(c *lineman.Conn, _ *http1.Request) { _ = c.Serve(h) }
	return map[string]*lineman.Worker{"Handler": byHandler, "OnRequest": byRequest}
}

// TestFiles serves files, and their compressed neighbours to clients which take them.
func TestFiles(t *testing.T) {
	linemantest.NoLeaks(t)
	root := folder(t, map[string]string{
		"app.js": "plain script", "app.js.gz": "gzipped", "app.js.br": "brotli", "only.css.gz": "no original",
		"data": "<html>", "data.gz": "zipped", "plain.txt": "plain text", "index.html": "<p>", "index.html.gz": "page",
		"sub/a.txt": "deeper",
	})
	outside := filepath.Join(filepath.Dir(string(root)), "secret.txt")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		target, fields         string
		status                 int
		body, encoding, length string
		media                  string
	}{
		{"/app.js", "", 200, "plain script", "", "12", "text/javascript; charset=utf-8"},
		{"/app.js", "Accept-Encoding: gzip, br\r\n", 200, "brotli", "br", "6", "text/javascript; charset=utf-8"},
		{"/app.js", "Accept-Encoding: gzip\r\n", 200, "gzipped", "gzip", "7", "text/javascript; charset=utf-8"},
		{"/app.js", "Accept-Encoding: br;q=0, GZIP ; q=0.5\r\n", 200, "gzipped", "gzip", "7",
			"text/javascript; charset=utf-8"},
		{"/app.js", "Accept-Encoding: br;q=0\r\n", 200, "plain script", "", "12", "text/javascript; charset=utf-8"},
		{"/app.js", "Accept-Encoding: br;q=much\r\n", 200, "plain script", "", "12", "text/javascript; charset=utf-8"},
		{"/app.js", "Accept-Encoding: br\r\nRange: bytes=1-3\r\n", 206, "rot", "br", "3",
			"text/javascript; charset=utf-8"},
		{"/app.js", "Accept-Encoding: br\r\nRange: bytes=9-\r\n", 416, "invalid range: failed to overlap\n", "", "33",
			"text/plain; charset=utf-8"},
		{"/data", "Accept-Encoding: gzip\r\n", 200, "zipped", "gzip", "6", "text/html; charset=utf-8"},
		{"/only.css", "Accept-Encoding: gzip\r\n", 404, "404 page not found\n", "", "19", "text/plain; charset=utf-8"},
		{"/plain.txt", "Accept-Encoding: gzip\r\n", 200, "plain text", "", "10", "text/plain; charset=utf-8"},
		{"/plain.txt", "Range: bytes=-4\r\n", 206, "text", "", "4", "text/plain; charset=utf-8"},
		{"/plain.txt", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n", 304, "", "", "", ""},
		{"/app.js", "Accept-Encoding: br\r\nIf-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n", 304, "", "", "", ""},
		{"/", "Accept-Encoding: gzip\r\n", 200, "page", "gzip", "4", "text/html; charset=utf-8"},
		{"/", "", 200, "<p>", "", "3", "text/html; charset=utf-8"},
		{"/index.html", "Accept-Encoding: gzip\r\n", 301, "", "", "0", ""},
		{"/sub", "", 301, "", "", "0", ""},
		{"/../secret.txt", "", 404, "404 page not found\n", "", "19", "text/plain; charset=utf-8"},
		{"/..%2fsecret.txt", "", 404, "404 page not found\n", "", "19", "text/plain; charset=utf-8"},
		{"/%2e%2e/secret.txt", "", 404, "404 page not found\n", "", "19", "text/plain; charset=utf-8"},
		{"/sub/..%5c..%5csecret.txt", "", 404, "404 page not found\n", "", "19", "text/plain; charset=utf-8"},
	}
	for door, w := range bothDoors(lineman.Files(root)) {
		t.Run(door, func(t *testing.T) {
			c := linemantest.Start(t, w).Dial(w)
			for _, tt := range tests {
				c.Write("GET " + tt.target + " HTTP/1.1\r\nHost: x\r\n" + tt.fields + "\r\n")
				r, body := c.Response("")
				got := fmt.Sprintf("%d %q %q %q %q", r.StatusCode, body, r.Header.Get("Content-Encoding"),
					r.Header.Get("Content-Length"), r.Header.Get("Content-Type"))
				want := fmt.Sprintf("%d %q %q %q %q", tt.status, tt.body, tt.encoding, tt.length, tt.media)
				if got != want {
					t.Errorf("%s %q:\n got %s\nwant %s", tt.target, tt.fields, got, want)
				}
				if tt.target == "/app.js" && r.Header.Get("Vary") != "Accept-Encoding" {
					t.Errorf("%s: Vary is %q", tt.target, r.Header.Get("Vary"))
				}
			}
		})
	}
}

// TestSendFile has large files and parts of them arrive as they are, over plain TCP and TLS, also through a reader that
// goes slowly.
func TestSendFile(t *testing.T) {
	linemantest.NoLeaks(t)
	content := make([]byte, 9<<20)
	_, _ = rand.Read(content)
	root := folder(t, map[string]string{"large": string(content)})
	for door, w := range bothDoors(lineman.Files(root)) {
		t.Run(door, func(t *testing.T) {
			c := linemantest.Start(t, w).Dial(w)
			c.Write("GET /large HTTP/1.1\r\nHost: x\r\n\r\nGET /large HTTP/1.1\r\nHost: x\r\n" +
				"Range: bytes=1000000-2999999\r\n\r\nHEAD /large HTTP/1.1\r\nHost: x\r\n\r\nGET /large HTTP/1.1\r\n" +
				"Host: x\r\nRange: bytes=0-3\r\n\r\n")
			for i, want := range [][]byte{content, content[1000000:3000000], nil, content[:4]} {
				method := "GET"
				if want == nil {
					method = "HEAD"
				}
				if _, body := c.Response(method); !bytes.Equal([]byte(body), want) {
					t.Errorf("answer %d: %d bytes, want %d, or others", i, len(body), len(want))
				}
			}
		})
	}
}

// TestSendFileCut has the answer end with the file, and with the connection.
func TestSendFileCut(t *testing.T) {
	linemantest.NoLeaks(t)
	path := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(path, make([]byte, 32<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	copied := make(chan error, 1)
	conns := make(chan *lineman.Conn, 1)
	w := handled(func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(path)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		if r.URL.Path == "/short" {
			w.Header().Set("Content-Length", "40000000")
		} else {
			w.Header().Set("Content-Length", "33554432")
		}
		_, err = io.Copy(w, f)
		copied <- err
	})
	w.OnConnect = func(c *lineman.Conn) { conns <- c }
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write("GET /short HTTP/1.1\r\nHost: x\r\n\r\n")
	next(t, conns, "the connection")
	if n := len(c.Rest()); n < 32<<20 || n > 33<<20 {
		t.Errorf("%d bytes came", n)
	}
	if err := next(t, copied, "the end of the file"); err != nil {
		t.Error(err)
	}
	c = s.Dial(w)
	c.Write(get)
	if _, err := io.ReadFull(c.Reader, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	next(t, conns, "the connection").Abort()
	if err := next(t, copied, "the end of the connection"); err == nil {
		t.Error("the file was sent to its end after Abort")
	}
}

// TestSendFileMemory has many slow readers of a large file need next to no memory.
func TestSendFileMemory(t *testing.T) {
	if os.Getenv("LINEMAN_POLLER") == "portable" || runtime.GOOS != "linux" {
		t.Skip("only epoll's loop has the kernel send files")
	}
	linemantest.NoLeaks(t)
	const readers = 100
	path := filepath.Join(t.TempDir(), "large")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<30)); err != nil {
		t.Fatal(err)
	}
	w := &lineman.Worker{
		Addr: "http://127.0.0.1:0", Handler: lineman.Files(http.Dir(filepath.Dir(path))), Logger: quiet,
	}
	s := linemantest.Start(t, w)
	before := liveHeap()
	for range readers {
		c := s.Dial(w)
		c.Write("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, err := io.ReadFull(c.Conn, make([]byte, 64<<10)); err != nil {
			t.Fatal(err)
		}
	}
	each := (liveHeap() - before) / readers
	t.Logf("%d bytes of heap for a reader, its client included", each)
	if each > 64<<10 {
		t.Errorf("%d bytes of heap for a reader", each)
	}
}
