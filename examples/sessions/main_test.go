package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestSessions signs in, comes back, and signs out; somebody else is a stranger all the time.
func TestSessions(t *testing.T) {
	w := &lineman.Worker{Addr: "http://127.0.0.1:0", Handler: router()}
	s := linemantest.Start(t, w)
	base := "http://" + s.Addr(w).String()
	visitor := func() *http.Client {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		c := &http.Client{Jar: jar, Transport: &http.Transport{}, Timeout: time.Minute}
		t.Cleanup(c.CloseIdleConnections)
		return c
	}
	read := func(r *http.Response, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	wants := func(got, want string) {
		t.Helper()
		if !strings.Contains(got, want) {
			t.Errorf("%q has no %q", got, want)
		}
	}
	ann, stranger := visitor(), visitor()
	wants(read(ann.Get(base+"/")), "Sign in")
	wants(read(ann.PostForm(base+"/in", url.Values{"name": {"Ann <b>"}})), "Hello Ann &lt;b&gt;, this is visit 1.")
	wants(read(ann.Get(base+"/")), "this is visit 2.")
	wants(read(stranger.Get(base+"/")), "Sign in")
	wants(read(ann.PostForm(base+"/out", nil)), "Sign in")
	wants(read(ann.Get(base+"/")), "Sign in")
}
