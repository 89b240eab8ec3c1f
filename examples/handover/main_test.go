package main

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

func TestTables(t *testing.T) {
	now := time.Unix(0, 0)
	all := make(tables)
	for id := range uint64(3) {
		all.enter("red", id, now)
	}
	red := all["red"]
	red.begin(2, now.Add(time.Second))
	if red.next() != 2 || !red.Until.Equal(now.Add(time.Second+turnTime)) {
		t.Errorf("the third one is to roll: %+v", red)
	}
	all.leave("red", 0, now)
	if red.next() != 2 {
		t.Errorf("the turn has moved: %+v", red)
	}
	all.leave("red", 2, now)
	if red.next() != 1 || !slices.Equal(red.Players, []uint64{1}) {
		t.Errorf("the last one has left: %+v", red)
	}
	if all.leave("red", 1, now); len(all) != 0 {
		t.Errorf("an empty table stays: %+v", red)
	}
}

// play has two players at a table, and the first one roll.
func play(t *testing.T) (b *lobby, s *linemantest.Server, ann, bob *linemantest.Client) {
	t.Helper()
	b = newLobby("127.0.0.1:0")
	b.roll = func() int { return 6 }
	s = linemantest.Start(t, b.worker)
	ann, bob = s.Dial(b.worker), s.Dial(b.worker)
	ann.Send("Ann")
	hears(t, "hello Ann; join a table, as in: join red", ann)
	ann.Send("join red")
	hears(t, "Ann sits down; Ann is to roll", ann)
	bob.Send("Bob")
	hears(t, "hello Bob; join a table, as in: join red", bob)
	bob.Send("join red")
	hears(t, "Bob sits down; Ann is to roll", ann, bob)
	ann.Send("roll")
	hears(t, "Ann rolls 6 and has 6; Bob is to roll", ann, bob)
	return b, s, ann, bob
}

func hears(t *testing.T, want string, clients ...*linemantest.Client) {
	t.Helper()
	for _, c := range clients {
		if got := c.Receive(); got != want {
			t.Errorf("%q was heard, want %q", got, want)
		}
	}
}

func TestLobby(t *testing.T) {
	linemantest.NoLeaks(t)
	_, _, ann, bob := play(t)
	ann.Send("roll")
	hears(t, "it is not your turn", ann)
	bob.Send("good luck")
	hears(t, "Bob: good luck", ann, bob)
	ann.Close()
	hears(t, "Ann stands up", bob)
	for points := range 8 {
		bob.Send("roll")
		if got := bob.Receive(); len(got) == 0 {
			t.Errorf("roll %d: nothing is heard", points)
		}
	}
	bob.Send("roll")
	hears(t, "Bob rolls 6 and wins; Bob begins", bob)
}

// TestCrossing has all that crosses be made again, as the next process does; one player has not come along.
func TestCrossing(t *testing.T) {
	linemantest.NoLeaks(t)
	b, s, ann, bob := play(t)
	next := newLobby("127.0.0.1:0")
	s.Do(b.worker, func(l *lineman.Loop) {
		state, err := b.saveState(l)
		if err != nil {
			t.Error(err)
		}
		if err := next.restoreState(l, state); err != nil {
			t.Error(err)
		}
		for _, c := range b.conns {
			value, err := save(c)
			if err != nil {
				t.Error(err)
			}
			if c.Value().(*player).Name == "Ann" {
				continue
			}
			if err := next.restore(c, value); err != nil {
				t.Error(err)
			}
		}
		next.forgetAbsent()
		if red := next.tables["red"]; len(next.conns) != 1 || len(red.Players) != 1 || next.name(red.next()) != "Bob" {
			t.Errorf("the table is %+v, with %v", red, next.conns)
		}
		var nobody *lineman.Conn
		if value, err := json.Marshal(nil); err != nil || next.restore(nobody, value) != nil || len(next.conns) != 1 {
			t.Errorf("a connection without a name: %v", err)
		}
	})
	ann.Close()
	bob.Close()
}
