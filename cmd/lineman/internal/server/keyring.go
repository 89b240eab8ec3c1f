package server

import (
	"crypto/sha256"
	"crypto/subtle"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/push/command"
)

// keyring knows the keys of back ends. Immutable.
type keyring []hashedKey

type hashedKey struct {
	hash   [sha256.Size]byte
	permit *command.Permit
}

func newKeyring(keys []config.Key) (k keyring) {
	for _, key := range keys {
		p := &command.Permit{Name: key.Name, Targets: key.Targets}
		for _, s := range key.Scopes {
			p.Scopes = append(p.Scopes, command.Scope(s))
		}
		if len(p.Scopes) == 0 {
			p.Scopes = []command.Scope{command.Publish, command.Manage, command.Read}
		}
		k = append(k, hashedKey{sha256.Sum256([]byte(key.Key)), p})
	}
	return k
}

// find is what a key permits; nil if it is none of the ring's. How long that takes tells nothing about the keys.
func (k keyring) find(key []byte) (found *command.Permit) {
	hash := sha256.Sum256(key)
	for _, one := range k {
		if subtle.ConstantTimeCompare(hash[:], one.hash[:]) == 1 {
			found = one.permit
		}
	}
	return found
}
