package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// TestNodesHandoverRevoked has a node that is handed over know what was revoked, though Redis has lost it, and let in
// who comes at once: it does not wait until it has read that.
func TestNodesHandoverRevoked(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	const settings = `
token: {secrets: [the-secret-of-this-test-0123456789abcdef]}
`
	m := newMortalOf(t, settings, "--redis-addresses", r.addr)
	other := newMortalOf(t, settings, "--redis-addresses", r.addr)
	k := &crossings{t: t, server: m}
	token := func(uid string) string { return strings.TrimSpace(m.command("token", "--uid", uid)) }
	ann, bob := token("ann"), token("bob")
	ask := func(on *mortal, line, want string) {
		t.Helper()
		if answer, err := askLine(on.backend, line); err != nil || answer != want {
			t.Fatalf("%s is answered %s, %v, want %s", line, answer, err, want)
		}
	}
	closed := func(page readWriter, code int) {
		t.Helper()
		_ = page.to.SetReadDeadline(time.Now().Add(patience))
		_, err := wsutil.ReadServerText(page)
		if closed := (wsutil.ClosedError{}); !errors.As(err, &closed) || int(closed.Code) != code {
			t.Errorf("the page ends with %v, want %d", err, code)
		}
	}
	comes := func(uid string) {
		t.Helper()
		linemantest.Until(t, uid+" is not let in", func() bool {
			answer, err := askLine(other.backend, fmt.Sprintf(`{"cmd":"online","uids":[%q]}`, uid))
			return err == nil && answer == fmt.Sprintf(`{"ok":true,"online":{%q:true}}`, uid)
		})
	}
	first, stays := k.plain(ann), k.plain(bob)
	comes("ann")
	comes("bob")
	ask(other, `{"cmd":"revoke","uid":"ann"}`, `{"ok":true,"n":1}`)
	closed(first, 4001)
	if said := r.ask("DEL", "lineman.{0}:revoked"); strings.TrimSpace(said) != "(integer) 1" {
		t.Fatalf("Redis says %s", said)
	}
	for i := range 3 {
		k.reload()
		closed(k.plain(ann), 4001)
		uid := fmt.Sprint("new", i)
		k.plain(token(uid))
		comes(uid)
		ask(other, fmt.Sprintf(`{"cmd":"pub","to":"u:bob","text":"%d"}`, i), `{"ok":true,"n":1}`)
		if text, err := wsutil.ReadServerText(stays); string(text) != fmt.Sprint(i) {
			t.Errorf("the page gets %q, %v", text, err)
		}
	}
	k.finish(nil)
}
