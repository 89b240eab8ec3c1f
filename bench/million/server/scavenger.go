//go:build unix

package main

import "runtime/debug"

// A scavenger gives memory back to the system when users have come or gone and it is quiet again. What their handshakes
// have left behind would stay for minutes. Owned by the loop.
type scavenger struct {
	before int // users when it was looked at last
	last   int // users when memory was given back last
}

// tidy is called every few seconds, with the number of users.
func (s *scavenger) tidy(users int) {
	isQuiet := users == s.before
	s.before = users
	if isQuiet && users != s.last {
		s.last = users
		go debug.FreeOSMemory() // it takes its time
	}
}
