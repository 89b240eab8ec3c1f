package doctor

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push/hook"
)

// TestHooks says of each hook what is wrong with it.
func TestHooks(t *testing.T) {
	signed := hook.Verifier{Secrets: []string{"a secret"}}
	var mu sync.Mutex // guards bodies
	var bodies []string
	app := http.NewServeMux()
	say := func(path, answer string) {
		app.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if err := signed.Verify(r.Header, body); err != nil {
				w.WriteHeader(http.StatusForbidden)
			}
			mu.Lock()
			bodies = append(bodies, string(body))
			mu.Unlock()
			_, _ = w.Write([]byte(answer))
		})
	}
	say("/told", "")
	say("/refuses", `{"refuse":"who are you"}`)
	say("/lets", `{"uid":"7"}`)
	say("/wrong", `{"uid":[7]}`)
	app.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	app.Handle("/moved", http.RedirectHandler("/told", http.StatusPermanentRedirect))
	stop := make(chan bool)
	app.HandleFunc("/slow", func(http.ResponseWriter, *http.Request) { <-stop })
	plain, secure := httptest.NewServer(app), httptest.NewTLSServer(app)
	defer plain.Close()
	defer secure.Close()
	defer close(stop)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()

	at := func(url string, tells bool, decides ...string) func(*Machine, *Options) {
		return func(_ *Machine, o *Options) {
			o.Hooks = []Hook{{
				Endpoint: hook.Endpoint{
					Name: "app", URL: url, Private: true, Secrets: []string{"a secret"},
					Timeout: 200 * time.Millisecond,
				},
				Tells: tells, Decides: decides,
			}}
		}
	}
	with := func(change func(*Machine, *Options), more func(*Hook)) func(*Machine, *Options) {
		return func(m *Machine, o *Options) { change(m, o); more(&o.Hooks[0]) }
	}
	try(t, hooks,
		trial{name: "none"},
		trial{name: "told", change: at(plain.URL+"/told", true), verdict: OK, found: "hook app takes events"},
		trial{name: "refuses", change: at(plain.URL+"/refuses", false, "connect"), verdict: OK, found: "who a page is"},
		trial{name: "lets", change: at(plain.URL+"/lets", true, "connect", "rpc"), verdict: OK, found: "who a page is"},
		trial{name: "wrong", change: at(plain.URL+"/wrong", false, "connect"), verdict: Fail, found: "uid",
			fix: "docs/deciding.md"},
		trial{name: "not asked", change: at(plain.URL+"/broken", false, "rpc"), verdict: OK, found: "answers 500"},
		trial{name: "not there", change: at(plain.URL+"/", false, "rpc"), verdict: Fail, found: "404"},
		trial{name: "another secret", change: with(at(plain.URL+"/told", true),
			func(h *Hook) { h.Secrets = []string{"another"} }), verdict: Fail, found: "403", fix: "hooks.app.secrets"},
		trial{name: "broken", change: at(plain.URL+"/broken", true), verdict: Fail, found: "500", fix: "log"},
		trial{name: "asked and broken", change: at(plain.URL+"/broken", false, "connect"), verdict: Fail, found: "500"},
		trial{name: "moved", change: at(plain.URL+"/moved", true), verdict: Fail, found: "308", fix: "hooks.app.url"},
		trial{name: "nowhere", change: at(plain.URL+"/?key=k", true), verdict: Fail, found: "404 Not Found to a POST"},
		trial{name: "slow", change: at(plain.URL+"/slow", true), verdict: Fail, found: "not answer within 200ms"},
		trial{name: "guarded", change: with(at(plain.URL+"/told", true), func(h *Hook) { h.Private = false }),
			verdict: Fail, found: "private network", fix: "hooks.app.private: true"},
		trial{name: "no certificate", change: at(secure.URL+"/told", true), verdict: Fail, found: "certificate",
			fix: "openssl s_client"},
		trial{name: "no TLS", change: at(strings.Replace(plain.URL, "http:", "https:", 1), true), verdict: Fail,
			found: "does not speak TLS", fix: "hooks.app.url"},
		trial{name: "nobody", change: at("http://"+free.Addr().String(), true), verdict: Fail,
			found: "nothing listens on 127.0.0.1", fix: "start the application"},
		trial{name: "no name", change: at("http://nowhere.invalid/?key=k", true), verdict: Fail,
			found: "nowhere.invalid", fix: "hooks.app.url"},
		trial{name: "no URL", change: at("app", true), verdict: Fail, found: "want a URL"},
	)
	mu.Lock()
	defer mu.Unlock()
	const asked = `{"ask":"connect","conn":"c:doctor.0","remote":"127.0.0.1:0","level":0,"path":"/"}`
	for _, body := range bodies {
		if !slices.Contains([]string{`{"events":[]}`, asked}, body) {
			t.Errorf("a hook was sent %s", body)
		}
	}
}
