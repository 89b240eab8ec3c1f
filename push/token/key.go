package token

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
)

// Key is a secret, or a key in PEM. What a key can do follows from what it is, never from what a credential says: a
// secret does HS256, HS384, HS512 and tickets; an RSA key RS and PS; a key of the curve P-256, P-384 or P-521 the ES of
// that curve; an Ed25519 key EdDSA.
type Key struct {
	// ID is what a JWT calls the key in its kid. A JWT that names another is not checked by this key. Empty: any may
	// be.
	ID string

	// Secret has at least 16 bytes. As many as the hash has, 32 for HS256, cannot be guessed.
	Secret []byte

	// PEM has one key: a public key or a certificate to verify, a private key to sign. Of a private key, Verify uses
	// the public half.
	PEM []byte
}

// Ticket is the name of tickets among algorithms.
const Ticket = "ticket"

const (
	minSecret = 16   // bytes
	minRSA    = 2048 // bits: RFC 7518, section 3.3
)

// algorithms are all that there are.
func algorithms() []string {
	return []string{
		Ticket, "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384",
		"ES512", "EdDSA",
	}
}

// algorithmsOf are those that a secret or a public key can do, the usual first.
func algorithmsOf(key any) ([]string, error) {
	switch key := key.(type) {
	case []byte:
		return []string{"HS256", "HS384", "HS512", Ticket}, nil
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSA {
			return nil, fmt.Errorf("%w: an RSA key has to have %d bits", ErrKey, minRSA)
		}
		return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, nil
	case *ecdsa.PublicKey:
		if _, err := key.ECDH(); err != nil {
			return nil, fmt.Errorf("%w: it is no point of its curve, or of one that is not known", ErrKey)
		}
		switch key.Curve {
		case elliptic.P256():
			return []string{"ES256"}, nil
		case elliptic.P384():
			return []string{"ES384"}, nil
		case elliptic.P521():
			return []string{"ES512"}, nil
		}
	case ed25519.PublicKey:
		return []string{"EdDSA"}, nil
	}
	return nil, fmt.Errorf("%w: want RSA, the curve P-256, P-384 or P-521, or Ed25519", ErrKey)
}

// secret is that of the key, if it is one that nobody guesses or knows.
func (k *Key) secret() ([]byte, error) {
	switch {
	case k.PEM != nil:
		return nil, fmt.Errorf("%w: it has a Secret and a PEM", ErrKey)
	case len(k.Secret) < minSecret:
		return nil, fmt.Errorf("%w: a secret of %d bytes can be guessed: want %d or more", ErrKey,
			len(k.Secret), minSecret)
	case bytes.Contains(k.Secret, []byte("-----BEGIN ")):
		return nil, fmt.Errorf("%w: a key in PEM is no secret", ErrKey)
	}
	return bytes.Clone(k.Secret), nil
}

// public is what credentials are checked by.
func (k *Key) public() (any, error) {
	if k.Secret != nil || k.PEM == nil {
		return k.secret()
	}
	key, err := parsePEM(k.PEM)
	if private, ok := key.(crypto.Signer); ok {
		return private.Public(), err
	}
	return key, err
}

// private is what credentials are made by: a secret, or a crypto.Signer.
func (k *Key) private() (any, error) {
	if k.Secret != nil || k.PEM == nil {
		return k.secret()
	}
	key, err := parsePEM(k.PEM)
	if err != nil {
		return nil, err
	}
	if _, ok := key.(crypto.Signer); !ok {
		return nil, fmt.Errorf("%w: a public key checks credentials, a private one makes them", ErrKey)
	}
	return key, nil
}

// parsePEM reads the only key of a text.
func parsePEM(text []byte) (key any, err error) {
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		switch {
		case block == nil && key == nil:
			return nil, fmt.Errorf("%w: no key in PEM", ErrKey)
		case block == nil:
			return key, nil
		case block.Type == "EC PARAMETERS": // openssl ecparam writes them in front of the key
			continue
		case key != nil:
			return nil, fmt.Errorf("%w: there are several in one PEM: want a Key for each", ErrKey)
		}
		if key, err = parseBlock(block); err != nil {
			return nil, err
		}
	}
}

func parseBlock(b *pem.Block) (key any, err error) {
	switch {
	case strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED") || b.Type == "ENCRYPTED PRIVATE KEY":
		return nil, fmt.Errorf("%w: it is encrypted: want it as it is, in a file that only the server can read", ErrKey)
	case b.Type == "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(b.Bytes)
	case b.Type == "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(b.Bytes)
	case b.Type == "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(b.Bytes)
	case b.Type == "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(b.Bytes)
	case b.Type == "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(b.Bytes)
	case b.Type == "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(b.Bytes); err == nil {
			key = c.PublicKey
		}
	default:
		return nil, fmt.Errorf("%w: the PEM is neither a key nor a certificate", ErrKey)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the PEM cannot be read", ErrKey) // x509's errors may have what it read
	}
	return key, nil
}
