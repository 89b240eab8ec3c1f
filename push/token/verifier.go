package token

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lineman-go/lineman/push"
)

// MaxLength is how long a credential may be, in bytes.
const MaxLength = 8 << 10

// Options say which credentials are good. There has to be a key, or a key set.
type Options struct {
	// Keys are the keys of those who make credentials. With several, one can be replaced while credentials by the old
	// one are good.
	Keys []Key

	// JWKS is the URL of a key set (RFC 7517), fetched in the background every 15 minutes and kept while it cannot be.
	// A JWT has to name its key by kid. A kid that is not there has the set fetched, at most every 10 seconds.
	// Redirects are not followed; secrets in the set are ignored. Empty: none.
	JWKS string

	// Algorithms are those that a credential may use: those of RFC 7518, section 3.1, but for "none", and EdDSA and
	// Ticket. Empty: all that the keys can do.
	Algorithms []string

	Audience string // that a credential has to have among its aud; empty: any
	Issuer   string // that it has to have as iss; empty: any
	Claim    string // that names the uid; empty: sub

	// Skew is by how much the clock of who makes credentials may differ. 0 means a minute, and what is negative
	// nothing.
	Skew time.Duration

	// Revocations are asked about each credential that is good otherwise. nil: there are none.
	Revocations *Revocations

	// Log hears of a key set that cannot be fetched. nil means slog.Default().
	Log *slog.Logger

	// Now is the clock. nil means time.Now.
	Now func() time.Time

	pace pace // of fetching the key set; zero means the usual
}

// Verifier checks credentials. Its methods may be called from any goroutine.
type Verifier struct {
	options Options
	keys    []knownKey
	set     *keySet // nil: none
	allowed map[string]jwt.SigningMethod
	header  atomic.Pointer[header] // the last one that was read: most credentials have the same
}

// knownKey is a key to check credentials by.
type knownKey struct {
	id         string
	value      any // []byte, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
	algorithms []string
	macs       map[string]*macs // of a secret, by its algorithms; nil of any other key
}

// New makes a Verifier. Without a key the error is ErrNoKey. It does not wait for the key set.
func New(o Options) (*Verifier, error) {
	if len(o.Keys) == 0 && o.JWKS == "" {
		return nil, fmt.Errorf("%w: give Options a key or a key set", ErrNoKey)
	}
	if o.Claim == "" {
		o.Claim = "sub"
	}
	if o.Skew == 0 {
		o.Skew = time.Minute
	}
	o.Skew = max(o.Skew, 0)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	v := &Verifier{options: o, allowed: make(map[string]jwt.SigningMethod)}
	for _, k := range o.Keys {
		value, err := k.public()
		if err != nil {
			return nil, err
		}
		known := knownKey{id: k.ID, value: value}
		if known.algorithms, err = algorithmsOf(value); err != nil {
			return nil, err
		}
		if secret, ok := value.([]byte); ok {
			known.macs = macsOf(secret)
		}
		v.keys = append(v.keys, known)
	}
	if err := v.allow(o.Algorithms); err != nil {
		return nil, err
	}
	if o.JWKS == "" {
		return v, nil
	}
	set, err := newKeySet(o.JWKS, o.Log, o.pace)
	v.set = set
	return v, err
}

// allow notes which algorithms are good: those of a list that the keys can do.
func (v *Verifier) allow(list []string) error {
	for _, a := range list {
		if !slices.Contains(algorithms(), a) {
			return fmt.Errorf("%w: want those of %q", ErrAlgorithm, algorithms())
		}
	}
	for _, a := range algorithms() {
		method := jwt.GetSigningMethod(a) // nil for Ticket
		possible := v.options.JWKS != "" && isPublic(method) ||
			slices.ContainsFunc(v.keys, func(k knownKey) bool { return slices.Contains(k.algorithms, a) })
		if possible && (len(list) == 0 || slices.Contains(list, a)) {
			v.allowed[a] = method
		}
	}
	if len(v.allowed) == 0 {
		return fmt.Errorf("%w: the keys can do none of the list", ErrAlgorithm)
	}
	return nil
}

// isPublic reports whether a method checks by public keys.
func isPublic(m jwt.SigningMethod) bool {
	_, symmetric := m.(*jwt.SigningMethodHMAC)
	return m != nil && !symmetric
}

// IsQuick reports whether Verify waits for nothing, and computes hashes alone: there are neither public keys nor a key
// set. Then it takes some microseconds, and a loop may call it.
func (v *Verifier) IsQuick() bool {
	return v.set == nil && !slices.ContainsFunc(v.keys, func(k knownKey) bool { return k.macs == nil })
}

// Close ends what runs in the background. A key set knows its keys still, and learns of no others.
func (v *Verifier) Close() {
	if v.set != nil {
		v.set.close()
	}
}

// Verify tells what a credential says, if it is good. It waits for nothing but the key set, and for that at most until
// ctx ends. Where a key has signed what is not good, the error is a RefusedError.
func (v *Verifier) Verify(ctx context.Context, credential string) (Claims, error) {
	text, err := v.open(ctx, credential)
	if err != nil {
		return Claims{}, err
	}
	said, err := parseObject(text)
	if err != nil {
		return Claims{}, err
	}
	c, err := v.read(said)
	if r := v.options.Revocations; err == nil && r != nil && r.Revoked(c.UID, c.Issued) {
		err = ErrRevoked
	}
	if err != nil {
		uid, _ := said.uid(v.options.Claim) // it may name none
		if push.UID(uid).Check() != nil {
			uid = ""
		}
		return Claims{}, &RefusedError{uid, err}
	}
	return c, nil
}

// open gives the claims of a credential as they were signed.
func (v *Verifier) open(ctx context.Context, credential string) ([]byte, error) {
	switch {
	case credential == "":
		return nil, fmt.Errorf("%w: it is empty", ErrMalformed)
	case len(credential) > MaxLength:
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrMalformed, MaxLength)
	case !isPlain(credential):
		return nil, fmt.Errorf("%w: want base64url and dots", ErrMalformed)
	case isTicket(credential):
		return v.openTicket(credential)
	}
	return v.openJWT(ctx, credential)
}

// isPlain reports whether there is nothing but base64url and dots. base64.Encoding skips line ends, which would give
// one credential several spellings.
func isPlain(credential string) bool {
	for _, b := range []byte(credential) {
		switch {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '-', b == '_', b == '.':
		default:
			return false
		}
	}
	return true
}

// read checks claims.
func (v *Verifier) read(said object) (c Claims, err error) {
	if err := v.checkTimes(said, &c); err != nil {
		return c, err
	}
	switch {
	case v.options.Audience != "" && !said.oneOf("aud", v.options.Audience):
		return c, ErrAudience
	case v.options.Issuer != "" && !said.oneOf("iss", v.options.Issuer):
		return c, ErrIssuer
	}
	if c.UID, err = said.uid(v.options.Claim); err != nil {
		return c, err
	}
	if c.Channels, err = said.texts("channels"); err != nil {
		return c, err
	}
	if list, err := said.texts("publish"); err == nil { // what is no list of strings is somebody else's claim
		c.Publish = list
	}
	if c.Groups, err = said.texts("groups"); err != nil {
		return c, err
	}
	if said.has("info") && len(said["info"]) <= push.MaxInfo { // what is longer is somebody else's claim
		c.Info = bytes.Clone(said["info"]) // it is kept, and the rest is not
	}
	return c, c.check()
}

// checkTimes reads and checks the times. RFC 7519, sections 4.1.4 to 4.1.6.
func (v *Verifier) checkTimes(said object, c *Claims) (err error) {
	if c.Expires, err = said.instant("exp"); err != nil {
		return err
	}
	begins, err := said.instant("nbf")
	if err != nil {
		return err
	}
	if c.Issued, err = said.instant("iat"); err != nil {
		return err
	}
	now, skew := v.options.Now(), v.options.Skew
	switch {
	case c.Expires.IsZero():
		return ErrNoExpiry
	case !now.Before(c.Expires.Add(skew)):
		return ErrExpired
	// what was made in the future would outlive a revocation
	case now.Add(skew).Before(begins), now.Add(skew).Before(c.Issued):
		return ErrNotYet
	}
	return nil
}
