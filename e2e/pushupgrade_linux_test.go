package e2e

import (
	"net"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// TestPushUpgrade replaces the push server, three times in a row: the master goes on as the new program, whose settings
// it reads, and a page that has come before gets what is published after it.
func TestPushUpgrade(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "lineman")
	write(t, filepath.Join(i.dir, "lineman.yaml"), `
listen: 127.0.0.1:0
text: {listen: 127.0.0.1:0}
api: {listen: ""}
admin: {listen: ""}
`)
	i.env = []string{"LINEMAN_LOG_LEVEL=debug"}
	i.do("start", "-d")
	pages, backends := i.addr("pages"), i.addr("backends")
	c, err := net.DialTimeout("tcp", pages, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * patience))
	if _, _, err := (ws.Dialer{}).Upgrade(c, &url.URL{Scheme: "ws", Host: pages, Path: "/"}); err != nil {
		t.Fatal(err)
	}
	if err := wsutil.WriteClientText(c, []byte("uid1")); err != nil {
		t.Fatal(err)
	}
	for n := range 4 {
		if n > 0 {
			i.upgrade(i.path)
		}
		push := func() (string, error) { return askLine(backends, `{"uid":"uid1","n":1}`) }
		answer, err := push()
		for end := time.Now().Add(patience); n == 0 && answer == "fail" && time.Now().Before(end); {
			answer, err = push() // the page has not said who it is
		}
		if answer != "ok" {
			t.Fatalf("after %d new programs: %q, %v", n, answer, err)
		}
		if text, err := wsutil.ReadServerText(c); err != nil || string(text) != `{"uid":"uid1","n":1}` {
			t.Fatalf("after %d new programs the page gets %q, %v", n, text, err)
		}
	}
	i.do("stop")
	i.allGone()
}
