package token

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lineman-go/lineman/push"
)

// Claims are what a credential says.
type Claims struct {
	UID string
	// what the connection may subscribe to: names, or beginnings with a "*" behind them, as push.Match has them
	Channels []string
	Publish  []string  // what it may publish to, likewise
	Groups   []string  // joined at login
	Issued   time.Time // zero: it does not say
	Expires  time.Time

	// Info is what others are told of the uid where they are told who is present: JSON of at most push.MaxInfo bytes.
	// nil: nothing.
	Info json.RawMessage
}

// Allowed reports whether a connection may subscribe to a channel.
func (c *Claims) Allowed(channel string) bool { return push.Match(c.Channels, channel) }

// check tells what is wrong with the names.
func (c *Claims) check() error {
	if push.UID(c.UID).Check() != nil || unreadable(c.UID) {
		return fmt.Errorf("%w: want 1 to %d bytes of text, or an integer", ErrUID, push.MaxName)
	}
	for _, name := range c.Groups {
		if push.Group(name).Check() != nil || unreadable(name) {
			return fmt.Errorf("%w: no group can have such a name", ErrMalformed)
		}
	}
	if !arePatterns(c.Channels) {
		return fmt.Errorf(`%w: channels wants names, or beginnings with a "*" behind them`, ErrMalformed)
	}
	if !arePatterns(c.Publish) {
		return fmt.Errorf(`%w: publish wants names of channels, or beginnings with a "*" behind them`, ErrMalformed)
	}
	return nil
}

// arePatterns reports whether all of a list are patterns of channels.
func arePatterns(list []string) bool {
	return !slices.ContainsFunc(list, func(p string) bool { return push.CheckPattern(p) != nil })
}

// unreadable reports whether a name has a character that stands for those that JSON could not express: different names
// would be one.
func unreadable(name string) bool { return strings.ContainsRune(name, utf8.RuneError) }
