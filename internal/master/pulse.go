//go:build unix

package master

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

const (
	beatEvery  = time.Second
	warnAfter  = 2 * time.Second // of standing still
	statusWait = 20 * time.Millisecond
)

// beat asks a process how it is, until it ends or the stopping begins, whose limits are others. One question is under
// way at a time: a process that is stopped takes none, and its channel must not fill.
func (p *process) beat() {
	s := p.slot.supervisor
	t := time.NewTicker(beatEvery)
	defer t.Stop()
	p.hear(channel.Pulse{}, nil)
	asking, answered := false, make(chan bool, 1)
	for {
		select {
		case <-p.Exited():
			return
		case <-s.ctx.Done():
			return
		case <-answered:
			asking = false
		case <-t.C:
			if !asking {
				asking = true
				go func() {
					p.ask()
					answered <- true
				}()
				continue
			}
		}
		p.judge()
	}
}

// ask asks a process how it is, however long that takes.
func (p *process) ask() {
	frozen := p.frozen.Load()
	var pulse channel.Pulse
	_, err := p.Call(p.slot.supervisor.ctx, channel.Beat, channel.Patience{Wait: beatEvery / 2}, &pulse)
	if frozen {
		pulse.Busy, pulse.Callback = 0, "" // it stood still as it was told, though it may go on by now
	}
	p.hear(pulse, err)
}

// hear notes an answer.
func (p *process) hear(pulse channel.Pulse, err error) {
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if passed := now.Sub(p.heard).Seconds(); passed > 0 && !p.heard.IsZero() && pulse.Busy == 0 {
		p.rate = float64(pulse.Messages-p.pulse.Messages) / passed
	}
	p.pulse, p.heard = pulse, now
}

// standstillLocked is how long the loop has not come round, and in which callback; 0 when it does. The lock of p is
// held.
func (p *process) standstillLocked() (time.Duration, string) {
	silent := time.Since(p.heard)
	if p.frozen.Load() || p.pulse.Busy == 0 && silent < 2*beatEvery {
		return 0, ""
	}
	if silent < 2*beatEvery {
		silent = 0 // it answers, beside its loop
	}
	return p.pulse.Busy + silent, p.pulse.Callback
}

// judge warns of a process whose loop stands still, and kills it when that has lasted too long: its keeper starts
// another.
func (p *process) judge() {
	s := p.slot.supervisor
	p.mu.Lock()
	still, callback := p.standstillLocked()
	warn := still >= warnAfter && !p.warned
	p.warned = p.warned && still > 0 || warn
	p.mu.Unlock()
	if callback == "" {
		callback = "it gives no sign of life"
	} else {
		callback = "it is in " + callback
	}
	limit := s.config.Hang
	switch {
	case p.leaving.Load(), p.ended():
	case limit >= 0 && still > limit:
		s.config.Log.Error(fmt.Sprintf("lineman: %s has stood still for %v: %s; it is killed and replaced",
			p, still.Round(time.Millisecond), callback))
		p.discard()
	case warn:
		s.config.Log.Warn(fmt.Sprintf("lineman: %s stands still: %s; nobody is served there", p, callback))
	}
}

// Snapshot is how the processes of a program are.
type Snapshot struct {
	Processes []ProcessState
	Exits     []ExitCount
}

// ProcessState is one process, or a slot that has none at the moment.
type ProcessState struct {
	Worker   string
	Index    int // of the worker
	ID       int
	PID      int // 0: none, it waits to be started again
	Born     time.Time
	State    State
	Busy     time.Duration
	Callback string
	Rate     float64         // messages a second
	Status   json.RawMessage // of the process, in its own words
}

// State is what a process is about.
type State string

// The states of a process.
const (
	Starting State = "starting"
	Idle     State = "idle"
	Busy     State = "busy"
	Leaving  State = "leaving"
	Waiting  State = "waiting"
)

// ExitCount is how often processes of a worker ended in the same way.
type ExitCount struct {
	Worker string
	Status Status
	Count  int
}

// Snapshot asks every process how it is. It waits for none of them longer than some milliseconds.
func (s *Supervisor) Snapshot() Snapshot {
	all := s.alive()
	states := make([]ProcessState, len(all))
	done := make(chan struct{})
	for i, p := range all {
		go func() {
			states[i] = p.state()
			done <- struct{}{}
		}()
	}
	for range all {
		<-done
	}
	snapshot := Snapshot{Processes: states}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sl := range s.slots() {
		there := func(p ProcessState) bool { return p.Index == sl.group.index && p.ID == sl.id }
		if s.ctx.Err() == nil && !slices.ContainsFunc(states, there) {
			snapshot.Processes = append(snapshot.Processes, ProcessState{
				Worker: sl.group.Name, Index: sl.group.index, ID: sl.id, State: Waiting,
			})
		}
	}
	for k, n := range s.exits {
		snapshot.Exits = append(snapshot.Exits, ExitCount{Worker: k.worker, Status: k.status, Count: n})
	}
	snapshot.sort()
	return snapshot
}

func (s *Snapshot) sort() {
	slices.SortStableFunc(s.Processes, func(a, b ProcessState) int {
		return cmp.Or(a.Index-b.Index, a.ID-b.ID, a.Born.Compare(b.Born))
	})
	slices.SortFunc(s.Exits, func(a, b ExitCount) int {
		return cmp.Or(cmp.Compare(a.Worker, b.Worker), a.Status.Code-b.Status.Code,
			cmp.Compare(a.Status.Signal, b.Status.Signal))
	})
}

// state asks a process how it is, unless it is known to stand still.
func (p *process) state() ProcessState {
	g := p.slot.group
	st := ProcessState{Worker: g.Name, Index: g.index, ID: p.slot.id, PID: p.PID(), Born: p.born}
	if p.ready.Load() == 0 {
		st.State = Starting
		return st
	}
	p.mu.Lock()
	still, _ := p.standstillLocked()
	p.mu.Unlock()
	var pulse channel.Pulse
	err := context.DeadlineExceeded
	if still == 0 {
		ctx, cancel := context.WithTimeout(context.Background(), statusWait+statusWait/2)
		_, err = p.Call(ctx, channel.Beat, channel.Patience{Wait: statusWait}, &pulse)
		cancel()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		pulse = p.pulse
		if pulse.Busy, pulse.Callback = p.standstillLocked(); pulse.Busy == 0 {
			pulse.Busy = time.Since(p.heard)
		}
	}
	st.Status, st.Rate, st.Busy, st.Callback = pulse.Status, p.rate, pulse.Busy, pulse.Callback
	switch {
	case p.leaving.Load():
		st.State = Leaving
	case p.frozen.Load():
		st.State, st.Busy = Idle, 0
	case st.Busy > 0:
		st.State = Busy
	default:
		st.State = Idle
	}
	return st
}

// Conns gives each page of the connections of each process to f, in the words of that process, until f fails.
func (s *Supervisor) Conns(ctx context.Context, f func(worker string, id, pid int, page json.RawMessage) error) error {
	for _, p := range s.alive() {
		p.mu.Lock()
		still, _ := p.standstillLocked()
		p.mu.Unlock()
		if still > 0 || p.ready.Load() == 0 {
			continue // status tells
		}
		for from := 0; ; {
			var page channel.Conns
			bounded, cancel := context.WithTimeout(ctx, callTime)
			_, err := p.Call(bounded, channel.List, channel.Page{From: from}, &page)
			cancel()
			if err != nil {
				break // it is busy, or has gone: status tells
			}
			if err := f(p.slot.group.Name, p.slot.id, p.PID(), page.Conns); err != nil {
				return err
			}
			if from = page.Next; from == 0 {
				break
			}
		}
	}
	return ctx.Err()
}
