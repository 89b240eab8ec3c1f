package token_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lineman-go/lineman/push/token"
)

// TestAlgorithms makes a credential by each algorithm, and checks it by all keys at once; another key's is refused.
func TestAlgorithms(t *testing.T) {
	all := verifier(t, token.Options{Keys: allKeys(t)})
	wrong := verifier(t, token.Options{Keys: []token.Key{{Secret: other}, {PEM: public(t, otherRSA(t))}}})
	for _, a := range algorithms {
		t.Run(a, func(t *testing.T) {
			said := token.Claims{
				UID: "uid1", Channels: []string{"chat:*", "news", "*"}, Groups: []string{"room"},
				Publish: []string{"chat:42", "typing:*"},
				Issued:  now.Add(-time.Second), Expires: now.Add(time.Minute),
			}
			credential := sign(t, signer(t, signing(t, a), a), said)
			got, err := all.Verify(context.Background(), credential)
			if err != nil || !equal(got, said) {
				t.Errorf("%+v, %v, want %+v", got, err, said)
			}
			check(t, all, "other claims", token.WithClaims(credential, `{"sub":"root","exp":1795400060}`),
				token.ErrSignature)
			begin := strings.LastIndex(credential, ".") + 1
			whole := (len(credential) - begin - 1) / 4 * 4 // what four characters say is whole bytes
			check(t, all, "a signature that is cut", credential[:begin+whole], token.ErrSignature)
			check(t, all, "no signature", credential[:begin], token.ErrSignature)
			for _, only := range algorithms {
				v := verifier(t, token.Options{Keys: allKeys(t), Algorithms: []string{only}})
				want := token.ErrAlgorithm
				if only == a {
					want = nil
				}
				check(t, v, "where only "+only+" is allowed", credential, want)
			}
			if a[:2] == "ES" || a == "EdDSA" {
				check(t, wrong, "another key", credential, token.ErrAlgorithm)
			} else {
				check(t, wrong, "another key", credential, token.ErrSignature)
			}
		})
	}
}

func otherRSA(t *testing.T) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestConfusion has credentials say of themselves how they are to be checked.
func TestConfusion(t *testing.T) {
	const claims = `{"sub":"7","exp":1795400060}`
	asText := public(t, keys()["RSA"])
	for _, v := range []*token.Verifier{
		verifier(t, token.Options{Keys: []token.Key{{PEM: asText}}}),
		verifier(t, token.Options{Keys: []token.Key{{PEM: asText}}, Algorithms: []string{"HS256", "ticket", "RS256"}}),
	} {
		check(t, v, "HS256 by the public key", jws(t, asText, "HS256", `{"alg":"HS256"}`, claims), token.ErrAlgorithm)
		check(t, v, "a ticket by the public key", token.Ticketed(asText, claims), token.ErrAlgorithm)
	}
	both := verifier(t, token.Options{Keys: allKeys(t)})
	check(t, both, "HS256 by the public key, beside a secret", jws(t, asText, "HS256", `{"alg":"HS256"}`, claims),
		token.ErrSignature)
	check(t, both, "the algorithm of another curve", jws(t, keys()["ES256"], "ES256", `{"alg":"ES384"}`, claims),
		token.ErrSignature)
	check(t, both, "PS256 that says it is RS256", jws(t, keys()["RSA"], "PS256", `{"alg":"RS256"}`, claims),
		token.ErrSignature)
	named := verifier(t, token.Options{Keys: []token.Key{{ID: "a", Secret: secret}, {ID: "b", PEM: asText}}})
	check(t, named, "the kid of a public key", jws(t, asText, "HS256", `{"alg":"HS256","kid":"b"}`, claims),
		token.ErrNoKey)

	for _, alg := range []string{"none", "None", "NONE", "nOnE"} {
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"` + alg + `"}`))
		unsigned := header + "." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "."
		check(t, both, alg, unsigned, token.ErrAlgorithm)
		check(t, both, alg+" with a signature", unsigned+"AAAA", token.ErrAlgorithm)
	}
	if _, err := token.New(token.Options{Keys: allKeys(t), Algorithms: []string{"none"}}); !errors.Is(err,
		token.ErrAlgorithm) {
		t.Error("none can be allowed:", err)
	}
}

// TestKindsApart makes each kind of credential by the other's signature: one secret serves both.
func TestKindsApart(t *testing.T) {
	v := verifier(t, token.Options{Keys: []token.Key{{Secret: secret}}})
	ticket := sign(t, signer(t, token.Key{Secret: secret}, token.Ticket), token.Claims{})
	signed := ticket[:strings.LastIndex(ticket, ".")]
	signature, err := jwt.SigningMethodHS256.Sign(signed, secret)
	if err != nil {
		t.Fatal(err)
	}
	check(t, v, "a ticket signed as a JWT is", fmt.Sprintf("%s.%x", signed, signature), token.ErrSignature)
	check(t, v, "a ticket in capitals", signed+strings.ToUpper(ticket[len(signed):]), token.ErrSignature)
	check(t, v, "a ticket", ticket, nil)
}

// TestHeader has what a header may be, and may not.
func TestHeader(t *testing.T) {
	v := verifier(t,
		token.Options{Keys: []token.Key{
			{ID: "new", Secret: secret}, {ID: "old", Secret: other}, {PEM: public(t, keys()["EdDSA"])},
		}})
	const claims = `{"sub":"7","exp":1795400060}`
	for _, c := range []struct {
		header string
		want   error
	}{
		{`{"alg":"HS256"}`, nil},
		{`{"typ":"anything","alg":"HS256","kid":"new"}`, nil},
		{` {"alg":"HS256","kid":null}`, nil},
		// not looked at
		{`{"alg":"HS256","jwk":{"kty":"oct","k":"c2VzYW1l"},"jku":"http://127.0.0.1:1/","x5u":"http://127.0.0.1:1/"}`,
			nil},
		{`{"alg":"HS256","kid":"old"}`, token.ErrSignature},
		{`{"alg":"HS256","kid":"sesame"}`, token.ErrNoKey},
		{`{"alg":"HS256","kid":7}`, token.ErrMalformed},
		{`{"alg":"HS256","crit":["exp"]}`, token.ErrMalformed},
		{`{"alg":"HS256","b64":false,"crit":["b64"]}`, token.ErrMalformed},
		{`{"alg":"none","alg":"HS256"}`, token.ErrMalformed},
		{`{"alg":["HS256"]}`, token.ErrMalformed},
		{`{"alg":"hs256"}`, token.ErrAlgorithm},
		{`{"alg":"sesame"}`, token.ErrAlgorithm},
		{`{"alg":"ticket"}`, token.ErrAlgorithm},
		{`{"ALG":"HS256"}`, token.ErrAlgorithm},
		{`{}`, token.ErrAlgorithm},
		{`["HS256"]`, token.ErrMalformed},
		{`{"alg":"HS256"`, token.ErrMalformed},
		{`{"alg":"HS256"}{}`, token.ErrMalformed},
		{"{\"alg\":\"HS256\",\"x\":\"\xff\"}", token.ErrMalformed},
		{``, token.ErrMalformed},
	} {
		check(t, v, c.header, jws(t, secret, "HS256", c.header, claims), c.want)
	}
}

// TestClaims has what the claims may be, and may not, in both kinds of credentials.
func TestClaims(t *testing.T) {
	long := strings.Repeat("x", 255)
	v := verifier(t, token.Options{Keys: []token.Key{{Secret: secret}}})
	for _, c := range []struct {
		claims string
		uid    string // if it is good
		want   error
	}{
		{`{"sub":"7","exp":1795400060}`, "7", nil},
		{`{"sub":7,"exp":1795400060}`, "7", nil},
		{`{"sub":-7,"exp":1795400060}`, "-7", nil},
		{`{"sub":123456789012345678901234567890,"exp":1795400060}`, "123456789012345678901234567890", nil},
		{`{"sub":"\u00fcml\u00e4ut","exp":1795400060}`, "ümläut", nil},
		{`{"sub":"` + long + `","exp":1795400060}`, long, nil},
		{`{"sub":"7","exp":1795400060.5,"nbf":1795399999.5,"iat":1795399999}`, "7", nil},
		{`{"sub":"7","exp":1.79540006e9}`, "7", nil},
		{`{"sub":"7","exp":1795400060,"nbf":null,"iat":null,"channels":null,"groups":null}`, "7", nil},
		{`{"sub":"7","exp":1795400060,"SUB":"8","other":{"sub":[{"a":"a"}]}}`, "7", nil},
		{`{"sub":"7","exp":1795400060,"channels":[],"groups":[]}`, "7", nil},

		{`{"exp":1795400060}`, "", token.ErrUID},
		{`{"sub":null,"exp":1795400060}`, "", token.ErrUID},
		{`{"sub":"","exp":1795400060}`, "", token.ErrUID},
		{`{"sub":7.0,"exp":1795400060}`, "", token.ErrUID},
		{`{"sub":7e3,"exp":1795400060}`, "", token.ErrUID},
		{`{"sub":-0,"exp":1795400060}`, "", token.ErrUID},
		{`{"sub":true,"exp":1795400060}`, "", token.ErrUID},
		{`{"sub":["7"],"exp":1795400060}`, "", token.ErrUID},
		{`{"sub":{"uid":"7"},"exp":1795400060}`, "", token.ErrUID},
		{`{"sub":"` + long + `x","exp":1795400060}`, "", token.ErrUID},
		{`{"sub":"` + "\\u0000" + `","exp":1795400060}`, "", token.ErrUID},
		{`{"sub":"a\nb","exp":1795400060}`, "", token.ErrUID},
		{`{"sub":"\ud800","exp":1795400060}`, "", token.ErrUID},

		{`{"sub":"7"}`, "", token.ErrNoExpiry},
		{`{"sub":"7","exp":null}`, "", token.ErrNoExpiry},
		{`{"sub":"7","EXP":1795400060}`, "", token.ErrNoExpiry},
		{`{"sub":"7","exp":"1795400060"}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":1e400}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":1e17}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":-1}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":[1795400060]}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":1795400060,"nbf":"x"}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":1795400060,"iat":{}}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":0}`, "", token.ErrExpired},

		{`{"sub":"7","sub":"8","exp":1795400060}`, "", token.ErrMalformed},
		{`{"sub":"7","s\u0075b":"8","exp":1795400060}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":1,"exp":1795400060}`, "", token.ErrMalformed},
		{"{\"sub\":\"7\xff\",\"exp\":1795400060}", "", token.ErrMalformed},
		{"\ufeff" + `{"sub":"7","exp":1795400060}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":1795400060}x`, "", token.ErrMalformed},
		{`{"sub":"7","exp":1795400060,}`, "", token.ErrMalformed},
		{`[]`, "", token.ErrMalformed},
		{`"sub"`, "", token.ErrMalformed},
		{`null`, "", token.ErrMalformed},
		{``, "", token.ErrMalformed},
		{strings.Repeat("[", 4000), "", token.ErrMalformed},

		{`{"sub":"7","exp":1795400060,"channels":"chat:*"}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":1795400060,"channels":[7]}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":1795400060,"channels":[null]}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":1795400060,"channels":[""]}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":1795400060,"channels":["a*b"]}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":1795400060,"channels":["**"]}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":1795400060,"channels":["u:7"]}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":1795400060,"channels":["g:*"]}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":1795400060,"channels":["` + long + `x"]}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":1795400060,"groups":[""]}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":1795400060,"groups":{"a":1}}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":1795400060,"publish":[""]}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":1795400060,"publish":["g:room"]}`, "", token.ErrMalformed},
		{`{"sub":"7","exp":1795400060,"publish":["*"]}`, "7", nil},
		{`{"sub":"7","exp":1795400060,"publish":true}`, "7", nil},
		{`{"sub":"7","exp":1795400060,"groups":["\udc00"]}`, "", token.ErrMalformed},
	} {
		for _, credential := range []string{hs256(t, c.claims), token.Ticketed(secret, c.claims)} {
			check(t, v, c.claims, credential, c.want)
			if got, _ := v.Verify(context.Background(), credential); got.UID != c.uid {
				t.Errorf("%s: uid %q, want %q", c.claims, got.UID, c.uid)
			}
		}
	}
}

// TestVerifyWhose tells whose a credential is that is not good, if a key has signed it, and that alone.
func TestVerifyWhose(t *testing.T) {
	v := verifier(t, token.Options{Keys: []token.Key{{Secret: secret}}})
	for _, c := range []struct{ claims, uid string }{
		{`{"sub":"7","exp":1}`, "7"},
		{`{"sub":7,"exp":1}`, "7"},
		{`{"sub":"7","exp":1795400060,"groups":[""]}`, "7"},
		{`{"exp":1}`, ""},
		{`{"sub":"` + strings.Repeat("x", 256) + `","exp":1}`, ""},
	} {
		signed := hs256(t, c.claims)
		_, err := v.Verify(context.Background(), signed)
		var refused *token.RefusedError
		if !errors.As(err, &refused) || refused.UID != c.uid || err.Error() != refused.Err.Error() {
			t.Errorf("%s: %v, of %+v", c.claims, err, refused)
		}
		forged := signed[:len(signed)-4] + "AAAA"
		_, err = v.Verify(context.Background(), forged)
		if errors.As(err, &refused) || !errors.Is(err, token.ErrSignature) {
			t.Errorf("%s, forged: %v", c.claims, err)
		}
	}
}

// TestMaxLength has a credential of MaxLength be taken, and a longer one refused.
func TestMaxLength(t *testing.T) {
	v := verifier(t, token.Options{Keys: []token.Key{{Secret: secret}}})
	seen := false
	for pad := token.MaxLength/4*3 - 200; ; pad++ {
		c := token.Ticketed(secret, `{"sub":"7","exp":1795400060,"x":"`+strings.Repeat("x", pad)+`"}`)
		if len(c) > token.MaxLength {
			check(t, v, "one that is too long", c, token.ErrMalformed)
			break
		}
		seen = seen || len(c) == token.MaxLength
		check(t, v, "the longest", c, nil)
	}
	if !seen {
		t.Error("none had MaxLength bytes")
	}
}

// TestText has what is no credential at all, or has one spelling too many.
func TestText(t *testing.T) {
	v := verifier(t, token.Options{Keys: []token.Key{{Secret: secret}}})
	good := hs256(t, `{"sub":"7","exp":1795400060}`)
	ticket := token.Ticketed(secret, `{"sub":"7","exp":1795400060}`)
	check(t, v, "good", good, nil)
	huge := token.Ticketed(secret, `{"sub":"7","exp":1795400060,"x":"`+strings.Repeat("x", token.MaxLength)+`"}`)
	for _, c := range []string{
		"", ".", "..", "...", "t1", "t1.", "t1..", "a.b", "uid1", good + ".", "." + good, good + ".x", good + "\n",
		" " + good, good[:40] + "\n" + good[40:], good + "=", "Bearer " + good, strings.ReplaceAll(good, ".", ".."),
		ticket + ".", ticket + "\n", ticket + ".x", "t2" + ticket[2:], "\xff\xfe", huge, strings.Repeat("a", 1<<20),
		strings.Repeat(".", 1<<20), good[:strings.Index(good, ".")] + ".." + good[strings.LastIndex(good, ".")+1:],
	} {
		want := token.ErrMalformed
		if c == "t1.." || strings.Contains(c, "..") && strings.Count(c, ".") == 2 && len(c) > 10 {
			want = token.ErrSignature
		}
		check(t, v, fmt.Sprintf("%.60q", c), c, want)
	}
	// The last character of a signature of 32 bytes has two bits that say nothing.
	for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		if c := good[:len(good)-1] + string(last); c != good {
			if _, err := v.Verify(context.Background(), c); err == nil {
				t.Errorf("it may end with %c, too", last)
			}
		}
	}
}

// TestTimes is about the edges: an instant belongs to what follows it.
func TestTimes(t *testing.T) {
	for _, c := range []struct {
		skew     time.Duration
		exp, nbf time.Duration // from now
		want     error
	}{
		{0, -59 * time.Second, 0, nil},
		{0, -60 * time.Second, 0, token.ErrExpired},
		{0, time.Minute, 60 * time.Second, nil},
		{0, time.Minute, 61 * time.Second, token.ErrNotYet},
		{-1, time.Second, 0, nil},
		{-1, 0, 0, token.ErrExpired},
		{-1, time.Minute, time.Second, token.ErrNotYet},
		{time.Hour, -59 * time.Minute, 59 * time.Minute, nil},
	} {
		v := verifier(t, token.Options{Keys: []token.Key{{Secret: secret}}, Skew: c.skew})
		for _, claim := range []string{"nbf", "iat"} {
			claims := fmt.Sprintf(`{"sub":"7","exp":%d,%q:%d}`, now.Add(c.exp).Unix(), claim, now.Add(c.nbf).Unix())
			check(t, v, fmt.Sprint(c, claim), hs256(t, claims), c.want)
			check(t, v, fmt.Sprint(c, claim), token.Ticketed(secret, claims), c.want)
		}
	}
}

// TestAudienceAndIssuer checks them where they are wanted, in lists too, and nowhere else.
func TestAudienceAndIssuer(t *testing.T) {
	indifferent := verifier(t, token.Options{Keys: []token.Key{{Secret: secret}}})
	strict := verifier(t, token.Options{Keys: []token.Key{{Secret: secret}}, Audience: "push", Issuer: "shop"})
	for _, c := range []struct {
		claims string
		want   error
	}{
		{`"aud":"push","iss":"shop"`, nil},
		{`"aud":["web","push"],"iss":"shop"`, nil},
		{`"aud":"Push","iss":"shop"`, token.ErrAudience},
		{`"aud":["web"],"iss":"shop"`, token.ErrAudience},
		{`"aud":["push",7],"iss":"shop"`, token.ErrAudience},
		{`"aud":7,"iss":"shop"`, token.ErrAudience},
		{`"aud":"","iss":"shop"`, token.ErrAudience},
		{`"iss":"shop"`, token.ErrAudience},
		{`"aud":"push","iss":"shop2"`, token.ErrIssuer},
		{`"aud":"push","iss":{}`, token.ErrIssuer},
		{`"aud":"push"`, token.ErrIssuer},
	} {
		claims := `{"sub":"7","exp":1795400060,` + c.claims + `}`
		for _, credential := range []string{hs256(t, claims), token.Ticketed(secret, claims)} {
			check(t, strict, claims, credential, c.want)
			check(t, indifferent, claims, credential, nil)
		}
	}
}

// TestClaim names the uid by another claim.
func TestClaim(t *testing.T) {
	v := verifier(t, token.Options{Keys: []token.Key{{Secret: secret}}, Claim: "https://example.com/uid"})
	check(t, v, "sub", hs256(t, `{"sub":"7","exp":1795400060}`), token.ErrUID)
	s := signer(t, token.Key{Secret: secret}, "")
	s.Claim, s.Audience, s.Issuer = "https://example.com/uid", "push", "shop"
	check(t, v, "the claim", sign(t, s, token.Claims{}), nil)
	strict := verifier(t, token.Options{
		Keys: []token.Key{{Secret: secret}}, Claim: "https://example.com/uid", Audience: "push", Issuer: "shop",
	})
	check(t, strict, "all claims", sign(t, s, token.Claims{}), nil)
}
