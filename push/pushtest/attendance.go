package pushtest

import (
	"encoding/json"
	"slices"

	"github.com/lineman-go/lineman/push"
)

// An Attendance is presence as a broker should keep it, too simple to be wrong: a list of what nodes have said, which
// is looked through from the beginning. Not for several goroutines at a time.
type Attendance struct {
	said  []seat
	infos []known
}

// seat is what a node has said.
type seat struct {
	node string
	in   push.Target
	uid  string
}

// known is what is known of a uid in a channel.
type known struct {
	in   push.Target
	uid  string
	info string // JSON
}

// Enter notes what a node says, and returns the event of it, if it is one.
func (a *Attendance) Enter(node string, in push.Target, uid string, info json.RawMessage) []push.PresenceEvent {
	_, was := a.Present(in)[uid]
	before := a.Present(in)[uid]
	a.said = append(a.without(node, in, uid), seat{node, in, uid})
	if info != nil {
		a.infos = append(a.infos, known{in, uid, string(info)})
	}
	after := a.Present(in)[uid]
	if was && string(before) == string(after) {
		return nil
	}
	return []push.PresenceEvent{{UID: uid, Here: true, Info: after, N: len(a.Present(in))}}
}

// Leave notes that a node no longer has a uid, and returns the event of it, if it is one.
func (a *Attendance) Leave(node string, in push.Target, uid string) []push.PresenceEvent {
	_, was := a.Present(in)[uid]
	a.said = a.without(node, in, uid)
	if _, is := a.Present(in)[uid]; is || !was {
		return nil
	}
	a.infos = slices.DeleteFunc(a.infos, func(k known) bool { return k.in == in && k.uid == uid })
	return []push.PresenceEvent{{UID: uid, N: len(a.Present(in))}}
}

// Gone is Leave of all that a node has said. Each event is told with its channel.
func (a *Attendance) Gone(node string, tell func(in push.Target, e push.PresenceEvent)) {
	for _, s := range slices.Clone(a.said) {
		if s.node == node {
			for _, e := range a.Leave(node, s.in, s.uid) {
				tell(s.in, e)
			}
		}
	}
}

// without is what was said but for one.
func (a *Attendance) without(node string, in push.Target, uid string) []seat {
	return slices.DeleteFunc(slices.Clone(a.said), func(s seat) bool { return s == seat{node, in, uid} })
}

// Present are the uids of a channel with what is known of them.
func (a *Attendance) Present(in push.Target) map[string]json.RawMessage {
	present := make(map[string]json.RawMessage)
	for _, s := range a.said {
		if s.in != in {
			continue
		}
		present[s.uid] = nil
		for _, k := range a.infos { // the last one holds
			if k.in == in && k.uid == s.uid {
				present[s.uid] = json.RawMessage(k.info)
			}
		}
		if string(present[s.uid]) == "null" {
			present[s.uid] = nil
		}
	}
	return present
}

// Told is what a Link tells of a channel.
func (a *Attendance) Told(in push.Target, most int) push.Presence {
	p := push.Presence{Users: a.Present(in)}
	if p.N = len(p.Users); p.N > most {
		p.More, p.Users = true, nil
	}
	return p
}

// Stats are those of all channels.
func (a *Attendance) Stats() (s push.PresenceStats) {
	var channels []push.Target
	for _, said := range a.said {
		// rolls are present in targets of their own
		if kind, _ := said.in.Split(); kind == push.ToChannel && !slices.Contains(channels, said.in) {
			channels = append(channels, said.in)
			s.Channels++
			s.Users += len(a.Present(said.in))
		}
	}
	return s
}
