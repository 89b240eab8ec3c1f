package e2e

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// TestKeySetHandover reloads the push server while credentials wait for a key set that does not come: that of a page
// which logs in, and the second one of a page which has logged in. They are checked when the successor has the keys,
// and both pages are told once.
func TestKeySetHandover(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	opens, asked := make(chan struct{}), make(chan struct{}, 100)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-opens:
			_, _ = fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":%q}]}`,
				base64.RawURLEncoding.EncodeToString(public))
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(site.Close)
	m := newMortalOf(t, fmt.Sprintf("token: {secrets: [a-secret-of-this-test-only], jwks: '%s'}\n", site.URL))
	k := &crossings{t: t, server: m}
	ann := k.upgrade("lineman.v1")
	k.say(ann, fmt.Sprintf(`{"op":"hello","id":1,"token":%q}`, strings.TrimSpace(m.command("token", "--uid", "ann"))))
	next := func(of readWriter, want string) {
		t.Helper()
		_ = of.to.SetReadDeadline(time.Now().Add(patience)) // if it has ended, the read says so
		for text := ""; !strings.HasPrefix(text, want); {
			b, err := wsutil.ReadServerText(of)
			if text = string(b); err != nil || strings.Contains(text, `"op":"err"`) {
				t.Fatalf("the page is told %q, %v, want %s", text, err, want)
			}
		}
	}
	next(ann, `{"op":"welcome"`)
	<-asked // by the predecessor
	bob := k.upgrade("lineman.v1")
	k.say(ann, fmt.Sprintf(`{"op":"auth","id":2,"token":%q}`, signed(private, "ann")))
	k.say(ann, `{"op":"auth","id":3,"token":"another"}`)
	k.say(bob, fmt.Sprintf(`{"op":"hello","id":1,"token":%q}`, signed(private, "bob")))
	_ = ann.to.SetReadDeadline(time.Now().Add(patience))
	busy, err := wsutil.ReadServerText(ann)
	for err == nil && !strings.Contains(string(busy), `"op":"err","id":3`) { // so the other one is being checked
		busy, err = wsutil.ReadServerText(ann)
	}
	if err != nil || !strings.Contains(string(busy), `"code":409`) {
		t.Fatalf("another token is answered %s, %v", busy, err)
	}
	k.reload()
	<-asked // by the successor
	close(opens)
	next(ann, `{"op":"auth","id":2,`)
	next(bob, `{"op":"welcome","id":1,`)
	k.say(ann, `{"op":"auth","id":4,"token":"nonsense"}`)
	answer, err := wsutil.ReadServerText(ann)
	if err != nil || !strings.HasPrefix(string(answer), `{"op":"err","id":4,"code":401`) {
		t.Errorf("a wrong token is answered %s, %v", answer, err)
	}
	linemantest.Until(t, "not both are there", func() bool {
		answer, err := askLine(m.backend, `{"cmd":"online","uids":["ann","bob"]}`)
		return err == nil && answer == `{"ok":true,"online":{"ann":true,"bob":true}}`
	})
	for _, complaint := range k.complaints {
		t.Error(complaint)
	}
}

// signed is a token for a uid by the key 1.
func signed(private ed25519.PrivateKey, uid string) string {
	encode := base64.RawURLEncoding.EncodeToString
	now := time.Now().Unix()
	text := encode([]byte(`{"alg":"EdDSA","typ":"JWT","kid":"1"}`)) + "." +
		encode(fmt.Appendf(nil, `{"sub":%q,"iat":%d,"exp":%d}`, uid, now, now+3600))
	return text + "." + encode(ed25519.Sign(private, []byte(text)))
}
