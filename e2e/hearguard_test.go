package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"

	"github.com/lineman-go/lineman/linemantest"
)

// startCanary is a port of this machine that nobody is to reach. reached is how often that happened.
func startCanary(t *testing.T) (port string, reached *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	reached = new(atomic.Int64)
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			reached.Add(1)
			c.Close()
		}
	})
	t.Cleanup(func() { l.Close(); accepting.Wait() })
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port, reached
}

// TestHookGuard has hooks point at this machine in all ways that there are, and redirect there: the settings are
// refused, or nobody is reached when there is something to tell.
func TestHookGuard(t *testing.T) {
	t.Parallel()
	port, reached := startCanary(t)
	redirects := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:"+port, http.StatusTemporaryRedirect))
	t.Cleanup(redirects.Close)
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	const hook = "  %s: {url: %q, events: [connect, close], secrets: [a secret of this test], dead_letters: %s.dead}\n"
	folder := t.TempDir()
	settings := "hooks:\n  told: {url: \"" + redirects.URL + "\", events: [connect], private: true}\n"
	asked := []string{"told"}
	for i, host := range []string{
		name, "127.0.0.1", "localhost", "LOCALHOST.", "[::1]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "0.0.0.0", "[::]",
		"127.1", "2130706433", "0x7f.1", "017700000001", "①②⑦.⓪.⓪.①",
	} {
		one := fmt.Sprintf(hook, fmt.Sprint("h", i), "https://"+host+":"+port+"/", fmt.Sprint("h", i))
		write(t, filepath.Join(folder, "one.yaml"), "hooks:\n"+one)
		said, err := try(t, "", binaries+"/lineman", "config", "check", filepath.Join(folder, "one.yaml"))
		if err == nil {
			settings += one
			asked = append(asked, fmt.Sprint("h", i))
		} else if !strings.Contains(said, "private") && !strings.Contains(said, "want a URL") {
			t.Errorf("%s: %s", host, said)
		}
	}
	write(t, filepath.Join(folder, "lineman.yaml"), settings)
	p := startLineman(t, "--config", filepath.Join(folder, "lineman.yaml"), "--log-level", "debug")
	page, err := speak(dial(t, p.pages), "ann")
	if err != nil {
		t.Fatal(err)
	}
	page.goodbye(ws.StatusNormalClosure, "")
	for _, name := range asked {
		linemantest.Until(t, "the hook "+name+" is not tried: "+fmt.Sprint(asked), func() bool {
			return strings.Contains(p.said(), "hook="+name)
		})
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("the canary is reached %d times; of %q", n, asked)
	}
	t.Logf("%q are no error of the settings", asked)
}

// TestSecretsAreSilent runs a server whose log tells all, with hooks that fail, and whose pages and back ends are
// refused: no secret is in the log, in the dead letters or in the settings as they are shown.
func TestSecretsAreSilent(t *testing.T) {
	t.Parallel()
	secrets := []string{
		"first-secret-of-the-hook", "second-secret-of-the-hook", "secret-of-tokens-of-this-test",
		"key-of-a-back-end-here",
	}
	var signatures sync.Map
	fails := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, s := range strings.Split(r.Header.Get("Lineman-Signature"), ",") {
			signatures.Store(strings.TrimPrefix(s, "v1="), true)
		}
		http.Error(w, "no", http.StatusBadRequest)
	}))
	t.Cleanup(fails.Close)
	folder := t.TempDir()
	write(t, filepath.Join(folder, "lineman.yaml"), fmt.Sprintf(`
hooks: {app: {url: %q, events: [connect, message, close], secrets: [%q, %q], private: true}}
token: {secrets: [%q]}
api: {keys: [{name: one, key: %q}]}
text: {auth: true}
`, fails.URL+"/?token=in-the-url-of-the-hook", secrets[0], secrets[1], secrets[2], secrets[3]))
	p := startLineman(t, "--config", filepath.Join(folder, "lineman.yaml"), "--log-level", "debug")
	token := strings.TrimSpace(output(t, "", binaries+"/lineman", "token", "--config", folder+"/lineman.yaml", "--uid",
		"ann"))
	page, err := speak(dial(t, p.pages), token)
	if err != nil {
		t.Fatal(err)
	}
	if err := page.write(map[string]any{"op": "say", "id": 2, "data": "something"}); err != nil {
		t.Fatal(err)
	}
	for m := (spoken{}); m.ID != 2; {
		if m, err = page.read(); err != nil {
			t.Fatal(err)
		}
	}
	page.goodbye(ws.StatusNormalClosure, "")
	for _, key := range []string{secrets[3] + "x", secrets[3]} {
		if _, err := askLine(p.backends, fmt.Sprintf(`{"cmd":"auth","key":%q}`, key)); err != nil {
			t.Error(err)
		}
	}
	linemantest.Until(t, "nobody logs that the hook fails",
		func() bool { return strings.Contains(p.said(), "hook=app") })
	shown := output(t, "", binaries+"/lineman", "config", "show", "--config", folder+"/lineman.yaml")
	p.stop()
	for _, secret := range secrets {
		if strings.Contains(shown, secret) {
			t.Errorf("the settings are shown with %s:\n%s", secret, shown)
		}
	}
	secrets = append(secrets, "in-the-url-of-the-hook") // it is a setting, but nobody else's business
	signatures.Range(func(s, _ any) bool { secrets = append(secrets, s.(string)); return true })
	secrets = append(secrets, token[strings.LastIndexByte(token, '.')+1:])
	for where, text := range map[string]string{"log": p.said(), "dead letters": deadLetters(t, p)} {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("in the %s is %s:\n%s", where, secret, text)
			}
		}
	}
}

// deadLetters are what the hooks of a server did not take.
func deadLetters(t *testing.T, p push) string {
	t.Helper()
	text := read(t, filepath.Join(p.cmd.Dir, "lineman.dead"))
	if text == "" {
		t.Error("there are no dead letters")
	}
	return text
}
