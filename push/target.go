package push

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Target is whom a publication is for.
//
//	u:NAME   the connections of a uid
//	g:NAME   the connections that the server has put into a group
//	c:ID     one connection: see Member.Target
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

// Kind is what a Target names.
type Kind uint8

// The kinds of Targets.
const (
	ToEveryone Kind = iota
	ToUID
	ToGroup
	ToChannel
	ToConn
)

// connPrefix begins the Target of a connection, which goes on with the node that has it and its id there.
const connPrefix = "c:"

// connTarget is the Target of a connection.
func connTarget(node string, id uint64) Target {
	return Target(connPrefix + node + "." + strconv.FormatUint(id, 10))
}

// splitConn takes the name of a connection apart.
func splitConn(name string) (node string, id uint64, ok bool) {
	node, number, found := strings.Cut(name, ".")
	id, err := strconv.ParseUint(number, 10, 64)
	return node, id, found && node != "" && err == nil
}

// Topic is what a Broker knows a Target by. That of a connection is its node's, which subscribes to it for all its
// connections; any other Target is its own.
func (t Target) Topic() Target {
	if kind, name := t.Split(); kind == ToConn {
		node, _, _ := strings.Cut(name, ".")
		return nodeTopic(node)
	}
	return t
}

// nodeTopic is what the connections of a node are published for.
func nodeTopic(node string) Target { return Target(connPrefix + node) }

// Split takes a Target apart.
func (t Target) Split() (Kind, string) {
	if t == Everyone {
		return ToEveryone, ""
	}
	if len(t) >= 2 && t[1] == ':' {
		switch t[0] {
		case 'u':
			return ToUID, string(t[2:])
		case 'g':
			return ToGroup, string(t[2:])
		case 'c':
			return ToConn, string(t[2:])
		}
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

// isOther reports whether the name of a channel would be taken for a target of another kind.
func isOther(name string) bool {
	kind, _ := Target(name).Split()
	return kind != ToChannel
}

func (k Kind) String() string {
	return [...]string{"everyone", "uid", "group", "channel", "connection"}[k]
}

// Match reports whether a name fits one of some patterns. A pattern is a whole name, or the beginning of names and a
// "*". So "chat:*" has all channels of a namespace, and "*" has everything.
func Match(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if start, ok := strings.CutSuffix(p, "*"); ok {
			return strings.HasPrefix(name, start)
		}
		return p == name
	})
}

// CheckPattern tells what is wrong with a pattern of channels, as Match takes it: a name, or the beginning of one and a
// "*". No channel at all could fit a wrong one.
func CheckPattern(pattern string) error {
	start, open := strings.CutSuffix(pattern, "*")
	switch {
	case open && start == "":
		return nil
	case strings.Contains(start, "*"):
		return fmt.Errorf(`push: the pattern %.80q has a "*" before its end`, pattern)
	case isOther(start):
		return fmt.Errorf("push: the pattern %.80q is none of channels", pattern)
	}
	return checkName(ToChannel, start)
}

// MaxTargets is how many a message, or a question, may be for.
const MaxTargets = 10_000

func tooManyTargets(n int) error {
	return fmt.Errorf("push: %d targets: at most %d are allowed at once", n, MaxTargets)
}

// twice finds a target that comes again.
func twice(all []Target) (t Target, found bool) {
	if len(all) <= 8 { // without a map
		for i, t := range all {
			if slices.Contains(all[:i], t) {
				return t, true
			}
		}
		return "", false
	}
	seen := make(map[Target]bool, len(all))
	for _, t := range all {
		if seen[t] {
			return t, true
		}
		seen[t] = true
	}
	return "", false
}
