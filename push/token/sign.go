package token

import (
	"bytes"
	"crypto"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lineman-go/lineman/push"
)

// Signer makes credentials. Its methods may be called from any goroutine.
type Signer struct {
	// Claim, Audience and Issuer are what the Options of who checks them say. Immutable after the first Sign.
	Claim, Audience, Issuer string

	kid       string
	key       any // []byte or a crypto.Signer
	algorithm string
}

// NewSigner makes a Signer. An empty algorithm means HS256 for a secret, RS256 for an RSA key, and the only one of the
// others; Ticket makes tickets.
func NewSigner(k Key, algorithm string) (*Signer, error) {
	key, err := k.private()
	if err != nil {
		return nil, err
	}
	known := key
	if private, ok := key.(crypto.Signer); ok {
		known = private.Public()
	}
	possible, err := algorithmsOf(known)
	if err != nil {
		return nil, err
	}
	if algorithm == "" {
		algorithm = possible[0]
	}
	if !slices.Contains(possible, algorithm) {
		return nil, fmt.Errorf("%w: the key can do %q", ErrAlgorithm, possible)
	}
	return &Signer{kid: k.ID, key: key, algorithm: algorithm}, nil
}

// Sign makes a credential. Claims have to name a uid and when they expire; their times are cut to seconds. It is an
// error if no Verifier would take them, or they make more than MaxLength bytes.
func (s *Signer) Sign(c Claims) (string, error) {
	if c.Expires.IsZero() {
		return "", ErrNoExpiry
	}
	if err := c.check(); err != nil {
		return "", err
	}
	if len(c.Info) > push.MaxInfo {
		return "", fmt.Errorf("%w: info has more than %d bytes", ErrMalformed, push.MaxInfo)
	}
	var claims bytes.Buffer
	e := json.NewEncoder(&claims)
	e.SetEscapeHTML(false) // it would make an info longer
	if err := e.Encode(s.payload(c)); err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	credential, err := s.seal(encoding.EncodeToString(bytes.TrimSpace(claims.Bytes())))
	if err == nil && len(credential) > MaxLength {
		return "", fmt.Errorf("%w: it would have more than %d bytes", ErrMalformed, MaxLength)
	}
	return credential, err
}

// payload are the claims by their names.
func (s *Signer) payload(c Claims) map[string]any {
	name := s.Claim
	if name == "" {
		name = "sub"
	}
	said := map[string]any{name: c.UID, "exp": c.Expires.Unix()}
	if !c.Issued.IsZero() {
		said["iat"] = c.Issued.Unix()
	}
	if len(c.Channels) > 0 {
		said["channels"] = c.Channels
	}
	if len(c.Publish) > 0 {
		said["publish"] = c.Publish
	}
	if len(c.Groups) > 0 {
		said["groups"] = c.Groups
	}
	if len(c.Info) > 0 {
		said["info"] = c.Info
	}
	if s.Audience != "" {
		said["aud"] = s.Audience
	}
	if s.Issuer != "" {
		said["iss"] = s.Issuer
	}
	return said
}

// seal signs claims in base64url.
func (s *Signer) seal(claims string) (string, error) {
	if s.algorithm == Ticket {
		signed := ticketPrefix + claims
		return signed + "." + ticketMAC(s.key.([]byte), signed), nil
	}
	header := map[string]string{"typ": "JWT", "alg": s.algorithm}
	if s.kid != "" {
		header["kid"] = s.kid
	}
	head, err := json.Marshal(header)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	signed := encoding.EncodeToString(head) + "." + claims
	signature, err := jwt.GetSigningMethod(s.algorithm).Sign(signed, s.key)
	if err != nil {
		return "", fmt.Errorf("token: signing: %w", err)
	}
	return signed + "." + encoding.EncodeToString(signature), nil
}
