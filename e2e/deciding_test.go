package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
)

// TestDocDeciding is the program of docs/deciding.md behind a real browser: a page is known by its PHP session alone,
// refused without one, and a page of another site does not come in by it.
func TestDocDeciding(t *testing.T) {
	need(t, "php")
	found := blocks(t, "../docs/deciding.md", "php")
	if len(found) != 1 {
		t.Fatalf("%d programs", len(found))
	}
	const secret = "the secret of this test"
	t.Setenv("HOOK_SECRET", secret)
	folder := t.TempDir()
	write(t, filepath.Join(folder, "lineman.php"), found[0])
	site := serveOn(t, folder, "php", func(addr string) []string {
		return []string{"-d", "session.save_path=" + t.TempDir(), "-S", addr}
	})
	settings := filepath.Join(t.TempDir(), "lineman.yaml")
	write(t, settings, fmt.Sprintf("origins: ['http://%s']\nhooks:\n  app: {url: 'http://%s/lineman.php', "+
		"private: true, decides: [connect], secrets: ['%s']}\n", site, site, secret))
	p := startLineman(t, "--config", settings)
	if strings.Contains(p.said(), "DEV MODE") {
		t.Error("it is in dev mode")
	}
	const page = `<?php session_start(); if (isset($_GET['uid'])) $_SESSION['uid'] = (int) $_GET['uid']; ?>
		<script>
			const socket = new WebSocket("ws://PAGES/?sub=chat:1")
			var said = ""
			socket.onmessage = event => said = event.data
			socket.onclose = event => said = event.code + " " + event.reason
		</script>`
	write(t, filepath.Join(folder, "index.php"), strings.ReplaceAll(page, "PAGES", p.pages))
	chrome := browser(t)
	shows := func(tab *tab, want string) {
		t.Helper()
		got := ""
		defer func() {
			if t.Failed() {
				t.Logf("the page shows %q", got)
			}
		}()
		linemantest.Until(t, "the page does not show "+want, func() bool {
			got = eval[string](tab, `said`)
			return got == want
		})
	}
	guest := open(t, chrome, "http://"+site+"/")
	shows(guest, "4001 please log in")
	guest.close()

	user := open(t, chrome, "http://"+site+"/?uid=7")
	p.known("7")
	p.ask(`{"cmd":"pub","to":"chat:1","text":"hello"}` + "\n")
	shows(user, "hello")

	_, port, _ := strings.Cut(site, ":")
	foreign := open(t, chrome, "http://localhost:"+port+"/?uid=8") // another origin, and no cookie of 127.0.0.1
	shows(foreign, "1006 ")
}
