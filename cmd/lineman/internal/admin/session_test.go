package admin

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lineman-go/lineman/push/command"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestSession has a session be good until its end, for the login and the password that it is by, and not when a bit of
// it is another.
func TestSession(t *testing.T) {
	const end = 1000
	var own, other seal
	own.make()
	other.make()
	all := loginsOf(Options{Password: "a hash", Readonly: "another", Keys: []Key{
		{Hash: sha256.Sum256([]byte("x")), Permit: &command.Permit{Name: "ops"}},
	}})
	changed := loginsOf(Options{Password: "a new hash", Readonly: "another"})
	for _, l := range all {
		text := own.begin(l, time.Unix(end, 0))
		if got := own.read(text, all, time.Unix(end-1, 0)); got != l {
			t.Errorf("the session of %s is that of %v", l.name, got)
		}
		if own.read(text, all, time.Unix(end, 0)) != nil {
			t.Errorf("the session of %s does not end", l.name)
		}
		if other.read(text, all, time.Unix(0, 0)) != nil {
			t.Errorf("the session of %s is good elsewhere", l.name)
		}
		if got := own.read(text, changed, time.Unix(0, 0)); (got != nil) != (l.name == nameReadonly) {
			t.Errorf("when the password and the keys are others, the session of %s is that of %v", l.name, got)
		}
		told, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		for i := range told {
			told[i] ^= 1
			if got := own.read(base64.RawURLEncoding.EncodeToString(told), all, time.Unix(0, 0)); got != nil {
				t.Errorf("with another byte %d it is a session of %s", i, got.name)
			}
			told[i] ^= 1
		}
		if text == own.begin(l, time.Unix(end, 0)) {
			t.Error("two sessions are the same")
		}
	}
	for _, text := range []string{"", "=", "AAAA", strings.Repeat("A", 75), strings.Repeat("A", 1000)} {
		if own.read(text, all, time.Unix(0, 0)) != nil {
			t.Errorf("%q is a session", text)
		}
	}
}

// TestSuccessor has sessions and tokens of a predecessor be good.
func TestSuccessor(t *testing.T) {
	o := Options{Password: "a hash", Port: "1"}
	before, after := New(o), New(o)
	defer before.Close()
	defer after.Close()
	text := before.seal.begin(before.logins[0], time.Now().Add(time.Hour))
	cookie := []string{"other=1; lineman_dashboard_1=" + text}
	token := []byte(before.seal.token(before.sessionOf(cookie)))
	if after.sessionOf(cookie) != nil {
		t.Error("a session is good elsewhere")
	}
	after.SetKey([]byte("short"))
	after.SetKey(before.Key())
	if s := after.sessionOf(cookie); s == nil || !after.seal.isToken(token, s) {
		t.Errorf("a session of the predecessor is %v", s)
	}
	if s := after.sessionOf(cookie); s != nil && after.seal.isToken(token[1:], s) {
		t.Error("a token that is cut is good")
	}
}
