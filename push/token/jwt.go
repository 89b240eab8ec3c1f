package token

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// encoding is base64url, each text having one spelling. Immutable.
var encoding = base64.RawURLEncoding.Strict()

// openJWT gives the claims of a JWT as they were signed: RFC 7515, section 5.2.
func (v *Verifier) openJWT(ctx context.Context, credential string) ([]byte, error) {
	if strings.Count(credential, ".") != 2 {
		return nil, fmt.Errorf("%w: want the three parts of a JWT, or a ticket", ErrMalformed)
	}
	end := strings.LastIndexByte(credential, '.')
	signed := credential[:end]
	head, body, _ := strings.Cut(signed, ".")
	h := v.header.Load()
	if h == nil || h.part != head {
		var err error
		if h, err = parseHeader(head); err != nil {
			return nil, err
		}
		v.header.Store(h)
	}
	method := v.allowed[h.algorithm]
	if method == nil {
		return nil, ErrAlgorithm
	}
	signature, err := encoding.DecodeString(credential[end+1:])
	if err != nil {
		return nil, fmt.Errorf("%w: the signature is no base64url", ErrMalformed)
	}
	if err := v.checkSignature(ctx, method, h.kid, signed, signature); err != nil {
		return nil, err
	}
	claims, err := encoding.DecodeString(body)
	if err != nil {
		return nil, fmt.Errorf("%w: the claims are no base64url", ErrMalformed)
	}
	return claims, nil
}

// header is what the header of a JWT says about its signature. Immutable.
type header struct{ part, algorithm, kid string }

// parseHeader reads the header that is the first part of a JWT.
func parseHeader(part string) (*header, error) {
	text, err := encoding.DecodeString(part)
	if err != nil {
		return nil, fmt.Errorf("%w: the header is no base64url", ErrMalformed)
	}
	said, err := parseObject(text)
	if err != nil {
		return nil, err
	}
	if said["crit"] != nil {
		// RFC 7515, section 4.1.11
		return nil, fmt.Errorf("%w: it wants extensions, and there are none", ErrMalformed)
	}
	h := &header{part: strings.Clone(part)}
	if h.algorithm, err = said.text("alg"); err != nil {
		return nil, err
	}
	h.kid, err = said.text("kid")
	return h, err
}

// checkSignature tries the keys that were given, and then the one of the key set.
func (v *Verifier) checkSignature(ctx context.Context, m jwt.SigningMethod, kid, signed string,
	signature []byte) error {
	reason := ErrNoKey
	for _, k := range v.keys {
		if !slices.Contains(k.algorithms, m.Alg()) || kid != "" && k.id != "" && k.id != kid {
			continue
		}
		if k.signed(m, signed, signature) {
			return nil
		}
		reason = ErrSignature
	}
	if v.set == nil || kid == "" || !isPublic(m) {
		return reason
	}
	key, err := v.set.find(ctx, m.Alg(), kid)
	if err != nil {
		return err
	}
	if m.Verify(signed, signature, key) != nil {
		return ErrSignature
	}
	return nil
}

// signed reports whether the key has made a signature, by a method that it can do.
func (k *knownKey) signed(m jwt.SigningMethod, text string, signature []byte) bool {
	if macs := k.macs[m.Alg()]; macs != nil {
		return macs.made(signature, "", text)
	}
	return m.Verify(text, signature, k.value) == nil
}
