package push

import (
	"bytes"
	"encoding/json"
	"maps"
)

// roster is who is present in all channels, in memory: which nodes have each uid, and what is known of it. Not for
// several goroutines at a time.
type roster struct {
	channels map[Target]map[string]*presentUID // none is empty
	nodes    map[string]map[seat]struct{}      // what each node has said, by its ID; none is empty
	counts   PresenceStats                     // of channels that users can name
}

// presentUID is a uid in a channel.
type presentUID struct {
	nodes int
	info  json.RawMessage
}

// change is what an event is of.
type change struct {
	in Target
	PresenceEvent
	moved bool // the uid has come, or gone
}

// tell tells the node by whose saying it is.
func (c *change) tell(n *Node) {
	if kind, _ := c.in.Split(); c.moved && n.Attended != nil && kind == ToChannel {
		n.Attended(c.in, c.UID, c.Here)
	}
}

func newRoster() *roster {
	return &roster{channels: make(map[Target]map[string]*presentUID), nodes: make(map[string]map[seat]struct{})}
}

// enter notes that a node has a uid in a channel. told reports whether that changes anything for others.
func (r *roster) enter(node string, at seat, info json.RawMessage) (c change, told bool) {
	in := r.channels[at.channel]
	if in == nil {
		in = make(map[string]*presentUID)
		r.channels[at.channel] = in
		r.count(at.channel, PresenceStats{Channels: 1})
	}
	p := in[at.uid]
	moved := p == nil
	if moved {
		p = &presentUID{}
		in[at.uid] = p
		r.count(at.channel, PresenceStats{Users: 1})
		told = true
	}
	if _, known := r.nodes[node][at]; !known {
		if r.nodes[node] == nil {
			r.nodes[node] = make(map[seat]struct{})
		}
		r.nodes[node][at] = struct{}{}
		p.nodes++
	}
	if info != nil {
		if string(info) == "null" {
			info = nil
		}
		told = told || !bytes.Equal(info, p.info)
		p.info = info
	}
	return change{at.channel, PresenceEvent{UID: at.uid, Here: true, Info: p.info, N: len(in)}, moved}, told
}

// leave notes that a node no longer has it. told reports whether no other has it.
func (r *roster) leave(node string, at seat) (c change, told bool) {
	if _, known := r.nodes[node][at]; !known {
		return change{}, false
	}
	if delete(r.nodes[node], at); len(r.nodes[node]) == 0 {
		delete(r.nodes, node)
	}
	in := r.channels[at.channel]
	if in[at.uid].nodes--; in[at.uid].nodes > 0 {
		return change{}, false
	}
	delete(in, at.uid)
	r.count(at.channel, PresenceStats{Users: -1})
	if len(in) == 0 {
		delete(r.channels, at.channel)
		r.count(at.channel, PresenceStats{Channels: -1})
	}
	return change{at.channel, PresenceEvent{UID: at.uid, N: len(in)}, true}, true
}

// leaveAll notes that a node has gone, and returns what that changes for others.
func (r *roster) leaveAll(node string) (changes []change) {
	for at := range maps.Clone(r.nodes[node]) {
		if c, told := r.leave(node, at); told {
			changes = append(changes, c)
		}
	}
	return changes
}

// present tells who is in a channel, if they are not too many.
func (r *roster) present(in Target, most int) Presence {
	all := r.channels[in]
	p := Presence{N: len(all), More: len(all) > most}
	if p.More {
		return p
	}
	p.Users = make(map[string]json.RawMessage, len(all))
	for uid, one := range all {
		p.Users[uid] = one.info
	}
	return p
}

// countAll tells of each channel how many are there.
func (r *roster) countAll(in []Target) []int {
	counts := make([]int, len(in))
	for i, t := range in {
		counts[i] = len(r.channels[t])
	}
	return counts
}

// count adds to the stats, unless what is present there are nodes or names of a roll.
func (r *roster) count(in Target, by PresenceStats) {
	if kind, _ := in.Split(); kind == ToChannel {
		r.counts.Channels += by.Channels
		r.counts.Users += by.Users
	}
}

func (r *roster) stats() PresenceStats { return r.counts }
