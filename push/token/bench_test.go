package token_test

import (
	"context"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push/token"
)

func BenchmarkVerify(b *testing.B) {
	for _, a := range []string{token.Ticket, "HS256", "ES256", "RS256", "EdDSA"} {
		b.Run(a, func(b *testing.B) {
			key := signing(b, a)
			v := verifier(b, token.Options{Keys: []token.Key{key}, Revocations: &token.Revocations{}})
			credential := sign(b, signer(b, key, a),
				token.Claims{UID: "uid1", Channels: []string{"chat:*"}, Issued: now, Expires: now.Add(time.Hour)})
			b.ReportAllocs()
			for range b.N {
				if _, err := v.Verify(context.Background(), credential); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
