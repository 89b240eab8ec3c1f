package main

import (
	"slices"
	"time"
)

// tables are the games of dice, by name. They are plain data: as JSON they cross to the process that comes next.
type tables map[string]*table

// table is one game. Who is at it rolls in turn.
type table struct {
	Players []uint64  `json:"players"` // ids of connections, which stay the same in the next process
	Turn    int       `json:"turn"`    // index of who rolls next
	Until   time.Time `json:"until"`   // then the turn goes on
}

// player is what the lobby knows of a connection. It crosses with that.
type player struct {
	Name   string `json:"name"`
	Table  string `json:"table"`
	Points int    `json:"points"`
}

const (
	turnTime = 30 * time.Second
	goal     = 50 // points: who has them wins
)

// enter seats a player at a table, which is made for the first one.
func (all tables) enter(name string, id uint64, now time.Time) *table {
	t := all[name]
	if t == nil {
		t = &table{}
		all[name] = t
	}
	t.Players = append(t.Players, id)
	if len(t.Players) == 1 {
		t.begin(0, now)
	}
	return t
}

// leave takes a player from a table, and the table away with the last one.
func (all tables) leave(name string, id uint64, now time.Time) {
	t := all[name]
	place := slices.Index(t.Players, id)
	t.Players = slices.Delete(t.Players, place, place+1)
	switch {
	case len(t.Players) == 0:
		delete(all, name)
	case place < t.Turn:
		t.Turn--
	case place == t.Turn:
		t.begin(place, now)
	}
}

// begin has a player roll, or the first one after the last.
func (t *table) begin(turn int, now time.Time) {
	t.Turn, t.Until = turn%len(t.Players), now.Add(turnTime)
}

// next is who rolls next.
func (t *table) next() uint64 { return t.Players[t.Turn] }
