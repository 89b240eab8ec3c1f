package push_test

import (
	"iter"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/lineman-go/lineman/push"
)

// TestFormsBeside has a publication be encoded once for three nodes of a process, in each form; and nothing be shared
// where one node gets it alone.
func TestFormsBeside(t *testing.T) {
	const nodes, messages = 3, 20
	var plain, framed, alone atomic.Int64
	made := func(n *atomic.Int64, f *push.Forms, key push.FormKey, msg []byte) string {
		if f == nil {
			alone.Add(1)
			return string(msg)
		}
		return f.Get(key, func() any { n.Add(1); return string(msg) }).(string)
	}
	_, all := beside(t, nodes, func(o *push.Options[*conn]) {
		inner := o.Fanout
		o.Fanout = func(to iter.Seq[*conn], msg []byte, f *push.Forms) int {
			return inner(to, []byte(made(&plain, f, push.FormKey{}, msg)), f)
		}
		o.Followers = &sharers{made: func(s push.Stored, of push.Target) string {
			return made(&framed, s.Forms, push.FormKey{Kind: 1, Of: of}, s.Data)
		}}
	})
	var conns []*conn
	for _, s := range all {
		m, c := s.add("ann")
		conns = append(conns, c)
		s.loop.Await(func() { _ = m.Subscribe("news") })
		s.loop.Await(func() {
			f, err := s.hub.AddFollower(&conn{id: 1000}, "bob")
			if err == nil {
				err = f.Subscribe("news")
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all[0].add("cid") // the last subscription is known
	for i := range messages {
		all[i%nodes].publish(message{To: []push.Target{"news"}, Data: []byte{byte('a' + i)}})
	}
	if p, f, n := plain.Load(), framed.Load(), alone.Load(); p != messages || f != messages || n != 0 {
		t.Errorf("%d messages were encoded %d times plain, %d times framed, %d times for one node", messages, p, f, n)
	}
	for i, s := range all {
		if got := s.got(conns[i]); len(got) != messages || got[0] != "a" {
			t.Errorf("node %d got %q", i, got)
		}
	}
	for range messages {
		all[1].publish(message{To: []push.Target{"u:cid"}, Data: []byte("x")})
	}
	if p, n := plain.Load(), alone.Load(); p != messages || n != 2*messages { // both are asked
		t.Errorf("for a node alone: %d were shared, %d not", p-messages, n)
	}
}

// sharers are Followers that say how they make a message.
type sharers struct {
	recorder
	made func(s push.Stored, of push.Target) string
}

func (k *sharers) Published(to iter.Seq[*conn], of push.Target, s push.Stored) int {
	k.made(s, of)
	return len(slices.Collect(to))
}
