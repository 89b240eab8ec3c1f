package server_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
)

// TestScript has both builds of lineman.js be fetched from the port for pages, and not again while they are the same.
func TestScript(t *testing.T) {
	r := start(t, devMode(), server.Options{})
	defer http.DefaultClient.CloseIdleConnections()
	for path, want := range map[string]string{"/lineman.js": "globalThis.Lineman=", "/lineman.mjs": " as connect}"} {
		get := func(tag string) (*http.Response, string) {
			ask, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+r.Addr(r.pages).String()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			ask.Header.Set("If-None-Match", tag)
			answer, err := http.DefaultClient.Do(ask)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			return answer, string(body)
		}
		first, body := get(`"another"`)
		tag, kind := first.Header.Get("ETag"), first.Header.Get("Content-Type")
		if first.StatusCode != 200 || !strings.Contains(body, want) || !strings.HasPrefix(kind, "text/javascript") {
			t.Errorf("%s: %s, %s, %.100q", path, first.Status, kind, body)
		}
		if again, body := get("W/" + tag); again.StatusCode != 304 || body != "" || again.Header.Get("ETag") != tag {
			t.Errorf("%s: again %s, %q", path, again.Status, body)
		}
	}
}
