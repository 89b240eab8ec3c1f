package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// closing is the code that a page is closed with, after whatever it got.
func closing(t *testing.T, c net.Conn) (code ws.StatusCode, reason string) {
	t.Helper()
	for {
		frame, err := ws.ReadFrame(c)
		if err != nil {
			t.Fatalf("no goodbye: %v", err)
		}
		if frame.Header.OpCode == ws.OpClose {
			return ws.ParseCloseFrameData(frame.Payload)
		}
	}
}

// arrive opens a WebSocket at an address with a query.
func arrive(t *testing.T, addr, query string) net.Conn {
	t.Helper()
	c := dial(t, addr)
	early, _, err := (ws.Dialer{}).Upgrade(c, &url.URL{Scheme: "ws", Host: addr, Path: "/", RawQuery: query})
	if err != nil {
		t.Fatalf("no WebSocket: %v", err)
	}
	if early == nil {
		return c
	}
	return ahead{c, early}
}

// ahead is a connection of which something was read with the handshake.
type ahead struct {
	net.Conn
	early *bufio.Reader
}

func (a ahead) Read(p []byte) (int, error) { return a.early.Read(p) }

// TestTokens lets pages in by credentials of the command, for what they say, and not once their uid was revoked, even
// after a kill.
func TestTokens(t *testing.T) {
	folder := t.TempDir()
	secret := filepath.Join(folder, "secret")
	if err := os.WriteFile(secret, []byte("a secret for this test only\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := filepath.Join(folder, "lineman.yaml")
	if err := os.WriteFile(settings,
		[]byte(fmt.Sprintf("token:\n  secret_files: [%q]\n  audience: push\n  revocations: %q\n", secret,
			filepath.Join(folder, "revoked"))), 0o600); err != nil {
		t.Fatal(err)
	}
	command := filepath.Join(binaries, "lineman")
	credential := func(args ...string) string {
		t.Helper()
		return strings.TrimSpace(
			output(t, "", command, append([]string{"token", "--config", settings, "--uid", "ann"}, args...)...))
	}
	p := startLineman(t, "--config", settings)
	if out, _ := try(t, "", "curl", "-sS", "http://"+p.pages+"/"); strings.Contains(out, "<html") {
		t.Error("the page of dev mode is there")
	}
	first := credential("--channel", "news", "--group", "staff")
	page := arrive(t, p.pages, "token="+first)
	p.known("ann")
	for _, line := range []string{
		`{"cmd":"pub","to":"news","text":"to the channel"}`, `{"cmd":"pub","to":"g:staff","text":"to the group"}`,
	} {
		if got := p.ask(line + "\n"); got != `{"ok":true,"n":1}`+"\n" {
			t.Errorf("%s: %s", line, got)
		}
	}
	for _, want := range []string{"to the channel", "to the group"} {
		text, err := wsutil.ReadServerText(page)
		for err == nil && strings.HasPrefix(string(text), "{") {
			text, err = wsutil.ReadServerText(page) // one of those that made it known
		}
		if err != nil || string(text) != want {
			t.Errorf("the page got %q, %v, want %q", text, err, want)
		}
	}
	for what, wrong := range map[string]string{
		"a uid": "ann", "another audience": credential("--audience", "shop"),
		"a changed one": first[:len(first)-4] + "AAAA",
	} {
		if code, reason := closing(t, arrive(t, p.pages, "token="+url.QueryEscape(wrong))); code != 4001 ||
			strings.Contains(reason, wrong) {
			t.Errorf("%s: %d %s, want 4001", what, code, reason)
		}
	}
	ticket := visit(t, p.pages)
	if err := wsutil.WriteClientText(ticket, []byte(credential("--ticket"))); err != nil {
		t.Fatal(err)
	}
	linemantest.Until(t, "a ticket does not let a page in", func() bool {
		return p.ask(`{"cmd":"count","to":"u:ann"}`+"\n") == `{"ok":true,"counts":{"u:ann":2}}`+"\n"
	})
	if got := p.ask(`{"cmd":"revoke","uid":"ann"}` + "\n"); got != `{"ok":true,"n":2}`+"\n" {
		t.Errorf("revoke: %s", got)
	}
	for _, c := range []net.Conn{page, ticket} {
		if code, _ := closing(t, c); code != 4001 {
			t.Errorf("a page whose credential was revoked is closed with %d", code)
		}
	}
	revoked := time.Now().Truncate(time.Second)
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.end()
	p = startLineman(t, "--config", settings)
	if code, _ := closing(t, arrive(t, p.pages, "token="+first)); code != 4001 {
		t.Errorf("after a kill: %d, want 4001", code)
	}
	linemantest.Until(t, "the next second does not come",
		func() bool { return time.Now().Truncate(time.Second).After(revoked) })
	arrive(t, p.pages, "token="+credential())
	p.known("ann")
	if log := p.said(); strings.Contains(log, first) || strings.Contains(log, "a secret for this test") {
		t.Errorf("the log has a credential or the secret: %s", log)
	}
}
