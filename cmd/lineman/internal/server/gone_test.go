package server_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/websocket"
	"github.com/lineman-go/lineman/push"
)

// TestGoneAtOnce has a page that the server has given up, or that goes, be neither counted nor online while its
// connection lasts.
func TestGoneAtOnce(t *testing.T) {
	c := devMode()
	c.Limits.MessagesPerConnection = 4
	r := start(t, c, server.Options{})
	b := r.backend()
	for name, end := range map[string]func(*linemantest.Client){
		"broke the protocol": func(c *linemantest.Client) { c.Frame(true, websocket.Text, "\xff") },
		"says too much": func(c *linemantest.Client) {
			for range 40 {
				c.Send("x")
			}
		},
		"is too large":    func(c *linemantest.Client) { c.Write("\x81\xff\x00\x00\x00\x00\x7f\xff\xff\xffmask") },
		"says goodbye":    func(c *linemantest.Client) { c.Goodbye(websocket.Normal, "") },
		"ends its stream": func(c *linemantest.Client) { c.CloseWrite() },
		"resets":          func(c *linemantest.Client) { c.Reset() },
		"is kicked":       func(*linemantest.Client) { ask(b, `{"cmd":"kick","to":"u:7"}`) },
	} {
		p := r.page("7")
		r.known(b, "7")
		end(p)
		began := time.Now()
		r.counts(b, "u:7", 0)
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("a page that %s is online for %v", name, took)
		}
		if got := ask(b, `{"cmd":"online","uids":["7"]}`); got != `{"ok":true,"online":{"7":false}}` {
			t.Errorf("a page that %s: %s", name, got)
		}
	}
}

// pushUntil publishes to a page that reads nothing until it is gone.
func pushUntil(t *testing.T, b *linemantest.Client) {
	line := fmt.Sprintf(`{"cmd":"pub","to":"u:7","data":"%s"}`, strings.Repeat("x", 60_000))
	linemantest.Until(t, "60 kB lines to a page that does not read go on",
		func() bool { return ask(b, line) != `{"ok":true,"n":1}` })
}

// TestToldAndGone has a page that the server ends be in no answer once it has been told so, though it keeps its side of
// the connection.
func TestToldAndGone(t *testing.T) {
	t.Parallel()
	const short = 4 * time.Second // time enough to look at it before
	verify := func(ctx context.Context, credential string) (server.Identity, error) {
		credential, expires := strings.CutSuffix(credential, "-soon")
		who, err := secret(ctx, credential)
		if expires {
			who.Expires = time.Now().Add(short)
		}
		return who, err
	}
	for name, c := range map[string]struct {
		credential string
		set        func(*config.Config)
		end        func(t *testing.T, host *running, b *linemantest.Client)
		code       websocket.Code // 0 means that it is cut
		left       int
	}{
		"kick": {
			end:  func(_ *testing.T, _ *running, b *linemantest.Client) { ask(b, `{"cmd":"kick","to":"u:7"}`) },
			code: push.CodeKicked,
		},
		"revocation": {
			end:  func(_ *testing.T, _ *running, b *linemantest.Client) { ask(b, `{"cmd":"revoke","uid":"7"}`) },
			code: 4001,
		},
		"expiry":      {credential: "secret-7-soon", code: 4200},
		"slow reader": {end: func(t *testing.T, _ *running, b *linemantest.Client) { pushUntil(t, b) }, code: 4102},
		"memory": {
			set: func(c *config.Config) { c.Limits.Memory, c.Limits.Pending = 1<<20, 1<<30 },
			end: func(t *testing.T, _ *running, b *linemantest.Client) { pushUntil(t, b) },
		},
		"single login": {
			set:  func(c *config.Config) { c.SingleLogin = true },
			end:  func(_ *testing.T, host *running, _ *linemantest.Client) { host.page("secret-7") },
			code: push.CodeReplaced, left: 1,
		},
		"drain": {end: func(t *testing.T, host *running, _ *linemantest.Client) {
			go func() { _ = host.Stop() }() // the test's end tells
		}, code: 4101},
	} {
		t.Run(name, func(t *testing.T) {
			broker := push.NewMemory()
			begin := func() *running {
				s := settings()
				if c.set != nil {
					c.set(&s)
				}
				return start(t, s, server.Options{Broker: broker, Credentials: open(verify)})
			}
			asked, host := begin(), begin() // of one cluster: one can be asked while the other stops
			b := asked.backend()
			if c.credential == "" {
				c.credential = "secret-7"
			}
			p := host.page(c.credential)
			asked.known(b, "7")
			list := ask(b, `{"cmd":"list","to":"u:7"}`)
			if c.end != nil {
				c.end(t, host, b)
			}
			if c.code != 0 {
				told(t, p, c.code)
			} else {
				_ = p.Conn.SetReadDeadline(time.Now().Add(time.Minute))
				if _, err := io.Copy(io.Discard, p.Conn); isTimeout(err) {
					t.Error("it is not cut")
				}
			}
			for _, target := range []string{"u:7", "g:staff", "news", "*"} {
				if got, want := ask(b, fmt.Sprintf(`{"cmd":"count","to":"%s"}`, target)),
					fmt.Sprintf(`{"ok":true,"counts":{"%s":%d}}`, target, c.left); got != want {
					t.Errorf("%s, want %s", got, want)
				}
			}
			if got, want := ask(b, `{"cmd":"online","uids":["7"]}`),
				fmt.Sprintf(`{"ok":true,"online":{"7":%v}}`, c.left > 0); got != want {
				t.Errorf("%s, want %s", got, want)
			}
			if got := ask(b, `{"cmd":"list","to":"u:7"}`); got == list || c.left == 0 && strings.Contains(got, `"7"`) {
				t.Errorf("it is listed: %s", got)
			}
		})
	}
}
