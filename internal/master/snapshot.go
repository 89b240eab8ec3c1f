//go:build unix

package master

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// statusWait is how long a Snapshot waits for the loop of a process.
const statusWait = 20 * time.Millisecond

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
	Rates    Rates
	Status   json.RawMessage // of the process, in its own words
}

// Rates are what a process reads and writes, per second.
type Rates struct{ Messages, MessagesOut, BytesIn, BytesOut float64 }

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
	Worker string `json:"worker"`
	Status Status `json:"status"`
	Count  int    `json:"count"`
}

// Snapshot asks every process how it is. It waits for none of them longer than some milliseconds.
func (s *Supervisor) Snapshot() Snapshot {
	all := slices.DeleteFunc(s.alive(), func(p *process) bool { return p.isTrial })
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
	sortExits(s.Exits)
}

func sortExits(all []ExitCount) {
	slices.SortFunc(all, func(a, b ExitCount) int {
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
	var heartbeat channel.Heartbeat
	err := context.DeadlineExceeded
	if still == 0 {
		ctx, cancel := context.WithTimeout(context.Background(), statusWait+statusWait/2)
		_, err = p.Call(ctx, channel.Beat, channel.Probe{Wait: statusWait}, &heartbeat)
		cancel()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		heartbeat = p.heartbeat
		if heartbeat.Busy, heartbeat.Callback = p.standstillLocked(); heartbeat.Busy == 0 {
			heartbeat.Busy = time.Since(p.heard)
		}
	}
	st.Status, st.Rates, st.Busy, st.Callback = heartbeat.Status, p.rates, heartbeat.Busy, heartbeat.Callback
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
