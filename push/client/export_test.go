package client

import (
	"time"

	"github.com/lineman-go/lineman/push"
)

// Track is track, for tests.
type Track struct{ track }

func NewTrack(since push.Since) *Track { return &Track{newTrack(since)} }

func (t *Track) Since() push.Since { return t.since() }

func (t *Track) Begun(top push.Position, n int, gap push.Gap) (push.Gap, push.Position) {
	missed := t.begun(top, n, gap)
	return missed, t.at
}

func (t *Track) Next(p push.Position) (bool, push.Gap) { return t.next(p) }

// Waits are those after connections that ended with an error, each after it had lasted for some time.
func Waits(err error, lasted ...time.Duration) (waits []time.Duration) {
	var b backoff
	for _, d := range lasted {
		waits = append(waits, b.next(err, d))
	}
	return waits
}
