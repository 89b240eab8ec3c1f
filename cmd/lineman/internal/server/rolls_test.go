package server_test

import (
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/push/events"
)

func TestJoinAndLeave(t *testing.T) {
	c := devMode()
	c.Events.Debounce = 20 * time.Millisecond
	r := start(t, c, server.Options{})
	l := r.listening(`{"cmd":"listen","events":["join","leave"]}`)
	first := r.page("ann")
	joined := hear(t, l)
	if joined.Type != events.Join || joined.UID != "ann" || joined.Seq == 0 {
		t.Errorf("ann came: %+v", joined)
	}
	second := r.page("ann")
	r.counts(r.backend(), "u:ann", 2)
	first.Goodbye(1000, "")
	second.Reset()
	left := hear(t, l)
	if left.Type != events.Leave || left.UID != "ann" || left.Seq <= joined.Seq {
		t.Errorf("ann went: %+v", left)
	}
}

// Who was there before somebody listened is told at once, be it that the whole list is told later, when the pages of a
// predecessor have come back.
func TestJoinBeforeListening(t *testing.T) {
	r := start(t, devMode(), server.Options{})
	r.page("ann")
	r.counts(r.backend(), "u:ann", 1)
	l := r.listening(`{"cmd":"listen","events":["join","leave"]}`)
	if joined := hear(t, l); joined.Type != events.Join || joined.UID != "ann" {
		t.Errorf("ann is there: %+v", joined)
	}
}
