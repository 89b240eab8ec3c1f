package pusher

import (
	"fmt"
	"strings"
)

// Kind is what a channel is, which the beginning of its name says: a set of properties.
type Kind uint8

// The properties of channels. One without any is public.
const (
	Private   Kind = 1 << iota // needs a signature
	Presence                   // has members: needs a signature of who it is
	Encrypted                  // its data is encrypted by the back end, and means nothing here
	Cache                      // keeps its last event for who comes
)

// MaxChannel is the longest name of a channel, in bytes.
const MaxChannel = 200

// What names of channels begin with.
const (
	privatePrefix   = "private-"
	encryptedPrefix = "private-encrypted-"
	presencePrefix  = "presence-"
	cachePrefix     = "cache-"

	userPrefix   = "#server-to-user-" // of what back ends tell a user
	onlinePrefix = "#online-"         // of where a user is present, for those who watch for it
)

// KindOf is what a channel is, by its name alone.
func KindOf(name string) (k Kind) {
	rest := name
	switch {
	case strings.HasPrefix(name, encryptedPrefix):
		k, rest = Private|Encrypted, name[len(encryptedPrefix):]
	case strings.HasPrefix(name, privatePrefix):
		k, rest = Private, name[len(privatePrefix):]
	case strings.HasPrefix(name, presencePrefix):
		k, rest = Presence, name[len(presencePrefix):]
	}
	if strings.HasPrefix(rest, cachePrefix) {
		k |= Cache
	}
	return k
}

// has reports whether a channel has one of some properties.
func (k Kind) has(some Kind) bool { return k&some != 0 }

// CheckChannel tells what is wrong with the name of a channel that a page asks for, or a back end publishes on: it has
// letters, digits and _-=@,.; alone.
func CheckChannel(name string) error {
	if name == "" || len(name) > MaxChannel {
		return fmt.Errorf("pusher: the name of a channel has 1 to %d characters, not %d", MaxChannel, len(name))
	}
	for i := range len(name) {
		if c := name[i]; !isAlphanumeric(c) && strings.IndexByte("_-=@,.;", c) < 0 {
			return fmt.Errorf("pusher: the name of a channel has letters, digits and _-=@,.; alone: not %.80q", name)
		}
	}
	return nil
}

// checkTarget is CheckChannel for a back end, which may also publish for a user.
func checkTarget(name string) error {
	if user, found := strings.CutPrefix(name, userPrefix); found {
		return checkUser(user)
	}
	return CheckChannel(name)
}

// maxUser is the longest id of a user, in bytes.
const maxUser = 128

// checkUser tells what is wrong with the id of a user. What characters it may have, the Hub says.
func checkUser(id string) error {
	if id == "" || len(id) > maxUser {
		return fmt.Errorf("pusher: the id of a user has 1 to %d bytes, not %d", maxUser, len(id))
	}
	return nil
}
