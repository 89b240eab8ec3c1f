package server_test

import (
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// TestGoneAtOnce has a page that the server has given up, or that goes, be neither counted nor online while its connection lasts.
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
