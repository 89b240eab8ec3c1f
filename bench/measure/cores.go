//go:build linux

package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// lookHowFar looks how far apart the cores are at the start. Where they are far apart, and stay it, figures count that
// are measured so: they are to be compared with each other.
func (m *measurement) lookHowFar() {
	var trips []time.Duration
	for range 5 {
		trips = append(trips, roundTrip(serverCore, clientCore))
	}
	slices.Sort(trips)
	m.apart = trips[len(trips)/2]
	if m.may.trip == 0 {
		m.may.trip = max(farApart, m.apart*3/2)
	}
	fmt.Fprintf(os.Stderr, "a cache line takes %v from core to core and back\n", m.apart)
}

// roundTrip is how long a cache line takes from one core to another and back: the fastest of many short samples. It is
// 0 if the other core had no time for it.
func roundTrip(from, to int) time.Duration {
	var line struct {
		_     [128]byte // no other variable is on it
		turn  atomic.Uint32
		_     [128]byte
		ended atomic.Bool
	}
	over := make(chan struct{})
	go onCore(to, func() {
		defer close(over)
		for !line.ended.Load() {
			if line.turn.Load() == 1 {
				line.turn.Store(0)
			}
		}
	})
	var samples []time.Duration
	onCore(from, func() {
		for end := time.Now().Add(sampling); time.Now().Before(end); {
			if took := pass(&line.turn); took > 0 {
				samples = append(samples, took)
			}
		}
		line.ended.Store(true)
	})
	<-over
	if len(samples) == 0 {
		return 0
	}
	return slices.Min(samples)
}

const (
	sampling = 40 * time.Millisecond // for one round trip to be known
	trips    = 20                    // of a sample
	tooLong  = 1 << 20               // looks for one trip: the other core is doing something else
)

// pass hands the line over again and again, and returns how long one time took, 0 if it took too long.
func pass(turn *atomic.Uint32) time.Duration {
	began := time.Now()
	for range trips {
		turn.Store(1)
		for looks := 0; turn.Load() != 0; looks++ {
			if looks > tooLong {
				return 0
			}
		}
	}
	return time.Since(began) / trips
}

// onCore runs something on a thread of its own on a core.
func onCore(core int, do func()) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		runtime.LockOSThread() // and never unlocks it: the thread ends with the goroutine
		var set unix.CPUSet
		set.Set(core)
		if unix.SchedSetaffinity(0, &set) == nil {
			do()
		}
	}()
	<-over
}
