//go:build unix

package master

import (
	"fmt"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

const (
	heartbeatEvery = time.Second
	warnAfter      = 2 * time.Second // of standing still
)

// beat asks a process for heartbeats, until it ends or the stopping begins, whose limits are others. One question is in
// flight at a time: a process that is stopped takes none, and its channel must not fill.
func (p *process) beat() {
	s := p.slot.supervisor
	t := time.NewTicker(heartbeatEvery)
	defer t.Stop()
	p.hear(p.lastHeartbeat(), nil) // as if it came now
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
		p.watchdog()
	}
}

func (p *process) lastHeartbeat() channel.Heartbeat {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heartbeat
}

// ask asks a process for a heartbeat, however long that takes.
func (p *process) ask() {
	frozen := p.frozen.Load()
	var heartbeat channel.Heartbeat
	_, err := p.Call(p.slot.supervisor.ctx, channel.Beat, channel.Probe{Wait: heartbeatEvery / 2}, &heartbeat)
	if frozen {
		heartbeat.Busy, heartbeat.Callback = 0, "" // it stood still as it was told, though it may go on by now
	}
	p.hear(heartbeat, err)
}

// hear notes a heartbeat.
func (p *process) hear(heartbeat channel.Heartbeat, err error) {
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if passed := now.Sub(p.heard).Seconds(); passed > 0 && !p.heard.IsZero() && heartbeat.Busy == 0 {
		p.rates = ratesOf(heartbeat.Traffic, p.heartbeat.Traffic, passed)
	}
	p.heartbeat, p.heard = heartbeat, now
	p.relays.Store(int64(heartbeat.Relays))
}

// ratesOf are what came between two heartbeats, per second.
func ratesOf(now, then channel.Traffic, seconds float64) Rates {
	rate := func(now, then uint64) float64 { return float64(now-then) / seconds }
	return Rates{
		Messages: rate(now.Messages, then.Messages), MessagesOut: rate(now.MessagesOut, then.MessagesOut),
		BytesIn: rate(now.BytesIn, then.BytesIn), BytesOut: rate(now.BytesOut, then.BytesOut),
	}
}

// standstillLocked is how long the loop has not come round, and in which callback; 0 when it does. The lock of p is
// held.
func (p *process) standstillLocked() (time.Duration, string) {
	silent := time.Since(p.heard)
	if p.frozen.Load() || p.heartbeat.Busy == 0 && silent < 2*heartbeatEvery {
		return 0, ""
	}
	if silent < 2*heartbeatEvery {
		silent = 0 // it answers, beside its loop
	}
	return p.heartbeat.Busy + silent, p.heartbeat.Callback
}

// watchdog warns of a process whose loop stands still, and kills it when that has lasted too long: its keeper starts
// another. One that leaves has limits of its own, unless it relays.
func (p *process) watchdog() {
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
	case p.leaving.Load() && p.relays.Load() == 0, p.ended():
	case limit >= 0 && still > limit:
		s.config.Log.Error(fmt.Sprintf("lineman: %s has stood still for %v: %s; it is killed%s",
			p, still.Round(time.Millisecond), callback, p.andThen()))
		p.discard()
	case warn:
		s.config.Log.Warn(fmt.Sprintf("lineman: %s stands still: %s; nobody is served there", p, callback))
	}
}

// andThen is what follows when a process is killed because it stands still.
func (p *process) andThen() string {
	if p.leaving.Load() {
		return ", and the connections that it relays end"
	}
	return " and replaced"
}
