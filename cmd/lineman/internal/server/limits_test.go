package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
)

// TestLimits closes the pages of who takes too much, with the code that says whether to come again.
func TestLimits(t *testing.T) {
	c := devMode()
	c.Limits.ConnectionsPerUID, c.Limits.MessagesPerConnection, c.Limits.Connections = 2, 1, 4
	r := start(t, c, server.Options{})
	b := r.backend()
	r.page("ann")
	r.page("ann")
	r.counts(b, "u:ann", 2)
	third := r.page("ann")
	if reason := told(t, third, 4103); !strings.Contains(reason, "retry") {
		t.Errorf("the reason is %q", reason)
	}
	third.Close()
	talker := r.page("bob")
	r.known(b, "bob")
	for range 10 {
		talker.Send("and another thing")
	}
	told(t, talker, 4103)
	talker.Close()
	r.counts(b, "*", 2)
	r.page("carl")
	r.page("dora")
	r.counts(b, "*", 4)
	if answer, body := r.Connect(r.pages).Handshake("/", nil); answer.StatusCode != 429 ||
		answer.Header.Get("Retry-After") == "" || !strings.Contains(body, "connections") {
		t.Errorf("one connection too many: %d %s", answer.StatusCode, body)
	}
}

// TestProxies counts those behind a proxy each by itself, and believes nobody else.
func TestProxies(t *testing.T) {
	c := devMode()
	c.Limits.ConnectionsPerIP = 1
	r := start(t, c, server.Options{})
	from := func(addr string) int {
		answer, _ := r.Connect(r.pages).Handshake("/", map[string][]string{"X-Forwarded-For": {addr}})
		return answer.StatusCode
	}
	for _, w := range []struct {
		addr   string
		status int
	}{{"192.0.2.1", 101}, {"192.0.2.1", 429}, {"192.0.2.2", 101}, {"192.0.2.9, 192.0.2.2", 429}, {"2001:db8::1", 101},
		{"2001:db8::2", 429}, {"127.0.0.1", 101}} {
		if got := from(w.addr); got != w.status {
			t.Errorf("from %s: %d, want %d", w.addr, got, w.status)
		}
	}
	asked := r.Connect(r.pages)
	asked.Write("GET /health HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.77\r\n\r\n")
	asked.Response("")
	if got := from("192.0.2.77"); got != 429 {
		t.Errorf("beside a connection that has asked for its health: %d", got)
	}
	c.Proxies = nil
	r = start(t, c, server.Options{})
	for range 2 {
		if got := from("192.0.2.1"); got != 101 {
			t.Errorf("somebody's word is believed: %d", got)
		}
	}
}

// TestSlowReader cuts a page that does not read, by 4102 once it reads, and the others get everything.
func TestSlowReader(t *testing.T) {
	c := devMode()
	c.Limits.Pending = 256 << 10
	r := start(t, c, server.Options{})
	b := r.backend()
	slow, quick := r.page("slow"), r.page("quick")
	r.counts(b, "*", 2)
	pad := strings.Repeat("x", 60_000)
	reached := 2
	n := 0
	for ; reached == 2; n++ {
		if n == 1000 {
			t.Fatal("60 MB wait for a page that does not read")
		}
		answer := ask(b, fmt.Sprintf(`{"cmd":"pub","to":"*","data":{"n":%d,"pad":"%s"}}`, n, pad))
		if _, err := fmt.Sscanf(answer, `{"ok":true,"n":%d}`, &reached); err != nil {
			t.Fatalf("%s: %v", answer, err)
		}
		if got := quick.Receive(); !strings.HasPrefix(got, fmt.Sprintf(`{"n":%d,`, n)) {
			t.Fatalf("the page that reads got %.20q for %d", got, n)
		}
	}
	told(t, slow, 4102)
}

// TestMemoryBudget ends the connections for which most waits, when too much waits for all.
func TestMemoryBudget(t *testing.T) {
	c := devMode()
	c.Limits.Memory, c.Limits.Pending = 2<<20, 1<<30
	r := start(t, c, server.Options{})
	b := r.backend()
	var slow []*linemantest.Client
	for range 4 {
		slow = append(slow, r.page("slow"))
	}
	quick := r.page("quick")
	r.counts(b, "*", 5)
	pad := strings.Repeat("x", 60_000)
	for n := 0; ; n++ {
		if n == 1000 {
			t.Fatal("60 MB wait for each of four pages that do not read")
		}
		if ask(b, `{"cmd":"count","to":"u:slow"}`) != `{"ok":true,"counts":{"u:slow":4}}` {
			break
		}
		ask(b, `{"cmd":"pub","to":"*","data":"`+pad+`"}`)
		quick.Receive()
	}
	if got := ask(b, `{"cmd":"pub","to":"u:quick","text":"still here"}`); got != `{"ok":true,"n":1}` ||
		quick.Receive() != "still here" {
		t.Errorf("the page that reads: %s", got)
	}
	_ = slow
}

// TestDrain sends the pages away when the server stops, each with the time after which to come again, and says that it
// is not ready.
func TestDrain(t *testing.T) {
	for name, drain := range map[string]time.Duration{"slowly": 10 * time.Second, "at once": 0} {
		t.Run(name, func(t *testing.T) {
			c := settings()
			c.Drain = drain
			r := start(t, c, server.Options{Credentials: openQuick(secret)})
			b := r.backend()
			pages := []*linemantest.Client{r.page("secret-a"), r.page("secret-b")}
			r.counts(b, "*", 2)
			pages = append(pages, r.Dial(r.pages)) // that has said nothing
			b.Close()
			stopped := make(chan error)
			go func() { stopped <- r.Stop() }()
			for _, p := range pages {
				const want = `{"retry":1000}` // three pages take no time
				if reason := told(t, p, 4101); reason != want {
					t.Errorf("the reason is %s, want %s", reason, want)
				}
				p.Close()
			}
			if err := <-stopped; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestWaitingLeaves has connections that close while their credential is looked at count no more.
func TestWaitingLeaves(t *testing.T) {
	c := settings()
	c.Limits.Waiting = 1
	asked := make(chan bool)
	r := start(t, c,
		server.Options{Credentials: open(func(ctx context.Context, credential string) (server.Identity, error) {
			if credential == "slow" {
				asked <- true
				<-ctx.Done()
				return server.Identity{}, ctx.Err()
			}
			return secret(ctx, credential)
		})})
	slow := r.page("slow")
	<-asked
	if answer, _ := r.Connect(r.pages).Handshake("/", nil); answer.StatusCode != 429 {
		t.Errorf("while one waits: %d", answer.StatusCode)
	}
	slow.Close()
	b := r.backend()
	for until := time.Now().Add(time.Minute); ; {
		if answer, _ := r.Connect(r.pages).Handshake("/?token=secret-ann", nil); answer.StatusCode == 101 {
			break
		}
		if time.Now().After(until) {
			t.Fatal("who has gone still waits")
		}
	}
	r.known(b, "ann")
}
