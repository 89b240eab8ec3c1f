package exchange_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/internal/exchange"
)

// TestLast has the answer say that the connection closes, in whatever way it begins, where the loop lets it go.
func TestLast(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"nothing":     func(http.ResponseWriter, *http.Request) {},
		"WriteHeader": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) },
		"Write":       func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")) },
		"WriteString": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") },
		"ReadFrom":    func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, strings.NewReader("x")) },
		"Flush":       func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() },
	} {
		for _, last := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				try(t, func(t *trial) {
					t.last = last
					t.begin(h, get, true)
					status, _ := t.response()
					if says := strings.Contains(t.sent(), "Connection: close\r\n"); status != 200 || says != last {
						t.Errorf("last %v: %q", last, t.sent())
					}
					closes := 0
					if last {
						closes = 1
					}
					t.want("after the answer", 1-closes, closes)
				})
			})
		}
	}
}

// TestInterim has an answer that others follow not say so.
func TestInterim(t *testing.T) {
	try(t, func(t *trial) {
		t.last = true
		t.begin(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusNoContent)
		}, get, true)
		interim, answer, _ := strings.Cut(t.sent(), "\r\n\r\n")
		if strings.Contains(interim, "close") || !strings.Contains(answer, "Connection: close\r\n") {
			t.Errorf("%q", t.sent())
		}
	})
}

// TestUnwrap has http.ResponseController find net/http's own.
func TestUnwrap(t *testing.T) {
	try(t, func(t *trial) {
		t.begin(func(w http.ResponseWriter, r *http.Request) {
			u, ok := w.(interface{ Unwrap() http.ResponseWriter })
			if !ok || u.Unwrap() != http.ResponseWriter(exchange.Of(r).Response()) {
				t.Errorf("%T does not unwrap to net/http's", w)
			}
			if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
				t.Error(err)
			}
		}, get, true)
	})
}
