package e2e

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/lineman-go/lineman/linemantest"
)

// TestSite has a browser use the site over https and wss, behind the proxy: it uploads a file, talks to the WebSocket
// with compression, and comes back to the stream of events where it was when the proxy had been away.
func TestSite(t *testing.T) {
	folder := t.TempDir()
	cert, key := linemantest.CertificateFiles(t, folder)
	site := start(t, "site", "-addr", "http://127.0.0.1:0", "-files", folder, "-cert", cert, "-key", key)
	target := site.find(`https://([0-9.:]+)/`)[0]
	proxy := start(t, "proxy", "-listen", "tcp://127.0.0.1:0", "-to", "tcp://"+target)
	front := proxy.find(`comes to ([0-9.:]+) goes`)[0]

	p := open(t, browser(t, chromedp.IgnoreCertErrors), "https://"+front+"/")
	says := func(id, want string) {
		t.Helper()
		linemantest.Until(t, id+" does not say "+want, func() bool {
			return strings.Contains(eval[string](p, `document.getElementById("`+id+`").textContent`), want)
		})
	}
	says("missed", "0 missed")
	says("said", "with permessage-deflate")
	p.picture("site")

	content := strings.Repeat("what is uploaded ", 300_000)
	file := filepath.Join(folder, "upload.txt")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	do(p, chromedp.SetUploadFiles(chromedp.CSS("#upload input"), []string{file}))
	do(p, chromedp.Click(chromedp.CSS("#upload button")))
	says("uploaded", fmt.Sprintf("upload.txt: %d bytes, SHA-256 %x", len(content), sha256.Sum256([]byte(content))))
	eval[int](p, `fetch("/files/upload.txt").then(r => r.text()).then(text => window.fetched = text); 0`)
	linemantest.Until(t, "the file does not come back",
		func() bool { return eval[bool](p, "window.fetched !== undefined") })
	if got := eval[string](p, "fetched"); got != content {
		t.Errorf("%d bytes came back of %d", len(got), len(content))
	}
	do(p, chromedp.SendKeys(chromedp.CSS("#text"), strings.Repeat("again and ", 200)+"again"))
	do(p, chromedp.Click(chromedp.CSS("#say button")))
	says("said", "again and again")

	last := eval[int](p, "last")
	if code := proxy.stop(); code != 0 {
		t.Errorf("the proxy ended with %d", code)
	}
	says("missed", "The stream is away")
	start(t, "proxy", "-listen", "tcp://"+front, "-to", "tcp://"+target)
	says("missed", "0 missed")
	linemantest.Until(t, "the stream does not go on", func() bool { return eval[int](p, "last") > last })
	if missed := eval[int](p, "missed"); missed != 0 {
		t.Errorf("%d events were missed", missed)
	}
	if code := site.stop(); code != 0 {
		t.Errorf("the site ended with %d", code)
	}
}
