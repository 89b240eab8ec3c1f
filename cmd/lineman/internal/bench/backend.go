package bench

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/lineman-go/lineman"
)

// dialBackend connects to the port for lines and, when that is done, the pages.
func (b *bench) dialBackend() error {
	d := lineman.Dialer{Name: "backend", Logger: silent()}
	d.Limits.MaxPending = 4 * window * maxSize
	d.OnConnect = func(c *lineman.Conn) {
		if b.options.Key == "" {
			b.dialPages()
			return
		}
		b.ask(map[string]any{"cmd": "auth", "key": b.options.Key}, func(reply) { b.dialPages() })
	}
	d.OnMessage = func(_ *lineman.Conn, line []byte) { b.answer(line) }
	d.OnClose = func(_ *lineman.Conn, err error) { b.fail(b.lineError(err)) }
	b.answer = func(line []byte) {
		b.fail(fmt.Errorf("bench: the port for lines says %.200q, and was asked nothing", line))
	}
	b.loop.After(b.options.Patience, func() {
		if b.dialed == 0 {
			b.fail(fmt.Errorf("bench: the port for lines at %s does not answer: is it --text of this server?",
				b.options.Text))
		}
	})
	c, err := b.loop.Dial("text://"+b.options.Text, d)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	b.backend = c
	return nil
}

// lineError is why there is no port for lines.
func (b *bench) lineError(err error) error {
	if b.dialed > 0 {
		return fmt.Errorf("bench: the server has closed the port for lines: %v", err)
	}
	return fmt.Errorf("bench: no server on %s: start it by lineman start, or say where its port for lines is by "+
		"--text: %w", b.options.Text, reason(err))
}

// reply is what a command answers.
type reply struct {
	OK     bool
	Error  struct{ Code, Text string }
	Online map[string]bool
}

// ask asks for a command, one at a time.
func (b *bench) ask(request map[string]any, then func(reply)) {
	line, err := json.Marshal(request)
	if err == nil {
		err = b.backend.Send(line)
	}
	if err != nil {
		b.fail(fmt.Errorf("bench: %w", err))
		return
	}
	b.answer = func(line []byte) {
		var r reply
		if err := json.Unmarshal(line, &r); err != nil {
			b.fail(fmt.Errorf("bench: %s is no port for lines of Lineman: it answers %.200q", b.options.Text, line))
			return
		}
		if !r.OK {
			b.fail(fmt.Errorf("bench: the port for lines refuses to %s: %s%s", request["cmd"], r.Error.Text,
				keyHint(r.Error.Code)))
			return
		}
		then(r)
	}
}

// keyHint is what to do where a key is missing, or not good for all that is asked.
func keyHint(code string) string {
	if code != "unauthorized" && code != "denied" {
		return ""
	}
	return ": say the key by --key-file or LINEMAN_KEY; it wants the scopes publish and read"
}

// askAtOnce is how many uids one line asks about.
const askAtOnce = 100

// askWhoIsKnown asks until the server knows all pages: it verifies their credentials before.
func (b *bench) askWhoIsKnown() {
	some := b.pages[b.known:min(b.known+askAtOnce, len(b.pages))]
	if len(some) == 0 {
		b.connected = b.now()
		b.publishAll()
		return
	}
	uids := make([]string, len(some))
	for i, p := range some {
		uids[i] = p.UID
	}
	b.ask(map[string]any{"cmd": "online", "uids": uids}, func(r reply) {
		was := b.known
		for _, p := range some {
			if !r.Online[p.UID] {
				break
			}
			b.known++
		}
		if b.known == was {
			b.loop.After(10*time.Millisecond, b.askWhoIsKnown)
			return
		}
		b.askWhoIsKnown()
	})
}
