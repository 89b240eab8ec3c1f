//go:build unix

package handover

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestHandover has all kinds of messages cross.
func TestHandover(t *testing.T) {
	t.Parallel()
	from, to := newPredecessor(t, 4), newSuccessor()
	from.hello = Hello{LastID: 17, Loops: 2, Workers: []string{"lobby", "pages"}}
	from.states = []State{{"lobby", 0, []byte("six rooms")}, {"lobby", 1, nil}}
	from.record = func(id uint64) Record { return Record{ID: id, Value: fmt.Appendf(nil, "value %d", id)} }
	from.tails = map[uint64]string{1: "hello", 4: "there"}
	from.kept = []uint64{3}
	to.refuses = map[uint64]string{2: "no such worker"}

	own, other := pair(t)
	sent := make(chan error, 1)
	go func() { sent <- Send(own, from, Limits{}) }()
	r, err := Accept(other, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if h := r.Hello(); h.Version != Version || h.LastID != 17 || h.Loops != 2 ||
		!slices.Equal(h.Workers, []string{"lobby", "pages"}) {
		t.Errorf("hello is %+v", h)
	}
	if inherited, err := r.Receive(to); inherited || err != nil {
		t.Errorf("Receive: %t, %v", inherited, err)
	}
	if err := <-sent; err != nil {
		t.Errorf("Send: %v", err)
	}
	if got, want := strings.Join(to.said, "; "), "state lobby/0 six rooms; state lobby/1 ; record 1 value 1; "+
		"record 3 value 3; record 4 value 4; tail 1 hello; tail 4 there; keep 3"; got != want {
		t.Errorf("the successor was told %q,\nwant %q", got, want)
	}
	if len(from.refused) != 1 || from.refused[2] != "no such worker" {
		t.Errorf("refused: %v", from.refused)
	}
	for id, fd := range to.fds {
		var here, there syscall.Stat_t
		if err := errors.Join(syscall.Fstat(fd, &here), syscall.Fstat(from.clients[id].fd, &there)); err != nil {
			t.Fatal(err)
		}
		if here.Ino != there.Ino {
			t.Errorf("connection %d has the descriptor of another one", id)
		}
	}
	mustLeaveNothing(t, from, to)
}

// mustLeaveNothing has both processes close what they have, and fails the test if a descriptor is left.
func mustLeaveNothing(t *testing.T, from *predecessor, to *successor) {
	t.Helper()
	from.die()
	to.die()
	for _, c := range from.clients {
		c.mustBeGone(t)
	}
}
