//go:build unix

package master

import (
	"testing"

	"github.com/lineman-go/lineman/internal/channel"
)

// TestRates are what came between two heartbeats.
func TestRates(t *testing.T) {
	then := channel.Traffic{Messages: 1, MessagesOut: 2, BytesIn: 3, BytesOut: 4}
	now := channel.Traffic{Messages: 5, MessagesOut: 10, BytesIn: 103, BytesOut: 8}
	want := Rates{Messages: 2, MessagesOut: 4, BytesIn: 50, BytesOut: 2}
	if got := ratesOf(now, then, 2); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
