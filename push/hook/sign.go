package hook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Headers of a request to a hook.
const (
	NameHeader      = "Lineman-Hook"      // the name of the hook in the settings
	TimestampHeader = "Lineman-Timestamp" // seconds since 1970, in decimal digits
	SignatureHeader = "Lineman-Signature" // as Sign makes it
)

// Errors of Verify.
var (
	ErrSignature = errors.New("hook: the request is not signed by one of the secrets")
	ErrStale     = errors.New("hook: the request was signed at another time: compare the clocks, or it is a replay")
)

// Sign signs a body at a time: "v1=" and the HMAC-SHA256 (RFC 2104) of the timestamp, a full stop and the body in
// hexadecimal, for each secret, with commas between them.
func Sign(secrets []string, timestamp string, body []byte) string {
	var text []byte
	for i, secret := range secrets {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, "v1="...)
		text = hex.AppendEncode(text, mac(secret, timestamp, body))
	}
	return string(text)
}

func mac(secret, timestamp string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(timestamp))
	h.Write([]byte{'.'})
	h.Write(body)
	return h.Sum(nil)
}

// DefaultSkew is Verifier.Skew where nothing is said.
const DefaultSkew = 5 * time.Minute

// Verifier knows requests of the push server. It is for the application, and may be used by many goroutines.
type Verifier struct {
	// Secrets are those of the hook: a request has to be signed by one of them. While one replaces another, both sides
	// may have two.
	Secrets []string

	Skew time.Duration    // by which the timestamp may differ from now; 0 means DefaultSkew, negative any time
	Now  func() time.Time // nil means time.Now
}

// Verify tells whether a request comes from who knows a secret, and was signed just now. The body is whole, and as it
// came. The error is ErrSignature or ErrStale, and may have a reason around it. How long it takes tells nothing about
// the secrets.
func (v *Verifier) Verify(header http.Header, body []byte) error {
	timestamp, err := one(header, TimestampHeader)
	if err != nil {
		return err
	}
	at, err := parseTimestamp(timestamp)
	if err != nil {
		return err
	}
	text, err := one(header, SignatureHeader)
	if err != nil {
		return err
	}
	macs, err := parseSignature(text)
	if err != nil {
		return err
	}
	good := false
	for _, secret := range v.Secrets {
		want := mac(secret, timestamp, body)
		for i := range macs {
			good = hmac.Equal(macs[i][:], want) || good
		}
	}
	switch {
	case !good:
		return ErrSignature
	case !v.isNow(at):
		return ErrStale
	}
	return nil
}

func (v *Verifier) isNow(at time.Time) bool {
	now, skew := time.Now(), v.Skew
	if v.Now != nil {
		now = v.Now()
	}
	if skew == 0 {
		skew = DefaultSkew
	}
	return skew < 0 || now.Sub(at).Abs() <= skew
}

// one is the value of a header that stands once.
func one(header http.Header, name string) (string, error) {
	values := header.Values(name)
	if len(values) != 1 {
		return "", fmt.Errorf("%w: it has %d headers %s, want one", ErrSignature, len(values), name)
	}
	return values[0], nil
}

// parseTimestamp reads 1 to 11 decimal digits.
func parseTimestamp(text string) (time.Time, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || len(text) > 11 {
		return time.Time{}, fmt.Errorf("%w: the timestamp is no number of seconds", ErrSignature)
	}
	return time.Unix(int64(n), 0), nil
}

// maxSignatures are those that a request may have.
const maxSignatures = 16

// parseSignature reads the MACs of a signature. Versions that are not known are passed over.
func parseSignature(text string) (macs [][sha256.Size]byte, err error) {
	parts := strings.Split(text, ",")
	if len(parts) > maxSignatures {
		return nil, fmt.Errorf("%w: it has %d signatures, want at most %d", ErrSignature, len(parts), maxSignatures)
	}
	for _, part := range parts {
		version, digits, ok := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case !ok:
			return nil, fmt.Errorf("%w: want v1= and hexadecimal digits", ErrSignature)
		case version != "v1":
			continue
		}
		var m [sha256.Size]byte
		if len(digits) != hex.EncodedLen(len(m)) {
			return nil, fmt.Errorf("%w: want %d hexadecimal digits", ErrSignature, hex.EncodedLen(len(m)))
		}
		if _, err := hex.Decode(m[:], []byte(digits)); err != nil {
			return nil, fmt.Errorf("%w: want hexadecimal digits", ErrSignature)
		}
		macs = append(macs, m)
	}
	return macs, nil
}
