package pushtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lineman-go/lineman/push"
)

// This file has what a node of the suite says and reads of who is present.

// event writes a change of who is present down.
func event(in push.Target, e push.PresenceEvent) string {
	if !e.Here {
		return fmt.Sprintf("%s -%s %d", in, e.UID, e.N)
	}
	return fmt.Sprintf("%s +%s%s %d", in, e.UID, e.Info, e.N)
}

// apply has a list follow what changes, if the node has one of that channel.
func (n *node) apply(in push.Target, e push.PresenceEvent) {
	switch room := n.rooms[in]; {
	case room == nil:
	case e.Here:
		room[e.UID] = string(e.Info)
	default:
		delete(room, e.UID)
	}
}

// enter says that a node has uids in a channel. Each is written as uid, or as uid=JSON.
func (n *node) enter(in push.Target, uids ...string) {
	n.t.Helper()
	n.loop.Await(func() {
		for _, text := range uids {
			uid, said, has := strings.Cut(text, "=")
			var info json.RawMessage
			if has {
				info = json.RawMessage(said)
			}
			n.link.(push.PresenceLink).Enter(in, uid, info)
		}
	})
}

// leave says that it no longer has them.
func (n *node) leave(in push.Target, uids ...string) {
	n.t.Helper()
	n.loop.Await(func() {
		for _, uid := range uids {
			n.link.(push.PresenceLink).Leave(in, uid)
		}
	})
}

// present reads who is in a channel.
func (n *node) present(in push.Target, most int) (p push.Presence, err error) {
	n.t.Helper()
	done := make(chan error, 1)
	n.loop.Await(func() {
		n.link.(push.PresenceLink).Present(in, most, func(told push.Presence, err error) {
			p = told
			done <- err
		})
	})
	err = n.await(done, "present")
	return p, err
}

// seen writes down who is in a channel: each uid with what is known of it, in order.
func seen(users map[string]json.RawMessage) string {
	var words []string
	for _, uid := range slices.Sorted(maps.Keys(users)) {
		words = append(words, uid+string(users[uid]))
	}
	return strings.Join(words, " ")
}

// has waits until a node sees who is in a channel: what others have said may be under way.
func (n *node) has(in push.Target, want string) {
	n.t.Helper()
	var p push.Presence
	var err error
	if !until(func() bool {
		p, err = n.present(in, 1000)
		return err == nil && seen(p.Users) == want && p.N == len(p.Users) && !p.More
	}) {
		n.t.Fatalf("%s: %s has %q (%d), %v; want %q", n.id, in, seen(p.Users), p.N, err, want)
	}
}

// counts reads how many are in some channels.
func (n *node) counts(in ...push.Target) (counts []int, err error) {
	n.t.Helper()
	done := make(chan error, 1)
	n.loop.Await(func() {
		loan := slices.Clone(in)
		n.link.(push.PresenceLink).CountPresent(loan, func(told []int, err error) {
			counts = told
			done <- err
		})
		clear(loan)
	})
	err = n.await(done, "count")
	return counts, err
}

// stats reads those of all channels.
func (n *node) stats() (s push.PresenceStats, err error) {
	n.t.Helper()
	done := make(chan error, 1)
	n.loop.Await(func() {
		n.link.(push.PresenceLink).PresenceStats(func(told push.PresenceStats, err error) {
			s = told
			done <- err
		})
	})
	err = n.await(done, "stats")
	return s, err
}
