package main

import "slices"

const (
	width, height = 32, 20 // of the arena, in cells; who leaves it comes in on the other side
	apples        = 4      // that lie there at a time
	firstLength   = 4      // of a snake
)

type point [2]int

var headings = map[string]point{"left": {-1, 0}, "right": {1, 0}, "up": {0, -1}, "down": {0, 1}}

// snake is a player's. Its head is the first of its body.
type snake struct {
	Name    string  `json:"name"`
	Score   int     `json:"score"`
	Body    []point `json:"body"`
	heading point
	turns   []point // that the player has asked for, one for each step
}

// arena has the rules, and knows no connection: player is whatever names one. It is owned by one loop.
type arena[player comparable] struct {
	snakes map[player]*snake
	apples []point
	random func(n int) int // from 0 to n-1
}

func newArena[player comparable](random func(n int) int) *arena[player] {
	return &arena[player]{snakes: make(map[player]*snake), random: random}
}

// enter has a player begin.
func (a *arena[player]) enter(p player, name string) {
	a.snakes[p] = &snake{Name: name}
	a.begin(a.snakes[p])
}

// begin puts a snake somewhere, in one cell: it uncoils.
func (a *arena[player]) begin(s *snake) {
	at := a.free()
	s.Score, s.heading, s.turns = 0, headings["right"], nil
	s.Body = slices.Repeat([]point{at}, firstLength)
}

// free is a cell that nothing is in, if one is soon found.
func (a *arena[player]) free() (at point) {
	for range 100 {
		at = point{a.random(width), a.random(height)}
		if !slices.Contains(a.apples, at) && a.bodies()[at] == 0 {
			break
		}
	}
	return at
}

// bodies counts what is in each cell.
func (a *arena[player]) bodies() map[point]int {
	cells := make(map[point]int)
	for _, s := range a.snakes {
		for i, at := range s.Body {
			if !slices.Contains(s.Body[:i], at) {
				cells[at]++
			}
		}
	}
	return cells
}

// turn has a snake go another way with its next steps. Two turns wait, at most.
func (a *arena[player]) turn(p player, way string) {
	s, to := a.snakes[p], headings[way]
	if s != nil && to != (point{}) && len(s.turns) < 2 {
		s.turns = append(s.turns, to)
	}
}

// step moves all snakes by one cell. One whose head is then where another body is, or its own, begins anew.
func (a *arena[player]) step() {
	for len(a.apples) < apples {
		a.apples = append(a.apples, a.free())
	}
	for _, s := range a.snakes {
		a.move(s)
	}
	cells := a.bodies()
	var dead []*snake
	for _, s := range a.snakes {
		if cells[s.Body[0]] > 1 || s.bitesItself() {
			dead = append(dead, s)
		}
	}
	for _, s := range dead {
		a.begin(s)
	}
}

// move moves a snake, which grows where an apple is.
func (a *arena[player]) move(s *snake) {
	if len(s.turns) > 0 {
		if to := s.turns[0]; to[0] != -s.heading[0] || to[1] != -s.heading[1] { // it cannot turn round
			s.heading = to
		}
		s.turns = s.turns[1:]
	}
	head := point{(s.Body[0][0] + s.heading[0] + width) % width, (s.Body[0][1] + s.heading[1] + height) % height}
	s.Body = slices.Insert(s.Body, 0, head)
	if i := slices.Index(a.apples, head); i >= 0 {
		a.apples = slices.Delete(a.apples, i, i+1)
		s.Score++
		return
	}
	s.Body = s.Body[:len(s.Body)-1]
}

// bitesItself reports whether the head of a snake is in its body. A tail that is still coiled up is none.
func (s *snake) bitesItself() bool { return slices.Contains(s.Body[1:], s.Body[0]) }
