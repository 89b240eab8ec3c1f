package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/websocket"
	"github.com/lineman-go/lineman/push/hook"
)

// question is what an application is asked.
type question struct {
	Ask, Conn, UID, Remote, Host, Path, Query, Origin, Token, Channel, Method string

	Level         int
	Headers       map[string]string
	Data, Session json.RawMessage
}

// application is a back end behind a hook: it decides by a function, whose answer is a body, or a status.
type application struct {
	*httptest.Server
	mu     sync.Mutex // guards the following
	decide func(q question) string
	asked  []question
}

const hookSecret = "0123456789abcdef"

func startApplication(t *testing.T, decide func(question) string) *application {
	t.Helper()
	a := &application{decide: decide}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		stamp := r.Header.Get(hook.TimestampHeader)
		if r.Header.Get(hook.SignatureHeader) != hook.Sign([]string{hookSecret}, stamp, body) {
			t.Errorf("the signature of %s is wrong", body)
		}
		var q question
		if err := json.Unmarshal(body, &q); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		answer := a.answer(q)
		if answer == "" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *application) answer(q question) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, q)
	return a.decide(q)
}

// questions are those that were asked since the last call.
func (a *application) questions() []question {
	a.mu.Lock()
	defer a.mu.Unlock()
	asked := a.asked
	a.asked = nil
	return asked
}

// now changes how it decides.
func (a *application) now(decide func(question) string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.decide = decide
}

// decides are settings without a token key, in which an application decides.
func (a *application) decides(what ...string) config.Config {
	c := settings()
	h := config.DefaultHook()
	h.URL, h.Private, h.Secrets, h.Decides, h.Timeout = a.URL, true, []string{hookSecret}, what, time.Minute
	c.Hooks = map[string]config.Hook{"app": h}
	return c
}

// closed checks with which code and reason a page is closed.
func closed(t *testing.T, c *linemantest.Client, code websocket.Code, why string) {
	t.Helper()
	if got := told(t, c, code); got != why {
		t.Errorf("a page is closed as %q, want %q", got, why)
	}
}
