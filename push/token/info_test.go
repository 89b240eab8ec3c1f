package token_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/token"
)

// TestInfo carries any JSON of up to a KiB, in tickets and in JWTs, and takes a longer one for a claim of others.
func TestInfo(t *testing.T) {
	v := verifier(t, token.Options{Keys: []token.Key{{Secret: secret}}})
	longest := `"` + strings.Repeat("<", push.MaxInfo-2) + `"`
	for _, algorithm := range []string{"HS256", token.Ticket} {
		s := signer(t, token.Key{Secret: secret}, algorithm)
		for _, info := range []string{"", `{"name":"Ann <&>\u2028"}`, "7", longest} {
			said := token.Claims{UID: "7", Expires: now.Add(time.Minute), Info: json.RawMessage(info)}
			got, err := v.Verify(context.Background(), sign(t, s, said))
			if err != nil || string(got.Info) != info {
				t.Errorf("%s: %.40q came as %.40q, %v", algorithm, info, got.Info, err)
			}
		}
		for _, wrong := range []string{longest + " ", "{"} {
			_, err := s.Sign(token.Claims{UID: "7", Expires: now.Add(time.Minute), Info: json.RawMessage(wrong)})
			if err == nil || len(wrong) > push.MaxInfo && !errors.Is(err, token.ErrMalformed) {
				t.Errorf("%.40q is signed: %v", wrong, err)
			}
		}
	}
	for claims, want := range map[string]string{
		`{"sub":"7","exp":1795400060,"info":` + longest + ` }`:  longest,
		`{"sub":"7","exp":1795400060,"info":[` + longest + `]}`: "",
		`{"sub":"7","exp":1795400060,"info":null}`:              "",
		`{"sub":"7","exp":1795400060,"Info":1}`:                 "",
	} {
		if got, err := v.Verify(context.Background(), token.Ticketed(secret, claims)); err != nil ||
			string(got.Info) != want {
			t.Errorf("%.60s: %.40q, %v", claims, got.Info, err)
		}
	}
}
