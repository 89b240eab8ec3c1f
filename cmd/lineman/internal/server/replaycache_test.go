package server

import (
	"fmt"
	"testing"

	"github.com/lineman-go/lineman/push"
)

// TestReplayCache gives the frame of the message that is asked for, in whatever order, and stays within its bound.
func TestReplayCache(t *testing.T) {
	var c replayCache
	for i, at := range []push.Position{
		{Epoch: "a", Offset: 5}, {Epoch: "a", Offset: 6}, {Epoch: "a", Offset: 6}, {Epoch: "a", Offset: 5},
		{Epoch: "a", Offset: 3}, {Epoch: "a", Offset: 5}, {Epoch: "b", Offset: 5}, {Epoch: "b", Offset: 9},
		{Epoch: "b", Offset: 1 << 63},
	} {
		for _, of := range []push.Target{"chat:1", "chat:2"} {
			m := push.Stored{Position: at, Data: fmt.Appendf(nil, "%q", at.String())}
			want := fmt.Sprintf(`{"op":"msg","ch":%q,"pos":%q,"data":%q}`, of, at, at)
			if got := string(c.frame(of, m)); got != want {
				t.Errorf("%d: %s, want %s", i, got, want)
			}
		}
	}
	large := make([]byte, 1<<20)
	for n := range uint64(20) { // more than twice what is cached
		c.frame("chat:1", push.Stored{Position: push.Position{Epoch: "b", Offset: 10 + n}, Data: large})
		if c.bytes > maxReplayCache {
			t.Fatalf("%d bytes are cached", c.bytes)
		}
	}
}
