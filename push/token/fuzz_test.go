package token_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/token"
)

// FuzzVerify has anything be a credential. Only what was signed here is good.
func FuzzVerify(f *testing.F) {
	v := verifier(f, token.Options{Keys: allKeys(f)})
	made := make(map[string]bool)
	for _, a := range algorithms {
		credential := sign(f, signer(f, signing(f, a), a), token.Claims{UID: "7", Channels: []string{"chat:*"}})
		made[credential] = true
		f.Add(credential)
	}
	f.Add("t1..")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, credential string) {
		c, err := v.Verify(context.Background(), credential)
		if (err == nil) != made[credential] {
			t.Errorf("%v, made here: %v", err, made[credential])
		}
		if err != nil && (c.UID != "" || token.Reason(err) == "other") {
			t.Errorf("%+v, %v", c, err)
		}
	})
}

// FuzzClaims has anything be signed. What is good has names that a hub takes, and reads the same when it is made again.
func FuzzClaims(f *testing.F) {
	v := verifier(f, token.Options{Keys: []token.Key{{Secret: secret}}})
	s := signer(f, token.Key{Secret: secret}, token.Ticket)
	for _, claims := range []string{
		`{"sub":"7","exp":1795400060,"channels":["chat:*","news"],"publish":["chat:42"],"groups":["room"],` +
			`"iat":1795399999}`,
		`{"sub":-7,"exp":1.79540006e9,"nbf":0.5}`, `{"sub":"\ud800","exp":1795400060}`, `{"sub":"7","sub":"8"}`, `[]`,
		`{`, "{\"\xff\":0}",
	} {
		f.Add(claims)
	}
	f.Fuzz(func(t *testing.T, claims string) {
		c, err := v.Verify(context.Background(), token.Ticketed(secret, claims))
		if err != nil {
			return
		}
		if err := push.UID(c.UID).Check(); err != nil {
			t.Error(err)
		}
		credential, err := s.Sign(c)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := v.Verify(context.Background(), credential); err != nil || again.UID != c.UID ||
			len(again.Channels) != len(c.Channels) || len(again.Publish) != len(c.Publish) {
			t.Errorf("%+v, %v, want %+v", again, err, c)
		}
	})
}

// FuzzJournal has anything be a file of revocations. What is read is written so that it reads the same.
func FuzzJournal(f *testing.F) {
	for _, text := range []string{
		`{"uid":"7","at":1795400000}` + "\n" + `{"uid":"8","at":1}` + "\n",
		`{"uid":"7","at":1795400000}` + "\n" + `{"uid":"7","at":2`, "\n", "\x00",
		`{"uid":"\u0037","at":1e3}` + "\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		compact, err := token.JournalOf(text)
		if err != nil {
			return
		}
		if again, err := token.JournalOf(compact); err != nil || !bytes.Equal(again, compact) {
			t.Errorf("%q became %q, %v", compact, again, err)
		}
	})
}
