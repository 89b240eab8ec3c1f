package redis

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/lineman-go/lineman/internal/fields"
	"github.com/lineman-go/lineman/push"
)

var _ push.HandoverLink = (*link)(nil)

// The fields of the state of a link. A number is never given to anything else.
const (
	fieldBroker = 1 // stateOf
	fieldWhere  = 2 // prefix and partitions
	fieldUp     = 3
	fieldToken  = 4
	fieldShard  = 5 // once for each
	fieldSeen   = 6 // once for each node that should be there
	fieldGone   = 7 // once for each that has left
	fieldUnsaid = 8 // once for each seat whose info the server may not know

	fieldEpoch     = 1 // of a shard
	fieldTerm      = 2
	fieldClock     = 3
	fieldLastFrom  = 4
	fieldLastSeq   = 5
	fieldNode      = 1 // of a node
	fieldAgo       = 2 // in milliseconds
	fieldUnsaidIn  = 1
	fieldUnsaidUID = 2
)

const (
	stateVersion = 1
	stateOf      = "redis" // tells the state of this Broker from those of others
)

// where is what has to be the same for the link of another process to be that of the same node.
func (l *link) where() string {
	return fmt.Sprintf("%s %d %v", l.options.Prefix, l.options.Partitions, l.options.Cluster)
}

// AppendState is that of push.HandoverLink. What the node is subscribed to, and who is present there, is not in it.
func (l *link) AppendState(dst []byte) []byte {
	l.token = newName()
	dst = fields.Begin(dst, stateVersion)
	dst = fields.Bytes(dst, fieldBroker, stateOf)
	dst = fields.Bytes(dst, fieldWhere, l.where())
	dst = fields.Bool(dst, fieldUp, l.up)
	dst = fields.Bytes(dst, fieldToken, l.token)
	for _, s := range l.shards {
		dst = fields.Nested(dst, fieldShard, s.appendState)
		for _, at := range s.outbox.unsaid() {
			dst = fields.Nested(dst, fieldUnsaid, func(dst []byte) []byte {
				return fields.Bytes(fields.Bytes(dst, fieldUnsaidIn, at.in), fieldUnsaidUID, at.uid)
			})
		}
	}
	return l.membership.appendState(dst, time.Now())
}

func (s *shard) appendState(dst []byte) []byte {
	m := s.reached.mark()
	dst = fields.Bytes(dst, fieldEpoch, m.epoch)
	dst = fields.Bytes(dst, fieldTerm, m.term)
	dst = fields.Uint(dst, fieldClock, m.clock)
	dst = fields.Bytes(dst, fieldLastFrom, s.last.from)
	return fields.Uint(dst, fieldLastSeq, s.last.seq)
}

// appendState appends the nodes that should be there, and those that have left.
func (m *membership) appendState(dst []byte, now time.Time) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	for number, nodes := range map[uint64]map[string]time.Time{fieldSeen: m.seen, fieldGone: m.gone} {
		for node, at := range nodes {
			dst = fields.Nested(dst, number, func(dst []byte) []byte {
				ago := max(0, now.Sub(at).Milliseconds())
				return fields.Uint(fields.Bytes(dst, fieldNode, node), fieldAgo, uint64(ago))
			})
		}
	}
	return dst
}

// linkState is the state of a link that is being read.
type linkState struct {
	broker, where, token string
	up                   uint8
	shards               []shardState
	seen, gone           map[string]time.Duration
	unsaid               []seat
}

// shardState is that of a shard.
type shardState struct {
	mark mark
	last origin
}

// RestoreState is that of push.HandoverLink. The state of a link elsewhere is as none.
func (l *link) RestoreState(state []byte) error {
	had := linkState{seen: make(map[string]time.Duration), gone: make(map[string]time.Duration)}
	state, err := fields.Open(state, stateVersion)
	if err == nil {
		err = fields.Each(state, fieldUnsaid, had.take)
	}
	switch {
	case had.broker != "" && had.broker != stateOf:
		return nil // whatever else it says
	case err != nil:
		return err
	case had.broker != stateOf || had.where != l.where() || len(had.shards) != len(l.shards):
		return nil
	}
	for i, s := range had.shards {
		l.shards[i].reached.raise(s.mark)
		l.shards[i].last = s.last
	}
	l.membership.restore(had.seen, had.gone, time.Now())
	for _, at := range had.unsaid {
		l.shardOf(at.in.Topic()).outbox.unsay(at)
	}
	if had.up != 0 && had.token != "" {
		l.succeed(had.token)
	}
	return nil
}

func (had *linkState) take(number uint64, value []byte) (err error) {
	switch number {
	case fieldBroker:
		had.broker = string(value)
	case fieldWhere:
		had.where = string(value)
	case fieldUp:
		err = fields.Put(&had.up, value)
	case fieldToken:
		had.token = string(value)
	case fieldShard:
		err = had.takeShard(value)
	case fieldSeen:
		err = takeNode(had.seen, value)
	case fieldGone:
		err = takeNode(had.gone, value)
	case fieldUnsaid:
		var at seat
		err = fields.Each(value, fieldUnsaidUID, func(number uint64, value []byte) error {
			switch number {
			case fieldUnsaidIn:
				at.in = push.Target(value)
			case fieldUnsaidUID:
				at.uid = string(value)
			}
			return nil
		})
		had.unsaid = append(had.unsaid, at)
	}
	return err
}

func (had *linkState) takeShard(state []byte) error {
	var s shardState
	err := fields.Each(state, fieldLastSeq, func(number uint64, value []byte) (err error) {
		switch number {
		case fieldEpoch:
			s.mark.epoch = string(value)
		case fieldTerm:
			s.mark.term = string(value)
		case fieldClock:
			err = fields.Put(&s.mark.clock, value)
		case fieldLastFrom:
			s.last.from = string(value)
		case fieldLastSeq:
			err = fields.Put(&s.last.seq, value)
		}
		return err
	})
	if m := s.mark; m != (mark{}) && (!isName(m.epoch) || !isName(m.term) || m.clock > maxOffset) {
		return fields.ErrMalformed
	}
	had.shards = append(had.shards, s)
	return err
}

func takeNode(to map[string]time.Duration, state []byte) error {
	var node string
	var ago uint32
	err := fields.Each(state, fieldAgo, func(number uint64, value []byte) (err error) {
		switch number {
		case fieldNode:
			node = string(value)
		case fieldAgo:
			err = fields.Put(&ago, value)
		}
		return err
	})
	to[node] = time.Duration(ago) * time.Millisecond
	return err
}

// restore has the nodes be seen that another link has seen, and be gone that were.
func (m *membership) restore(seen, gone map[string]time.Duration, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for node, ago := range seen {
		m.seen[node] = now.Add(-ago)
	}
	for node, ago := range gone {
		m.gone[node] = now.Add(-ago)
	}
}

// Rename is that of push.HandoverLink.
func (l *link) Rename(id string) { l.node.ID = id }

// Seated is that of push.HandoverLink.
func (l *link) Seated(in push.Target, uid string) json.RawMessage {
	return l.shardOf(in.Topic()).outbox.infoOf(seat{in, uid})
}

// Seat is that of push.HandoverLink. The link says it again when it connects.
func (l *link) Seat(in push.Target, uid string, info json.RawMessage) {
	if l.knowsPresence() {
		s := saying{seat: seat{in, uid}, here: true, info: slices.Clone(info), events: l.node.PresenceEvents(in)}
		l.shardOf(in.Topic()).outbox.seat(s)
	}
}
