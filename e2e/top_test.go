package e2e

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// TestTop has lineman top tell what the server does, before a reload and after it.
func TestTop(t *testing.T) {
	p := startLineman(t)
	visitor := dial(t, p.pages)
	if _, _, err := (ws.Dialer{}).Upgrade(visitor, &url.URL{Scheme: "ws", Host: p.pages, Path: "/"}); err != nil {
		t.Fatal(err)
	}
	if err := wsutil.WriteClientText(visitor, []byte("uid1")); err != nil {
		t.Fatal(err)
	}
	p.known("uid1")
	type view struct {
		All struct {
			Connections struct {
				Pages int
				UIDs  int
			}
			Rates struct{ Published float64 }
		}
		Processes []struct{ PID int }
	}
	now := func() (v view) {
		if err := json.Unmarshal([]byte(p.command("top", "--once", "--json")), &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	// shows waits until one process tells of the page, and of what is published.
	shows := func(wrong string, one func(pid int) bool) (pid int) {
		t.Helper()
		linemantest.Until(t, wrong, func() bool {
			p.ask(`{"uid":"uid1","n":1}` + "\n")
			v := now()
			pid = v.Processes[0].PID
			return len(v.Processes) == 1 && one(pid) && v.All.Connections.Pages == 1 && v.All.Connections.UIDs == 1 &&
				v.All.Rates.Published > 0
		})
		return pid
	}
	before := shows("it does not show the page", func(int) bool { return true })
	p.command("reload")
	shows("it does not show the page of the successor", func(pid int) bool { return pid != before })
	if text := p.command("top", "--once"); !strings.Contains(text, "\npages     1   level 0 1 ") {
		t.Errorf("it shows\n%s", text)
	}
}
