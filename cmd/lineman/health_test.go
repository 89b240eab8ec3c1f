package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
)

// TestHealth asks where the settings say, by TLS if they have it, and fails unless the answer is 200.
func TestHealth(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ready" {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte("draining\n"))
			return
		}
		_, _ = w.Write([]byte("ok " + r.URL.Path + "\n"))
	})
	plain, secure := httptest.NewServer(handler), httptest.NewUnstartedServer(handler)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // of what is asked without TLS
	secure.StartTLS()
	defer plain.Close()
	defer secure.Close()
	folder := t.TempDir()
	cert, key := linemantest.CertificateFiles(t, folder)
	_, port, _ := strings.Cut(plain.Listener.Addr().String(), ":")
	for _, c := range []struct{ args, out, err string }{
		{"--listen " + plain.Listener.Addr().String(), "ok /health\n", ""},
		{"--dev=true --listen localhost:" + port, "ok /health\n", ""},
		{"--listen " + secure.Listener.Addr().String() + " --tls-cert " + cert + " --tls-key " + key, "ok /health\n",
			""},
		{"--ready --listen " + plain.Listener.Addr().String(), "", "/ready answers 503 Service Unavailable: draining"},
		{"--listen " + secure.Listener.Addr().String(), "", "/health answers 400"},
		{"--listen 127.0.0.1:1", "", "no answer from 127.0.0.1:1: connection refused"},
		{"--config " + filepath.Join(folder, "none.yaml"), "", "none.yaml"},
	} {
		out, err := run(append([]string{"health"}, strings.Fields(c.args)...)...)
		said := fmt.Sprint(err)
		if out != c.out || (err == nil) != (c.err == "") || !strings.Contains(said, c.err) {
			t.Errorf("%s: %q, %v, want %q, %s", c.args, out, err, c.out, c.err)
		}
	}
}
