package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// TestHandoverTrust changes settings between reloads. One more secret changes nothing for who is there; when the one by
// which pages were let in is gone, so are they, and back ends hear that at once. A back end whose key is gone has to
// show another one.
func TestHandoverTrust(t *testing.T) {
	t.Parallel()
	settings := func(secrets, key string) string {
		return fmt.Sprintf(`
token: {secrets: [%s]}
text: {auth: true}
api: {keys: [{name: ears, key: the-key-of-the-listener, scopes: [listen, read]}, {name: shop, key: %s}]}
`, secrets, key)
	}
	const before, after = "the-secret-of-before-0123456789abcd", "the-secret-of-now-0123456789abcdef"
	m := newMortalOf(t, settings(before, "the-key-of-before"))
	change := func(secrets, key string) {
		t.Helper()
		write(t, filepath.Join(m.folder, "lineman.yaml"), settings(secrets, key))
	}
	k := &crossings{t: t, server: m}
	says := func(key, line string) (*bufio.Reader, func(line string) (string, error)) {
		c := k.dial(m.backend)
		lines := bufio.NewReader(c)
		ask := func(line string) (string, error) {
			if _, err := fmt.Fprintln(c, line); err != nil {
				return "", err
			}
			return lines.ReadString('\n')
		}
		for _, line := range []string{fmt.Sprintf(`{"cmd":"auth","key":%q}`, key), line} {
			if answer, err := ask(line); err != nil || !strings.HasPrefix(answer, `{"ok":true`) {
				t.Fatalf("%s: %q, %v", line, answer, err)
			}
		}
		return lines, ask
	}
	events, _ := says("the-key-of-the-listener", `{"cmd":"listen","events":["connect","close"]}`)
	_, shop := says("the-key-of-before", `{"cmd":"count","to":"*"}`)
	token := strings.TrimSpace(m.command("token", "--uid", "ann"))
	page := k.plain(token)
	hears := func(want string) {
		t.Helper()
		if line, err := events.ReadString('\n'); err != nil || !strings.Contains(line, want) {
			t.Errorf("the listener hears %q, %v, want %q", line, err, want)
		}
	}
	hears(`"type":"connect"`)

	change(after+", "+before, "the-key-of-before")
	k.reload()
	if answer, err := shop(`{"cmd":"count","to":"u:ann"}`); answer != `{"ok":true,"counts":{"u:ann":1}}`+"\n" {
		t.Errorf("the page is not there: %q, %v", answer, err)
	}

	change(after, "the-key-of-now-012345")
	said := m.command("reload")
	if !strings.Contains(said, "2 connections kept") && !strings.Contains(said, "1 connections kept") {
		t.Errorf("the reload says %s", said)
	}
	hears(`"code":4101`)
	_, err := wsutil.ReadServerText(page)
	if closed := (wsutil.ClosedError{}); !errors.As(err, &closed) || closed.Code != 4101 {
		t.Errorf("the page is closed: %v, want 4101", err)
	}
	linemantest.Until(t, "a key that is gone still asks", func() bool {
		_, err := shop(`{"cmd":"count","to":"*"}`)
		return err != nil
	})
	for _, complaint := range k.complaints {
		t.Error(complaint)
	}
}
