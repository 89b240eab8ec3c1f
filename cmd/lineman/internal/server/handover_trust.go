package server

import (
	"crypto/sha256"
	"errors"
	"maps"
	"os"
	"slices"
)

// By which settings it was decided who may come in, and what a page may subscribe to: where these are others now, pages
// do not cross, but come back and show who they are. A key that is new changes nothing for those who are there.

const (
	trustRules = iota + 1
	trustKey
)

var errDistrust = errors.New("the settings of who may come in, or of what a page may subscribe to, have changed")

// trust tells the settings of this process. No secret is in it.
func (s *Server) trust() []byte {
	var f saved
	rules := sha256.Sum256(s.trustedRules())
	f.bytes(trustRules, rules[:])
	for _, key := range s.trustedKeys() {
		sum := sha256.Sum256(key)
		f.bytes(trustKey, sum[:])
	}
	return f
}

// trusts reports whether who was let in by settings would be let in by those of this process.
func (s *Server) trusts(other []byte) bool {
	var own trusted
	_ = own.read(s.trust()) // it was written just now
	var others trusted
	return others.read(other) == nil && others.rules == own.rules &&
		!slices.ContainsFunc(others.keys, func(key string) bool { return !slices.Contains(own.keys, key) })
}

// trusted is what trust has told: sums.
type trusted struct {
	rules string
	keys  []string
}

func (t *trusted) read(state []byte) error {
	return readFields(state, trustKey, func(f *field) {
		switch f.number {
		case trustRules:
			t.rules = f.text()
		case trustKey:
			t.keys = append(t.keys, f.text())
		}
	})
}

// trustedRules are all but the keys. What is zero is left out: a setting of a later version changes nothing where it is
// not used.
func (s *Server) trustedRules() []byte {
	c, t := &s.config, &s.config.Token
	var f saved
	f.flag(1, c.Dev)
	f.texts(2, c.Origins)
	f.text(3, c.Cookie)
	f.text(4, t.JWKS)
	f.texts(5, t.Algorithms)
	f.text(6, t.Audience)
	f.text(7, t.Issuer)
	f.text(8, t.Claim)
	f.integer(9, int64(t.Skew))
	for _, what := range []string{"connect", "subscribe"} {
		if name, h, asks := c.Decider(what); asks {
			f.texts(10, []string{what, name, h.URL, h.Away})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Namespaces)) {
		f.texts(11, []string{name, c.Namespaces[name].Subscribe})
	}
	for _, a := range c.Pusher.Apps {
		f.texts(12, append([]string{a.ID, a.Key}, a.Origins...))
	}
	return f
}

// trustedKeys are those by which credentials are checked.
func (s *Server) trustedKeys() (keys [][]byte) {
	for _, secret := range s.config.Token.Secrets {
		keys = append(keys, []byte(secret))
	}
	for _, name := range s.config.Token.PublicKeys {
		key, _ := os.ReadFile(name) // one that cannot be read is a failed start
		keys = append(keys, key)
	}
	for _, a := range s.config.PusherApps() {
		keys = append(keys, []byte(a.ID+"\n"+a.Key+"\n"+a.Secret))
	}
	return keys
}
