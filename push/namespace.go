package push

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Namespace is what the channels of a name allow. The zero value allows what Options do.
type Namespace struct {
	Closed         bool // nobody subscribes
	MaxSubscribers int  // of one channel, on a node, or on all nodes of a Memory; 0 means any number
	MaxMessage     int  // bytes; 0 means that of Options

	History Retention // what is kept of what is published on a channel; the zero value keeps nothing

	Presence   PresenceMode // what there is of who is in a channel
	MaxPresent int          // uids of a channel up to which they are told, beyond it is only how many; 0 means 1000

	// TellSubscribers has those who follow a channel be told how many connections have subscribed to it: see Options.
	TellSubscribers bool
}

// Namespaces find what holds for a channel by its name. A key is the part of names before their first ":", the
// beginning of such names and a "*", as "chat:room-*", or "" for all channels that no other key fits. The longest key
// that fits a channel holds. Immutable.
type Namespaces[T any] struct {
	by   map[string]*namespaces[T]
	rest *namespaces[T] // of "", which by has too; nil: there are none
}

// namespaces are those of the channels that have the same part before the first ":".
type namespaces[T any] struct {
	key    string
	is     T
	longer []longer[T] // of some of them, the longest first; most have none
}

// longer is that of the channels that begin so.
type longer[T any] struct {
	start, key string
	is         T
}

// NewNamespaces makes them. An error says what cannot be a key.
func NewNamespaces[T any](all map[string]T) (Namespaces[T], error) {
	n := Namespaces[T]{rest: &namespaces[T]{is: all[""]}}
	n.by = map[string]*namespaces[T]{"": n.rest}
	for key, is := range all {
		if key != "" && !strings.Contains(key, ":") {
			n.by[key] = &namespaces[T]{key: key, is: is}
		}
		if err := checkNamespace(key); err != nil {
			return n, err
		}
	}
	for key, is := range all {
		name, _, open := strings.Cut(key, ":")
		if !open {
			continue
		}
		if n.by[name] == nil {
			n.by[name] = &namespaces[T]{is: all[""]}
		}
		n.by[name].longer = append(n.by[name].longer, longer[T]{strings.TrimSuffix(key, "*"), key, is})
	}
	for _, one := range n.by {
		slices.SortFunc(one.longer, func(a, b longer[T]) int { return cmp.Compare(len(b.start), len(a.start)) })
	}
	return n, nil
}

// checkNamespace tells what is wrong with the key of one.
func checkNamespace(key string) error {
	name, rest, open := strings.Cut(key, ":")
	start, starred := strings.CutSuffix(rest, "*")
	if isOther(name+":") || open && (name == "" || !starred || start == "" || strings.Contains(start, "*")) {
		return fmt.Errorf("push: no namespace can be called %q", key)
	}
	return nil
}

// Find finds what holds for a channel, and its key.
func (n Namespaces[T]) Find(channel string) (key string, is T) {
	if key, found := n.find(channel); found != nil {
		return key, *found
	}
	return "", is // there are none
}

// find is Find without a copy; nil if there are none.
func (n *Namespaces[T]) find(channel string) (key string, is *T) {
	one := n.rest
	if len(n.by) > 1 { // the rest is one of them
		if name, _, found := strings.Cut(channel, ":"); found && n.by[name] != nil {
			one = n.by[name]
		}
	}
	if one == nil {
		return "", nil
	}
	for i := range one.longer {
		if l := &one.longer[i]; strings.HasPrefix(channel, l.start) {
			return l.key, &l.is
		}
	}
	return one.key, &one.is
}

// namespace is that of a channel. It must not be changed.
func (h *Hub[C]) namespace(channel string) *Namespace {
	_, n := h.namespaces.find(channel)
	return n
}
