//go:build unix

package master

import (
	"context"
	"fmt"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// leave is the graceful shutdown of a predecessor: it finishes what its clients have begun, and goes. leave does not
// wait for that.
//
//	         has nothing left
//	leaving ───────────────────────────▶ ended
//	   │ the limit is over                 ▲ ▲
//	   ├── it relays nothing: killed ──────┘ │
//	   └── it relays: relaying ──────────────┘ nothing more; or Limits.Relay is over, or too many of its slot relay
//	                                           after it: Stop, then killed
func (p *process) leave(isPatient bool) {
	s := p.slot.supervisor
	if p.ended() {
		s.sockets.sweep(p.slot)
		return // its keeper says how
	}
	p.leaving.Store(true)
	f := channel.Shutdown{Within: s.config.Reload, Patient: isPatient}
	if isPatient {
		f.Within = s.config.Graceful
	}
	_, urged := s.urge()
	left := SavedLeaving{Since: time.Now(), Within: f.Within}
	p.mu.Lock()
	p.left = &left
	p.mu.Unlock()
	s.errands.run(func() { p.tell(channel.Leave, f) })
	p.frozen.Store(false)
	go p.seeOff(left, urged)
}

// seeOff waits until a process that leaves has ended, unless more urgency is asked for.
func (p *process) seeOff(l SavedLeaving, urged <-chan struct{}) {
	if p.awaitLeft(l, urged) {
		p.slot.supervisor.sockets.sweep(p.slot)
	}
}

// awaitLeft waits for the end of a process that leaves: within a time, and longer as long as it relays. It returns
// false if more urgency was asked for.
func (p *process) awaitLeft(l SavedLeaving, urged <-chan struct{}) bool {
	switch p.await(l.remains(), urged) {
	case gone:
		return true
	case hurried:
		return false
	}
	if p.isRelay() {
		return p.awaitRelays(l.Since, urged)
	}
	p.killOverdue(l.Within)
	return true
}

// isRelay asks a process whether connections of its successor need it. One that does not answer is what it was last.
func (p *process) isRelay() bool {
	ctx, cancel := context.WithTimeout(p.slot.supervisor.ctx, callTime)
	defer cancel()
	var heartbeat channel.Heartbeat
	if _, err := p.Call(ctx, channel.Beat, channel.Probe{Wait: statusWait}, &heartbeat); err == nil {
		p.relays.Store(int64(heartbeat.Relays))
	}
	return p.relays.Load() > 0
}

// awaitRelays waits for the end of a process that has left since began, and relays until then. When it has nothing more
// to relay, or a limit for that is reached, it has to end soon. It returns false if more urgency was asked for.
func (p *process) awaitRelays(began time.Time, urged <-chan struct{}) bool {
	s := p.slot.supervisor
	over, stop := alarm(s.config.Relay, began)
	defer stop()
	t := time.NewTicker(heartbeatEvery)
	defer t.Stop()
	for p.relays.Load() > 0 {
		select {
		case <-p.Exited():
			return true
		case <-urged:
			return false
		case <-over:
			return p.endRelays(fmt.Sprintf("has relayed %d connections for %v", p.relays.Load(), s.config.Relay), urged)
		case <-t.C:
		}
		if most := s.config.Relays; most > 0 && p.laterRelays() >= most {
			return p.endRelays(fmt.Sprintf("relays %d connections, and %d processes after it relay, too",
				p.relays.Load(), most), urged)
		}
	}
	return p.awaitExit(s.config.Reload, urged)
}

// endRelays has a process end with what it relays: who serves that says goodbye. It returns false if more urgency was
// asked for.
func (p *process) endRelays(why string, urged <-chan struct{}) bool {
	s := p.slot.supervisor
	s.config.Log.Info(fmt.Sprintf("lineman: %s %s: it ends, and so do they", p, why))
	if q := p.slot.serves(); q != nil {
		s.errands.run(func() { q.tell(channel.Part, channel.Parting{Relay: p.PID(), Within: s.config.Stop}) })
	}
	s.errands.run(func() { p.tell(channel.Stop, channel.Shutdown{Within: s.config.Stop}) })
	return p.awaitExit(s.config.Stop, urged)
}

// laterRelays is how many processes of the slot relay that were launched later.
func (p *process) laterRelays() (n int) {
	s := p.slot.supervisor
	s.mu.Lock()
	defer s.mu.Unlock()
	for q := range s.processes {
		if q.slot == p.slot && q.number > p.number && q.leaving.Load() && q.relays.Load() > 0 {
			n++
		}
	}
	return n
}

// alarm is a channel that gets something a time after began, or never if that is negative, and how to stop that.
func alarm(d time.Duration, began time.Time) (<-chan time.Time, func()) {
	if d < 0 {
		return nil, func() {}
	}
	t := time.NewTimer(time.Until(began.Add(d)))
	return t.C, func() { t.Stop() }
}

// An outcome is what the waiting for a process came to.
type outcome int

const (
	gone    outcome = iota // it has ended
	overdue                // it has not
	hurried                // more urgency was asked for
)

// await waits for the end of a process, without an end if within is negative.
func (p *process) await(within time.Duration, urged <-chan struct{}) outcome {
	late, stop := alarm(within, time.Now())
	defer stop()
	select {
	case <-p.Exited():
		return gone
	case <-late:
		return overdue
	case <-urged:
		return hurried
	}
}

// awaitExit waits for the end of a process and kills it when it is overdue. It returns false if more urgency was asked
// for.
func (p *process) awaitExit(within time.Duration, urged <-chan struct{}) bool {
	switch p.await(within, urged) {
	case overdue:
		p.killOverdue(within)
	case hurried:
		return false
	}
	return true
}

func (p *process) killOverdue(within time.Duration) {
	p.slot.supervisor.config.Log.Warn(fmt.Sprintf("lineman: %s has not ended within %v: it is killed", p, within))
	p.discard()
}
