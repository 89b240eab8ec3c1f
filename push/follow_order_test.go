package push_test

import (
	"testing"

	"github.com/lineman-go/lineman/push"
)

// TestCatchUpOvertaken begins with an answer that is older than what the node has been told meanwhile: nothing is
// missed, and no gap is told.
func TestCatchUpOvertaken(t *testing.T) {
	f := newFollowing(t)
	_, a := f.follower(t, 1, -1)
	f.confirm()
	f.answer(3)
	a.is(t, "begun chat:7 e.3")
	_, b := f.follower(t, 2, 1)
	f.confirm()
	late := f.reads[0]
	f.reads = f.reads[1:]
	f.hub.CheckTails(1)
	f.answer(4, 4)
	a.is(t, "4m")
	late(push.History{Top: offset(3), Messages: []push.Stored{
		{Position: offset(2), Data: []byte("m")}, {Position: offset(3), Data: []byte("m")},
	}}, nil)
	b.is(t, "begun chat:7 e.3 2m 3m")
	f.answer(4) // to the tail
	f.answer(4, 4)
	b.is(t, "4m")
	f.deliver(5)
	a.is(t, "5m")
	b.is(t, "5m")
}

// TestCatchUpFormerEpoch begins with the answer of a Broker that was begun anew meanwhile, as the node knows already:
// the connection is told so.
func TestCatchUpFormerEpoch(t *testing.T) {
	f := newFollowing(t)
	_, a := f.follower(t, 1, -1)
	f.confirm()
	f.answer(3)
	a.is(t, "begun chat:7 e.3")
	_, b := f.follower(t, 2, 2)
	f.confirm()
	late := f.reads[0]
	f.reads = f.reads[1:]
	f.hub.CheckTails(1)
	anew := push.Position{Epoch: "f", Offset: 1}
	f.reply(push.History{Top: anew, Gap: push.GapEpoch}, nil)
	a.is(t, "missed epoch f.1")
	late(push.History{Top: offset(3), Messages: []push.Stored{{Position: offset(3), Data: []byte("m")}}}, nil)
	b.is(t, "begun chat:7 e.3 3m")
	f.reply(push.History{Top: anew}, nil) // to the tail
	if len(f.reads) != 1 {
		t.Fatalf("%d questions are asked, want one since e.3", len(f.reads))
	}
	f.reply(push.History{Top: anew, Gap: push.GapEpoch}, nil)
	b.is(t, "missed epoch f.1")
}

// TestCatchUpExcepted tells a connection that is excepted while it catches up no position: the history does.
func TestCatchUpExcepted(t *testing.T) {
	f := newFollowing(t)
	m, c := f.follower(t, 1, -1)
	f.confirm()
	f.node.Deliver([]push.Target{"chat:7"}, push.Publication{
		Node: "other", Number: 1, Data: []byte("m"), Positions: []push.Position{offset(1)}, Except: m.Target(),
	})
	c.is(t)
	f.answer(1)
	c.is(t, "begun chat:7 e.1")
}

// TestCatchUpConfirmedLate reads the history when the subscription is confirmed, and once, though the link is told to
// be up before.
func TestCatchUpConfirmedLate(t *testing.T) {
	f := newFollowing(t)
	f.node.Linked(false)
	_, c := f.follower(t, 1, 2)
	f.node.Linked(true)
	if len(f.reads) != 0 {
		t.Error("the history is read before the subscription is confirmed")
	}
	f.confirm()
	if len(f.reads) != 1 {
		t.Fatalf("the history is read %d times, want once", len(f.reads))
	}
	f.answer(3, 3)
	f.deliver(4)
	c.is(t, "begun chat:7 e.3 3m", "4m")
}

// TestRepairCounts has the number of those whom a publication reaches have those who get it when the history was read,
// be it held until then or in there: each once, and not who is excepted.
func TestRepairCounts(t *testing.T) {
	f := newFollowing(t)
	m, a := f.follower(t, 1, -1)
	f.confirm()
	f.answer(3)
	a.take()
	_, b := f.follower(t, 2, 3)
	f.confirm()
	f.answer(3)
	b.take()
	deliver := func(at uint64, except push.Target) int {
		return f.node.Deliver([]push.Target{"chat:7"}, push.Publication{
			Data: []byte("m"), Except: except, Positions: []push.Position{offset(at)},
		})
	}
	f.hub.CheckTails(1)
	if n := deliver(4, ""); n != 2 {
		t.Errorf("what is held reaches %d, want 2", n)
	}
	f.answer(5, 4, 5)
	a.is(t, "4m", "5m")
	b.is(t, "4m", "5m")
	if n := deliver(5, m.Target()); n != 1 {
		t.Errorf("what was read reaches %d, want 1", n)
	}
	a.is(t)
	if s := f.hub.Stats(); s.Delivered != 4 {
		t.Errorf("%d were delivered, want 4", s.Delivered)
	}
}
