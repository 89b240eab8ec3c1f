package token

import "errors"

// Errors of Verify, New and NewSigner, to be matched by errors.Is.
var (
	ErrNoKey     = errors.New("token: no key to check it by")
	ErrKey       = errors.New("token: the key cannot be used")
	ErrMalformed = errors.New("token: malformed")
	ErrAlgorithm = errors.New("token: the algorithm is not allowed")
	ErrSignature = errors.New("token: the signature is not by a key that is known")
	ErrNoExpiry  = errors.New("token: it does not say when it expires")
	ErrExpired   = errors.New("token: expired")
	ErrNotYet    = errors.New("token: not good yet")
	ErrAudience  = errors.New("token: for another audience")
	ErrIssuer    = errors.New("token: by another issuer")
	ErrUID       = errors.New("token: it names no uid")
	ErrRevoked   = errors.New("token: revoked")

	// ErrUnavailable is of a credential that can be neither taken nor refused now, as what it is to be checked by
	// cannot be reached: it may be good, and the same one may be shown again later. It comes beside ErrNoKey when a key
	// set cannot be fetched.
	ErrUnavailable = errors.New("token: it cannot be checked now")
)

// RefusedError is of a credential that was signed by a key that is known, and is not good all the same. It tells whose
// it is, for people who look for the reason: nobody is who it says.
type RefusedError struct {
	UID string // empty: it names none
	Err error  // why, to be matched by errors.Is
}

func (e *RefusedError) Error() string { return e.Err.Error() }

func (e *RefusedError) Unwrap() error { return e.Err }

// reason is the word for an error.
type reason struct {
	err  error
	word string
}

// reasonTable has one for each error of this package.
func reasonTable() []reason {
	return []reason{
		{ErrUnavailable, "unavailable"}, // first: it comes beside others
		{ErrNoKey, "no_key"},
		{ErrKey, "key"},
		{ErrMalformed, "malformed"},
		{ErrAlgorithm, "algorithm"},
		{ErrSignature, "signature"},
		{ErrNoExpiry, "no_expiry"},
		{ErrExpired, "expired"},
		{ErrNotYet, "not_yet"},
		{ErrAudience, "audience"},
		{ErrIssuer, "issuer"},
		{ErrUID, "uid"},
		{ErrRevoked, "revoked"},
	}
}

// otherReason is that of an error which is not of this package.
const otherReason = "other"

// Reason is a word for an error of this package, for counting: one of Reasons. Of any other error it is "other", and of
// nil "".
func Reason(err error) string {
	if err == nil {
		return ""
	}
	for _, r := range reasonTable() {
		if errors.Is(err, r.err) {
			return r.word
		}
	}
	return otherReason
}

// Reasons are what Reason can say of an error: no_key, key, malformed, algorithm, signature, no_expiry, expired,
// not_yet, audience, issuer, uid, revoked, unavailable and other.
func Reasons() []string {
	words := []string{otherReason}
	for _, r := range reasonTable() {
		words = append(words, r.word)
	}
	return words
}
