package main

import (
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
)

// TestRoom has everybody get what anybody says, on whichever loop they are.
func TestRoom(t *testing.T) {
	w := room("text://127.0.0.1:0", 3)
	s := linemantest.Start(t, w)
	first := s.Dial(w)
	first.Receive()
	others := []*linemantest.Client{s.Dial(w), s.Dial(w)}
	for _, c := range others {
		c.Receive()
	}
	first.Send("hello")
	for _, c := range append(others, first) {
		for !strings.HasSuffix(c.Receive(), ": hello") { // after some have come
		}
	}
}
