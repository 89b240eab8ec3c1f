package token

import (
	"crypto"
	"crypto/hmac"
	"hash"
	"sync"

	"github.com/golang-jwt/jwt/v5"
)

// macs make the HMACs (RFC 2104) of a secret by a hash. Those that are made are used again, as the secret is hashed for
// each new one.
type macs struct{ free sync.Pool }

// mac is an HMAC that is being made.
type mac struct {
	hash.Hash
	text []byte // that it is made of
	sum  []byte
}

func newMACs(secret []byte, by crypto.Hash) *macs {
	m := &macs{}
	m.free.New = func() any { return &mac{Hash: hmac.New(by.New, secret)} }
	return m
}

// macsOf are those of a secret, by the algorithms that it can do.
func macsOf(secret []byte) map[string]*macs {
	all := map[string]*macs{Ticket: newMACs(secret, crypto.SHA256)}
	for _, m := range []*jwt.SigningMethodHMAC{
		jwt.SigningMethodHS256, jwt.SigningMethodHS384, jwt.SigningMethodHS512,
	} {
		all[m.Alg()] = newMACs(secret, m.Hash)
	}
	return all
}

// made reports whether an HMAC is that of a text behind a label. How long that takes does not tell where it differs.
func (m *macs) made(sum []byte, label, text string) bool {
	h := m.free.Get().(*mac)
	defer m.free.Put(h)
	h.Reset()
	h.text = append(append(h.text[:0], label...), text...)
	_, _ = h.Write(h.text) // it never fails
	h.sum = h.Sum(h.sum[:0])
	return hmac.Equal(h.sum, sum)
}
