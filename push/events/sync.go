package events

import (
	"slices"
	"time"

	"github.com/lineman-go/lineman/internal/jsontext"
	"github.com/lineman-go/lineman/push"
)

// chunk is how many names a Sync has at most.
const chunk = 1000

// retrySync is after how long it is asked again who is there.
const retrySync = time.Second

// SyncAll tells all groups who is there now.
func (d *Dispatcher) SyncAll() {
	for _, g := range d.groups {
		g.sync()
	}
}

// sync tells the group who is there now, if it wants to know that.
func (g *group) sync() {
	uids, channels := g.wantsAny(Join, Leave), g.wantsAny(Occupied, Vacated)
	state := g.dispatcher.options.State
	switch {
	case state == nil || !uids && !channels || g.mute || g.dispatcher.leaving:
		return
	case g.syncing:
		g.stale = true
		return
	}
	g.syncing = true
	state(uids, channels, func(users, occupied []string, err error) {
		g.syncing = false
		switch {
		case g.dispatcher.leaving: // pages go to the successor, which knows better
		case g.mute: // another node tells it meanwhile
		case err != nil:
			g.dispatcher.options.After(retrySync, g.sync)
		case g.stale:
			g.stale = false
			g.sync()
		default:
			g.tellState(uids, g.concerned(users, push.UID), channels, g.concerned(occupied, push.Channel))
		}
	})
}

// concerned are the names that the group wants to know of.
func (g *group) concerned(names []string, target func(string) push.Target) []string {
	if g.of == nil {
		return names
	}
	return slices.DeleteFunc(names, func(name string) bool { return !push.Match(g.of, string(target(name))) })
}

// tellState tells it in parts.
func (g *group) tellState(uids bool, users []string, channels bool, occupied []string) {
	for first := true; first || len(users)+len(occupied) > 0; first = false {
		text := g.dispatcher.begin(Sync)
		if uids {
			n := min(chunk, len(users))
			text = appendNames(text, "uids", users[:n])
			users = users[n:]
		}
		if channels {
			n := min(chunk, len(occupied))
			text = appendNames(text, "channels", occupied[:n])
			occupied = occupied[n:]
		}
		if first {
			text = append(text, `,"first":true`...)
		}
		if len(users)+len(occupied) == 0 {
			text = append(text, `,"last":true`...)
		}
		g.add(text, "", nil, false)
	}
}

func appendNames(dst []byte, field string, names []string) []byte {
	dst = append(append(append(dst, `,"`...), field...), `":[`...)
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsontext.AppendString(dst, name)
	}
	return append(dst, ']')
}
