package push

import (
	"iter"
	"slices"
)

// What a Hub tells is about its own node.

// Member is the one whose connection has this id, or nil.
func (h *Hub[C]) Member(id uint64) *Member[C] { return h.members[id] }

// Members are the connections that a Target names. Connections may come and go while the caller walks through them.
func (h *Hub[C]) Members(t Target) iter.Seq[*Member[C]] {
	return func(yield func(*Member[C]) bool) {
		for _, m := range slices.Clone(h.find(t)) {
			if m.hub != nil && !yield(m) {
				return
			}
		}
	}
}

// Peek is Members without a copy: no connection may come, go, enter or leave while the caller walks through them.
func (h *Hub[C]) Peek(t Target) iter.Seq[*Member[C]] { return slices.Values(h.find(t)) }

// find gives the connections that a Target names. The slice is good until a connection comes or goes.
func (h *Hub[C]) find(t Target) []*Member[C] {
	switch kind, name := t.Split(); kind {
	case ToEveryone:
		return h.everyone.members
	case ToConn:
		if node, id, ok := splitConn(name); ok {
			if m := h.members[id]; m != nil && m.node() == node {
				return []*Member[C]{m}
			}
		}
	default:
		if s := h.sets[kind][name]; s != nil {
			return s.members
		}
	}
	return nil
}

// findPlain is find, but finds nobody where all follow: to walk over many is a part of what a publication costs, and
// they get it in another way.
func (h *Hub[C]) findPlain(t Target) []*Member[C] {
	s := h.setFor(t)
	switch {
	case s == nil:
		return h.find(t) // a connection
	case int(s.following) == len(s.members):
		return nil
	}
	return s.members
}

// findFollowing is find, but finds nobody where none follows.
func (h *Hub[C]) findFollowing(t Target) []*Member[C] {
	s := h.setFor(t)
	switch {
	case s == nil:
		return h.find(t)
	case s.following == 0:
		return nil
	}
	return s.members
}

// Name is the Target that a connection has as a Member, also before it is one.
func (h *Hub[C]) Name(c C) Target {
	if m := h.members[c.ID()]; m != nil {
		return m.Target()
	}
	return connTarget(h.node, c.ID())
}

// Count is how many connections a Target names.
func (h *Hub[C]) Count(t Target) int { return len(h.find(t)) }

// Counts is Count for many.
func (h *Hub[C]) Counts(ts []Target) []int {
	counts := make([]int, len(ts))
	for i, t := range ts {
		counts[i] = h.Count(t)
	}
	return counts
}

// Online tells of each uid whether it has a connection.
func (h *Hub[C]) Online(uids []string) []bool {
	online := make([]bool, len(uids))
	for i, uid := range uids {
		online[i] = h.sets[ToUID][uid] != nil
	}
	return online
}

// UIDs are those of the connections that a Target names, each once, in order.
func (h *Hub[C]) UIDs(t Target) []string {
	seen := make(map[string]bool)
	for m := range h.Members(t) {
		if m.own != nil {
			seen[m.UID()] = true
		}
	}
	return sorted(seen)
}

// Groups are the names of the groups that have a connection, in order.
func (h *Hub[C]) Groups() []string { return sorted(h.sets[ToGroup]) }

// Channels are the names of the channels that have a subscriber, in order.
func (h *Hub[C]) Channels() []string { return sorted(h.sets[ToChannel]) }

func sorted[V any](of map[string]V) []string {
	names := make([]string, 0, len(of))
	for name := range of {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
