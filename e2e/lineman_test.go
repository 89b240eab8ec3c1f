package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// startLineman runs the push server on free ports.
func startLineman(t *testing.T, flags ...string) push {
	t.Helper()
	p := start(t, "lineman",
		append([]string{
			"start", "--listen", "127.0.0.1:0", "--text", "127.0.0.1:0", "--api", "127.0.0.1:0", "--admin",
			"127.0.0.1:0",
		}, flags...)...)
	said := p.find(`pages on wss?://(\S+), back ends on ([^,\s]+), HTTP API on ([^,\s]+)`)
	return push{p, said[0], said[1], said[2]}
}

// TestLineman is the quick start: the page of the server in a browser, and a line pushed to it by the command.
func TestLineman(t *testing.T) {
	t.Parallel()
	p := startLineman(t)
	p.find(`DEV MODE`)
	page := open(t, browser(t), p.find(`open +(http://\S+)`)[0])
	page.shows(".user .state", "Connected as uid1.")
	p.known("uid1")
	command := filepath.Join(binaries, "lineman")
	if got := output(t, "", command, "push", "--server", p.backends, "uid", "uid1", `{"percent":"88%"}`); got != "1\n" {
		t.Errorf("push says %q", got)
	}
	linemantest.Until(t, "the page does not show the line", func() bool {
		return strings.Contains(page.text(".user .got"), `{"percent":"88%"}`)
	})
	page.picture("lineman")
	if out, err := try(t, "", command, "push", "--server", p.backends, "uid", "nobody", `{}`); err == nil ||
		!strings.HasPrefix(out, "0\n") {
		t.Errorf("push to nobody says %q, %v", out, err)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("SIGTERM: exit code %d", code)
	}
	page.shows(".user .state", "Not connected (")
}

// TestLinemanTLS has the page come by https, and its WebSocket by wss.
func TestLinemanTLS(t *testing.T) {
	t.Parallel()
	cert, key := linemantest.CertificateFiles(t, t.TempDir())
	p := startLineman(t, "--tls-cert", cert, "--tls-key", key)
	page := open(t, browser(t, chromedp.IgnoreCertErrors), p.find(`open +(https://\S+)`)[0])
	page.shows(".user .state", "Connected as uid1.")
	p.known("uid1")
	for i := range 2 {
		page.shows(user(i)+".here", "here: uid1, uid2")
	}
	page.press("#go") // which asks the server as a back end would
	page.shows("#answer", "Published: 2 connections have taken it")
	p.stop()
	out, err := try(t, "", filepath.Join(binaries, "lineman"), "start", "--tls-cert", cert)
	if err == nil || !strings.Contains(out, "belong together") {
		t.Errorf("a certificate without its key: %q, %v", out, err)
	}
}

// TestLinemanSeed runs the programs that the project comes from as they are, but for the ports.
func TestLinemanSeed(t *testing.T) {
	folder := told["LINEMAN_SEED"]
	if folder == "" {
		t.Skip("LINEMAN_SEED is not set; TestLinemanClients does the same")
	}
	p := startLineman(t)
	onOurPorts := strings.NewReplacer("127.0.0.1:1234", p.pages, "127.0.0.1:5678", p.backends)
	runClients(t, p, onOurPorts.Replace(read(t, folder+"/client.js")),
		onOurPorts.Replace(read(t, folder+"/client.php")))
}

// TestLinemanClients runs this project's own.
func TestLinemanClients(t *testing.T) {
	p := startLineman(t)
	runClients(t, p, "const address = "+fmt.Sprintf("%q", "ws://"+p.pages)+"\n"+read(t, "testdata/client.js"),
		read(t, "testdata/client.php"))
}

// TestLinemanOrder has a thousand lines of one back end reach all pages of a uid in their order, each with its answer.
func TestLinemanOrder(t *testing.T) {
	p := startLineman(t)
	pages := []net.Conn{visit(t, p.pages), visit(t, p.pages)}
	for i, page := range pages {
		uid := fmt.Sprint("early", i)
		if err := wsutil.WriteClientText(page, []byte(uid)); err != nil {
			t.Fatal(err)
		}
		p.known(uid)
	}
	var lines strings.Builder
	const n = 1000
	for i := range n {
		fmt.Fprintf(&lines, "{\"all\":true,\"n\":%d}\n", i)
	}
	if got := p.ask(lines.String()); got != strings.Repeat("ok\n", n) {
		t.Errorf("%d bytes of answers", len(got))
	}
	for _, page := range pages {
		next := 0
		for next < n {
			text, err := wsutil.ReadServerText(page)
			if err != nil {
				t.Fatal(err)
			}
			var line struct{ N *int }
			if err := json.Unmarshal(text, &line); err != nil {
				t.Fatal(err)
			}
			if line.N == nil {
				continue // one of those that made it known
			}
			if *line.N != next {
				t.Fatalf("line %d came in place of %d", *line.N, next)
			}
			next++
		}
	}
}
