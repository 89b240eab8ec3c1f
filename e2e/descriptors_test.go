package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// TestDescriptors has a server with few descriptors refuse pages with 429 before back ends, operators and health checks
// lack them.
func TestDescriptors(t *testing.T) {
	const files = 200
	cmd := exec.Command("sh", "-c",
		fmt.Sprintf("ulimit -n %d && exec %s start --listen 127.0.0.1:0 --text 127.0.0.1:0 "+
			"--api 127.0.0.1:0 --admin 127.0.0.1:0", files, filepath.Join(binaries, "lineman")))
	cmd.Dir = t.TempDir()
	p := launch(t, cmd)
	said := p.find(`pages on wss?://(\S+), back ends on ([^,\s]+), HTTP API on (http://[^,\s]+), metrics on ` +
		`(http://[^/]+)/`)
	pages, lines, api, admin := said[0], said[1], said[2], said[3]

	came, refusal := 0, ""
	for refusal == "" && came < files {
		c := dial(t, pages)
		if refusal = handshake(c); refusal == "" {
			came++
			if err := wsutil.WriteClientText(c, fmt.Appendf(nil, "uid%d", came)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !strings.HasPrefix(refusal, "429 ") || came < files/4 {
		t.Errorf("%d pages came, the next was told %q, want 429", came, refusal)
	}
	for range files { // who is reset does not mind
		if c, err := net.Dial("tcp", pages); err == nil {
			t.Cleanup(func() { c.Close() })
		}
	}
	c := dial(t, lines)
	if _, err := io.WriteString(c, `{"cmd":"count","to":"*"}`+"\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.HasPrefix(answer, `{"ok":true,"counts":{"*":`) {
		t.Errorf("a line is answered %q (%v)", answer, err)
	}
	description := strings.TrimSuffix(api, "/") + "/openapi.json"
	for _, url := range []string{description, admin + "/metrics", admin + "/ready", admin + "/health"} {
		if status := statusOf(url); status != 200 {
			t.Errorf("%s: %d", url, status)
		}
	}
	linemantest.Until(t, "the port for pages does not say that it lives", func() bool {
		return statusOf("http://"+pages+"/health") == 200
	})
	if strings.Contains(p.said(), "accepting pauses") {
		t.Error("descriptors ran out")
	}
}

// handshake asks for a WebSocket, and returns what the server says if that is refused.
func handshake(c net.Conn) (refusal string) {
	_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	if err != nil {
		return err.Error()
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	switch {
	case err != nil:
		return err.Error()
	case answer.StatusCode == http.StatusSwitchingProtocols:
		return ""
	}
	return answer.Status
}

// statusOf is the status of a page of HTTP, by a connection of its own; 0 if there is no answer.
func statusOf(url string) int {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	answer, err := client.Get(url)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	return answer.StatusCode
}
