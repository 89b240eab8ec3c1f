package events

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/lineman-go/lineman/internal/fields"
	"github.com/lineman-go/lineman/push"
)

// To other nodes a successor is its predecessor: it has its name, its relays go on with their runs and numbers, and so
// do theirs to it. What a relay was about to send, and what was about to be acknowledged, follows from that: it is sent
// when the loop runs again, of the predecessor or of the successor.

// The fields of a cluster.
const (
	fieldClusterID       = 1
	fieldClusterLinked   = 2
	fieldClusterBuried   = 3 // once for each node
	fieldClusterPeer     = 4 // likewise
	fieldClusterGuardian = 5
	fieldClusterConn     = 6 // once for each connection here
	fieldClusterWent     = 7 // once for each that the guardian does not know to have closed
)

// The fields of a peer.
const (
	fieldPeerID     = 1
	fieldPeerSilent = 2 // for how long, in milliseconds
	fieldPeerGroups = 3 // as nodes tell them
	fieldPeerInflow = 4 // once for each
	fieldPeerConn   = 5 // once for each connection there, if this node is its guardian
)

// The fields of an inflow. Items name them by their order, over all peers.
const (
	fieldInflowGroup   = 1
	fieldInflowRun     = 2
	fieldInflowN       = 3
	fieldInflowDone    = 4
	fieldInflowAhead   = 5 // once for each
	fieldInflowRefused = 6
)

// The fields of a connection of a ward.
const (
	fieldConnName   = 1
	fieldConnUID    = 2
	fieldConnUnsaid = 3
)

// The fields of a relay.
const (
	fieldRelayPeer     = 1
	fieldRelayRun      = 2
	fieldRelayArrived  = 3
	fieldRelayRecalled = 4
	fieldRelayGone     = 5 // once for each
)

// errStill is that of what is told while the loop stands still: it is told again.
var errStill = errors.New("events: the loop stands still")

// StandStill has other nodes be told nothing until the loop runs again, so that what is under way comes to an end: the
// program calls it before push.Hub.SaveBrokerState.
func (d *Dispatcher) StandStill() {
	c := d.cluster
	if c == nil {
		return
	}
	c.still = true
	d.options.Do(func() {
		if d.cluster == c { // no successor has all
			now := d.options.Now()
			for _, p := range c.peers {
				p.heard = now // nobody was listened to
			}
			c.goOn()
		}
	})
}

// goOn tells other nodes what they may not have been told since the loop stood still.
func (c *cluster) goOn() {
	c.still = false
	for _, p := range c.peers {
		c.adopt(p)
		for _, r := range p.relays {
			r.Send(nil)
		}
		for _, in := range p.came {
			if in.refused {
				c.sayRefused(p, in)
			} else {
				c.acknowledge(p, in)
			}
		}
	}
	c.changed()
}

func (w *stateWriter) appendCluster(dst []byte, c *cluster) []byte {
	dst = fields.Bytes(dst, fieldClusterID, c.id)
	dst = fields.Bool(dst, fieldClusterLinked, c.linked)
	for id := range c.buried {
		dst = fields.Item(dst, fieldClusterBuried, id)
	}
	for _, p := range c.peers {
		dst = fields.Nested(dst, fieldClusterPeer, func(dst []byte) []byte { return w.appendPeer(dst, p) })
	}
	dst = fields.Bytes(dst, fieldClusterGuardian, c.ward.guardian)
	for conn, uid := range c.ward.conns {
		_, unsaid := c.ward.Came[conn]
		dst = appendConn(dst, fieldClusterConn, conn, uid, unsaid)
	}
	for _, conn := range c.ward.Went {
		dst = fields.Item(dst, fieldClusterWent, conn)
	}
	return dst
}

func appendConn(dst []byte, field uint64, conn push.Target, uid string, unsaid bool) []byte {
	return fields.Nested(dst, field, func(dst []byte) []byte {
		dst = fields.Bytes(dst, fieldConnName, conn)
		dst = fields.Bytes(dst, fieldConnUID, uid)
		return fields.Bool(dst, fieldConnUnsaid, unsaid)
	})
}

func (w *stateWriter) appendPeer(dst []byte, p *peer) []byte {
	dst = fields.Bytes(dst, fieldPeerID, p.id)
	dst = fields.Uint(dst, fieldPeerSilent, milliseconds(w.now.Sub(p.heard)))
	groups, _ := json.Marshal(p.groups) // they were read as JSON
	dst = fields.Bytes(dst, fieldPeerGroups, groups)
	for _, in := range p.came {
		w.inflows[in] = uint64(len(w.inflows) + 1)
		dst = fields.Nested(dst, fieldPeerInflow, in.appendState)
	}
	for conn, uid := range p.wards {
		dst = appendConn(dst, fieldPeerConn, conn, uid, false)
	}
	return dst
}

func (in *inflow) appendState(dst []byte) []byte {
	dst = fields.Bytes(dst, fieldInflowGroup, in.Group)
	dst = fields.Uint(dst, fieldInflowRun, in.Run)
	dst = fields.Uint(dst, fieldInflowN, in.N)
	dst = fields.Uint(dst, fieldInflowDone, in.done)
	for n := range in.ahead {
		dst = fields.Uint(dst, fieldInflowAhead, n)
	}
	return fields.Bool(dst, fieldInflowRefused, in.refused)
}

func (r *relay) appendState(dst []byte) []byte {
	dst = fields.Bytes(dst, fieldRelayPeer, r.peer.id)
	dst = fields.Uint(dst, fieldRelayRun, r.run)
	dst = fields.Uint(dst, fieldRelayArrived, r.arrived)
	dst = fields.Bool(dst, fieldRelayRecalled, r.recalled)
	for _, conn := range r.gone {
		dst = fields.Item(dst, fieldRelayGone, conn)
	}
	return dst
}

// cameIn is an inflow of a predecessor, and the node that it comes from.
type cameIn struct {
	*inflow
	peer *peer
}

// takeCluster has this node be that of the predecessor, if there are other nodes for it.
func (d *Dispatcher) takeCluster(state []byte) error {
	c := d.cluster
	if c == nil {
		return nil
	}
	w := &c.ward
	w.conns, w.Came = make(map[push.Target]string), make(map[push.Target]string)
	return fields.Each(state, fieldClusterWent, func(number uint64, value []byte) (err error) {
		switch number {
		case fieldClusterID:
			c.id = string(value)
		case fieldClusterLinked:
			c.linked = true
		case fieldClusterBuried:
			c.buried[string(value)] = true
		case fieldClusterPeer:
			err = c.takePeer(value)
		case fieldClusterGuardian:
			w.guardian = string(value)
		case fieldClusterConn:
			var conn push.Target
			var uid string
			var unsaid bool
			if conn, uid, unsaid, err = takeConn(value); unsaid {
				w.Came[conn] = uid
			}
			w.conns[conn] = uid
		case fieldClusterWent:
			w.Went = append(w.Went, push.Target(value))
		}
		return err
	})
}

func takeConn(state []byte) (conn push.Target, uid string, unsaid bool, err error) {
	err = fields.Each(state, fieldConnUnsaid, func(number uint64, value []byte) error {
		switch number {
		case fieldConnName:
			conn = push.Target(value)
		case fieldConnUID:
			uid = string(value)
		case fieldConnUnsaid:
			unsaid = true
		}
		return nil
	})
	return conn, uid, unsaid, err
}

func (c *cluster) takePeer(state []byte) error {
	p := newPeer("")
	var silent time.Duration
	var all []cameIn
	if err := fields.Each(state, fieldPeerConn, func(number uint64, value []byte) (err error) {
		switch number {
		case fieldPeerID:
			p.id = string(value)
		case fieldPeerSilent:
			err = putTime(&silent, value)
		case fieldPeerGroups:
			err = json.Unmarshal(value, &p.groups)
		case fieldPeerInflow:
			in := &inflow{ahead: make(map[uint64]bool)}
			err = fields.Each(value, fieldInflowRefused, in.take)
			p.came[in.Group] = in
			all = append(all, cameIn{in, p})
		case fieldPeerConn:
			var conn push.Target
			var uid string
			conn, uid, _, err = takeConn(value)
			p.take(&ward{Came: map[push.Target]string{conn: uid}})
		}
		return err
	}); err != nil {
		return err
	}
	if p.id == "" || c.peers[p.id] != nil {
		return fields.ErrMalformed
	}
	p.heard = c.dispatcher.options.Now().Add(-silent)
	c.peers[p.id] = p
	c.dispatcher.arriving.inflows = append(c.dispatcher.arriving.inflows, all...)
	return nil
}

func (in *inflow) take(number uint64, value []byte) (err error) {
	switch number {
	case fieldInflowGroup:
		in.Group = string(value)
	case fieldInflowRun:
		err = fields.Put(&in.Run, value)
	case fieldInflowN:
		err = fields.Put(&in.N, value)
	case fieldInflowDone:
		err = fields.Put(&in.done, value)
	case fieldInflowAhead:
		var n uint64
		err = fields.Put(&n, value)
		in.ahead[n] = true
	case fieldInflowRefused:
		in.refused = true
	}
	return err
}

// relayState is a relay that is being read.
type relayState struct {
	peer         string
	run, arrived uint64
	recalled     bool
	gone         []string
}

func (s *relayState) take(number uint64, value []byte) (err error) {
	switch number {
	case fieldRelayPeer:
		s.peer = string(value)
	case fieldRelayRun:
		err = fields.Put(&s.run, value)
	case fieldRelayArrived:
		err = fields.Put(&s.arrived, value)
	case fieldRelayRecalled:
		s.recalled = true
	case fieldRelayGone:
		s.gone = append(s.gone, string(value))
	}
	return err
}

// resumeRelay has a listener be a relay, as it was. Without the other node it is one that nobody attaches.
func (c *cluster) resumeRelay(l *Listener, s *relayState) bool {
	if c == nil || c.peers[s.peer] == nil || c.peers[s.peer].relays[l.group.name] != nil {
		return false
	}
	r := &relay{
		Listener: l, cluster: c, peer: c.peers[s.peer],
		run: s.run, arrived: s.arrived, recalled: s.recalled, gone: s.gone,
	}
	l.relay, l.sink = r, r
	r.peer.relays[l.group.name] = r
	return true
}

// cameFrom has an event be one that another node has relayed to the predecessor.
func (g *group) cameFrom(it *item, s *itemState) {
	d := g.dispatcher
	all := d.arriving.inflows
	if s.from == 0 || int(s.from) > len(all) || all[s.from-1].Group != g.name {
		it.from = &inflow{refused: true, leaving: true} // one that its node has taken back since
		return
	}
	in := all[s.from-1]
	in.open++
	it.from, it.number = in.inflow, s.number
	it.done = &completion{left: 1, done: func(err error) { d.cluster.settled(in.peer, in.inflow, s.number, err) }}
}
