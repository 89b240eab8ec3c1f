package push_test

import (
	"testing"

	"github.com/lineman-go/lineman/push"
)

// handover is what crosses from the Hubs of a process to those of another one.
type handover struct {
	t       *testing.T
	broker  []byte
	hubs    [][]byte
	members []memberState
}

// memberState is a connection that crosses.
type memberState struct {
	hub  int // of the predecessor
	conn *conn
	is   []byte
}

// save saves Hubs, without a change, and the connections of them that cross.
func save(t *testing.T, hubs []*hub, crosses func(*conn) bool) *handover {
	t.Helper()
	var err error
	x := &handover{t: t}
	if x.broker, err = hubs[0].AppendBrokerState(nil); err != nil {
		t.Fatal(err)
	}
	for i, h := range hubs {
		state, err := h.AppendState(nil)
		if err != nil {
			t.Fatal(err)
		}
		x.hubs = append(x.hubs, state)
		for m := range h.Members(push.Everyone) {
			if !crosses(m.Conn()) {
				continue
			}
			is, err := h.AppendMember(nil, m)
			if err != nil {
				t.Fatal(err)
			}
			x.members = append(x.members, memberState{i, m.Conn(), is})
		}
	}
	return x
}

// restore has other Hubs have all that, and returns the members by the connections.
func (x *handover) restore(hubs []*hub) map[*conn]*member {
	x.t.Helper()
	if err := hubs[0].RestoreBrokerState(x.broker); err != nil {
		x.t.Fatal(err)
	}
	for i, state := range x.hubs {
		if err := hubs[i%len(hubs)].RestoreState(state); err != nil {
			x.t.Fatal(err)
		}
	}
	members := make(map[*conn]*member)
	for _, m := range x.members {
		restored, err := hubs[m.hub%len(hubs)].RestoreMember(m.conn, m.is)
		if err != nil {
			x.t.Fatal(err)
		}
		members[m.conn] = restored
	}
	return members
}

// everybody crosses.
func everybody(*conn) bool { return true }

// handOver hands the one Hub over to another, with all its connections.
func handOver(t *testing.T, from *hub, to *hub) map[*conn]*member {
	t.Helper()
	members := save(t, []*hub{from}, everybody).restore([]*hub{to})
	from.HandedOver(everybody)
	to.Restored()
	return members
}
