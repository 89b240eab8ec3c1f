package push

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Target is whom a publication is for.
//
//	u:NAME   the connections of a uid
//	g:NAME   the connections that the server has put into a group
//	*        every connection
//	NAME     the subscribers of a channel
type Target string

// Everyone is the Target of all connections.
const Everyone Target = "*"

// UID is the Target of a uid's connections.
func UID(uid string) Target { return Target("u:" + uid) }

// Group is the Target of a group.
func Group(name string) Target { return Target("g:" + name) }

// Channel is the Target of a channel.
func Channel(name string) Target { return Target(name) }

// MaxName is the longest name of a uid, a group or a channel, in bytes.
const MaxName = 255

// Kind is what a Target names.
type Kind uint8

// The kinds of Targets.
const (
	ToEveryone Kind = iota
	ToUID
	ToGroup
	ToChannel
	kinds
)

// Split takes a Target apart.
func (t Target) Split() (Kind, string) {
	switch {
	case t == Everyone:
		return ToEveryone, ""
	case strings.HasPrefix(string(t), "u:"):
		return ToUID, string(t[2:])
	case strings.HasPrefix(string(t), "g:"):
		return ToGroup, string(t[2:])
	}
	return ToChannel, string(t)
}

// Check tells what is wrong with a Target.
func (t Target) Check() error {
	kind, name := t.Split()
	if kind == ToEveryone {
		return nil
	}
	return checkName(kind, name)
}

func checkName(k Kind, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("push: a %s has no name", k)
	case len(name) > MaxName:
		return fmt.Errorf("push: the name of a %s has %d bytes: at most %d are allowed", k, len(name), MaxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("push: the name of a %s is not UTF-8", k)
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("push: the name of a %s has a control character", k)
	case k == ToChannel && (name == "*" || strings.HasPrefix(name, "u:") || strings.HasPrefix(name, "g:")):
		return fmt.Errorf("push: a channel cannot be called %q: that is another kind of target", name)
	}
	return nil
}

func (k Kind) String() string { return [...]string{"everyone", "uid", "group", "channel"}[k] }
