package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push/hook"
)

// listener is an application that is told events.
type listener struct {
	*httptest.Server
	mu     sync.Mutex // guards the following
	status int
	told   []string // type, uid and what was said
}

func startListener(t *testing.T) *listener {
	l := &listener{status: http.StatusOK}
	signed := hook.Verifier{Secrets: []string{hookSecret}}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := signed.Verify(r.Header, body); err != nil {
			t.Error(err)
		}
		var said struct {
			Events []struct{ Type, UID, Text string }
		}
		if err := json.Unmarshal(body, &said); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, e := range said.Events {
			l.told = append(l.told, strings.TrimSpace(e.Type+" "+e.UID+" "+e.Text))
		}
		w.WriteHeader(l.status)
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *listener) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.told)
}

// hears are settings of a server that tells the application events.
func (l *listener) hears(t *testing.T, kinds ...string) config.Config {
	c := settings()
	c.Events.Messages = config.ToBackEnd
	h := config.DefaultHook()
	h.URL, h.Private, h.Secrets, h.Events = l.URL, true, []string{hookSecret}, kinds
	h.DeadLetters = filepath.Join(t.TempDir(), "dead")
	c.Hooks = map[string]config.Hook{"app": h}
	return c
}

// TestHook has an application be told what a page does, in order, to the end of the server.
func TestHook(t *testing.T) {
	l := startListener(t)
	t.Run("server", func(t *testing.T) {
		r := start(t, l.hears(t, "connect", "message", "close"), server.Options{})
		p := r.page("ann")
		r.known(r.backend(), "ann")
		for i := range 10 {
			p.Send(fmt.Sprint("hello ", i))
		}
		linemantest.Until(t, "the application is not told", func() bool { return len(l.all()) == 11 })
	})
	want := []string{"connect ann"}
	for i := range 10 {
		want = append(want, fmt.Sprint("message ann hello ", i))
	}
	if got := l.all(); !slices.Equal(got, append(want, "close ann")) {
		t.Errorf("the application was told %q", got)
	}
}

// TestHookAway has what an application does not take before the server ends be in the file of dead letters, whole, and
// nobody be held up by that.
func TestHookAway(t *testing.T) {
	l := startListener(t)
	l.status = http.StatusServiceUnavailable
	c := l.hears(t, "message", "close")
	var log journal
	t.Run("server", func(t *testing.T) {
		r := start(t, c, server.Options{Log: log.logger()})
		b := r.backend()
		p := r.page("ann")
		r.known(b, "ann")
		p.Send("hello")
		linemantest.Until(t, "the application is not told", func() bool { return len(l.all()) > 0 })
		began := time.Now()
		r.known(b, "ann")
		if took := time.Since(began); took > 10*time.Second { // a hook that is away holds nobody up: milliseconds
			t.Errorf("a back end waits for %v", took)
		}
	})
	text, err := os.ReadFile(c.Hooks["app"].DeadLetters)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	if strings.Count(got, "\n") != 2 || !strings.Contains(got, `"text":"hello"`) || !strings.Contains(got, `"close"`) {
		t.Errorf("the dead letters are %s", got)
	}
	if said := log.String(); strings.Contains(said, hookSecret) || strings.Contains(said, "hello") ||
		!strings.Contains(said, "dead letters") {
		t.Errorf("the log is %s", said)
	}
}
