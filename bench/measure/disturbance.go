//go:build linux

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// mostForeign is how much of the time of a server's core may be somebody else's, in %.
	mostForeign = 8.0

	// farApart is how long a cache line takes between two cores and back when they are on different dies. On one die it
	// is 50 to 70 ns. The host of a virtual machine may move its processors, and then all that a client and a server
	// exchange costs two to three times as much.
	farApart = 150 * time.Nanosecond

	waitForNear = 20 * time.Second // that the cores of one run are near each other
	allWaiting  = 2 * time.Minute  // of all runs together
	lookAgain   = 500 * time.Millisecond
)

// disturbance is what makes the figures of a run doubtful.
type disturbance struct {
	foreign float64       // how much of the time of the server's core was not the server's, in %
	trip    time.Duration // of a cache line from the server's core to the client's and back; 0: not known
}

// tolerance is the disturbance that may be.
type tolerance disturbance

// exceeded is by how much: at most 1, nothing is to be said. Cores that are far apart are worse than all else.
func (t tolerance) exceeded(d disturbance) float64 {
	by := d.foreign / t.foreign
	if d.trip > t.trip {
		by += 1000
	}
	return by
}

// note says what is doubtful; nothing if nothing is.
func (t tolerance) note(d disturbance) string {
	var words []string
	if d.foreign > t.foreign {
		words = append(words, fmt.Sprintf("disturbed, %.0f %%", d.foreign))
	}
	if d.trip > t.trip {
		words = append(words, fmt.Sprintf("cores far apart, %d ns", d.trip.Nanoseconds()))
	}
	return strings.Join(words, "; ")
}

// worse is the worse of both in each respect.
func (d disturbance) worse(than disturbance) disturbance {
	return disturbance{max(d.foreign, than.foreign), max(d.trip, than.trip)}
}

// steadily runs something until it was not disturbed, a few times at most, and returns the figures of the run that was
// disturbed least.
func (t tolerance) steadily(repeats int, run func() ([]float64, disturbance, error)) (
	best []float64, least disturbance, err error) {
	for i := range 1 + repeats {
		figures, d, err := run()
		if err != nil {
			return nil, d, err
		}
		if i == 0 || t.exceeded(d) < t.exceeded(least) {
			best, least = figures, d
		}
		if t.exceeded(d) <= 1 {
			break
		}
	}
	return best, least, nil
}

// typical is the disturbance of the round in the middle.
func (t tolerance) typical(rounds []disturbance) disturbance {
	rounds = slices.Clone(rounds)
	slices.SortFunc(rounds, func(a, b disturbance) int { return cmp.Compare(t.exceeded(a), t.exceeded(b)) })
	return rounds[len(rounds)/2]
}
