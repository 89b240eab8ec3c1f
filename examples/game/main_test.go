package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// inRow is a source of numbers that are not random: they come in order, and then are 0.
func inRow(numbers ...int) func(int) int {
	return func(int) int {
		if len(numbers) == 0 {
			return 0
		}
		n := numbers[0]
		numbers = numbers[1:]
		return n
	}
}

// TestArena has two snakes move, turn, eat and bite.
func TestArena(t *testing.T) {
	a := newArena[string](inRow(5, 5, 10, 10))
	a.enter("ann", "Ann")
	a.enter("bob", "Bob")
	a.apples = []point{{7, 5}, {20, 0}, {20, 1}, {20, 2}}
	ann, bob := a.snakes["ann"], a.snakes["bob"]
	a.turn("bob", "left") // it cannot turn round
	a.turn("bob", "up")
	a.turn("bob", "down") // two wait already
	a.turn("nobody", "up")
	a.turn("ann", "sideways")
	a.step()
	a.step()
	if ann.Body[0] != (point{7, 5}) || ann.Score != 1 || len(ann.Body) != firstLength+1 || len(a.apples) != apples-1 {
		t.Errorf("Ann is %+v, the apples are %v", ann, a.apples)
	}
	if bob.Body[0] != (point{11, 9}) || bob.Score != 0 || len(bob.Body) != firstLength {
		t.Errorf("Bob is %+v", bob)
	}
	ann.Body = []point{{10, 9}, {9, 9}, {8, 9}, {7, 9}}
	bob.heading, bob.Body = headings["up"], []point{{11, 8}, {11, 9}, {11, 10}, {11, 11}}
	a.apples = []point{{20, 0}, {20, 1}, {20, 2}, {20, 3}}
	a.random = inRow(1, 1)
	a.step() // Ann bites Bob
	if ann.Body[0] != (point{1, 1}) || ann.Score != 0 || bob.Body[0] != (point{11, 7}) {
		t.Errorf("after a bite Ann is %+v, and Bob %+v", ann, bob)
	}
	ann.Body, ann.heading = []point{{width - 1, 0}, {width - 2, 0}, {width - 3, 0}}, headings["right"]
	a.step()
	if ann.Body[0] != (point{0, 0}) {
		t.Errorf("across the edge Ann is at %v", ann.Body[0])
	}
}

// TestGame has pages play: they are told of each other, and one that leaves is gone.
func TestGame(t *testing.T) {
	linemantest.NoLeaks(t)
	g := newGame("127.0.0.1:0", time.Millisecond)
	s := linemantest.Start(t, g.worker)
	ann, bob := s.Dial(g.worker), s.Dial(g.worker)
	ann.Send("Ann")
	bob.Send("Bob")
	ann.Send("up")
	sees := func(c *linemantest.Client, want string) {
		t.Helper()
		linemantest.Until(t, "a page does not see "+want, func() bool {
			var state struct{ Snakes []struct{ Name string } }
			if err := json.Unmarshal([]byte(c.Receive()), &state); err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, s := range state.Snakes {
				names = append(names, s.Name)
			}
			return len(names) == strings.Count(want, " ")+1 && strings.Contains(want, names[0])
		})
	}
	sees(ann, "Ann Bob")
	sees(bob, "Ann Bob")
	bob.Close()
	sees(ann, "Ann")
	for _, name := range []string{" ", strings.Repeat("x", maxName+1)} {
		c := s.Dial(g.worker)
		c.Send(name)
		if err := c.Ended(); err == nil || !strings.Contains(err.Error(), "the first message is the name") {
			t.Errorf("a name of %d bytes: %v", len(name), err)
		}
	}
}

// TestFull has one page more come than there is room for.
func TestFull(t *testing.T) {
	g := newGame("127.0.0.1:0", time.Hour)
	s := linemantest.Start(t, g.worker)
	s.Do(g.worker, func(*lineman.Loop) {
		for range maxPlayers {
			g.arena.enter(new(lineman.Conn), "somebody")
		}
	})
	c := s.Dial(g.worker)
	c.Send("late")
	if err := c.Ended(); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("one too many: %v", err)
	}
	s.Do(g.worker, func(*lineman.Loop) { clear(g.arena.snakes) })
}
