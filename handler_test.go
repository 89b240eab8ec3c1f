package lineman_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// handled is a worker with an http.Handler.
func handled(f http.HandlerFunc) *lineman.Worker {
	return &lineman.Worker{Addr: "http://127.0.0.1:0", Handler: f, Logger: quiet}
}

func TestHandler(t *testing.T) {
	linemantest.NoLeaks(t)
	w := handled(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %d %v", r.Method, r.URL, len(body), err)
	})
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	for range 3 {
		c.Write("GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n")
		if r, body := c.Response(""); r.StatusCode != 200 || body != "GET /a?b 0 <nil>" {
			t.Errorf("%s %q", r.Status, body)
		}
	}
	big := strings.Repeat("x", 1<<20)
	c.Write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n" + big + "GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
	for _, want := range []string{"POST / 1048576 <nil>", "GET /next 0 <nil>"} {
		if _, body := c.Response(""); body != want {
			t.Errorf("%q, want %q", body, want)
		}
	}
	c.Write("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	for _, want := range []string{"POST / 5 <nil>", "GET /last 0 <nil>"} {
		if _, body := c.Response(""); body != want {
			t.Errorf("%q, want %q", body, want)
		}
	}
	if rest := c.Rest(); rest != "" {
		t.Errorf("after the end: %q", rest)
	}
}
