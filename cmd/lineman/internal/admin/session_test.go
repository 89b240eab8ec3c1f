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

// TestSealEnds has a session that was logged out be no good, here and at the successor, and no other one.
func TestSealEnds(t *testing.T) {
	o := Options{Password: "a hash", Port: "1"}
	before, after := New(o), New(o)
	defer before.Close()
	defer after.Close()
	ends := time.Now().Add(time.Hour)
	session := func() (*session, []string) {
		cookie := []string{"lineman_dashboard_1=" + before.seal.begin(before.logins[0], ends)}
		return before.sessionOf(cookie), cookie
	}
	gone, cookie := session()
	stays, otherCookie := session()
	before.seal.end(gone, time.Now())
	after.SetKey(before.Key())
	for _, one := range before.Ended() {
		after.SetEnded(one)
	}
	for name, d := range map[string]*Dashboard{"here": before, "at the successor": after} {
		if d.isGood(gone) || d.sessionOf(cookie) != nil {
			t.Errorf("%s one that was logged out is good", name)
		}
		if !d.isGood(stays) || d.sessionOf(otherCookie) == nil {
			t.Errorf("%s another one is not good", name)
		}
	}
	after.SetEnded("nonsense")
}

// TestSealBound keeps no more than so many sessions that were logged out, and none that has ended by itself: of more,
// all sessions end.
func TestSealBound(t *testing.T) {
	var s seal
	s.make()
	l, now := &login{name: namePassword, hash: "a hash"}, time.Unix(1000, 0)
	begin := func(ends time.Time) *session { return &session{l, s.begin(l, ends)} }
	stays := begin(now.Add(time.Hour))
	for range 3 * mostEnded {
		now = now.Add(time.Second)
		s.end(begin(now.Add(mostEnded/2*time.Second)), now)
	}
	if n := len(s.ended); n > mostEnded || s.read(stays.text, []*login{l}, now) == nil {
		t.Errorf("%d are kept, and the other session is %v", n, s.read(stays.text, []*login{l}, now))
	}
	for range mostEnded {
		s.end(begin(now.Add(time.Hour)), now)
	}
	if n := len(s.ended); n >= mostEnded || s.read(stays.text, []*login{l}, now) != nil {
		t.Errorf("%d are kept, and there still are sessions", n)
	}
}
