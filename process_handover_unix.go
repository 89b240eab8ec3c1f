//go:build unix

package lineman

import (
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
	"github.com/lineman-go/lineman/internal/handover"
)

// hand hands what the loops have to the successor at the other end of a socket that comes along.
func (p *process) hand(r *channel.Request) {
	defer p.outliveAsked()() // SaveState and Save are the application's
	conn, err := p.handoverSocket(r)
	if err != nil {
		r.Answer(nil, err)
		return
	}
	var transfer channel.Transfer
	if err := r.Decode(&transfer); err != nil {
		conn.Close()
		r.Answer(nil, err)
		return
	}
	if !p.standsStill() {
		conn.Close()
		r.Answer(nil, errMoving)
		return
	}
	own := newPredecessor(p.runs, p.stood)
	if err := handover.Send(conn, own, handover.Limits{Start: transfer.Within}); err != nil {
		own.takeBack()
		r.Answer(nil, err)
		return
	}
	handed := channel.Handed{Crossed: own.leave(), Stayed: own.stayed}
	for _, of := range p.runs {
		handed.Relays += of.loop.relaying()
	}
	r.Answer(handed, nil)
}

// standsStill reports whether all loops do, until resume: then what they own is the channel's goroutine's.
func (p *process) standsStill() bool {
	if p.standing == nil {
		return false
	}
	select {
	case <-p.standing.still:
		return true
	default:
		return false
	}
}

var errMoving = errors.New("lineman: the loops do not stand still: freeze them before they hand over")

func (p *process) handoverSocket(r *channel.Request) (*net.UnixConn, error) {
	if len(r.Files) != 1 {
		return nil, fmt.Errorf("lineman: a handover came with %d descriptors, want 1", len(r.Files))
	}
	return handover.Open(r.Files[0])
}

// succeed starts, and takes what a predecessor hands over. It answers when the loops serve that, or reports false.
func (p *process) succeed(r *channel.Request) bool {
	conn, err := p.handoverSocket(r)
	if err != nil {
		r.Answer(nil, err)
		return false
	}
	collect := uncollected()
	from, err := handover.Accept(conn, handover.Limits{})
	if err != nil {
		r.Answer(nil, err)
		return false
	}
	s := newSuccessor(p.runs, from.Hello())
	if err := p.begin(); err != nil {
		from.Fail(err)
		r.Answer(nil, err)
		return false
	}
	inherited, err := from.Receive(s)
	if err != nil {
		s.drop()
		r.Answer(nil, err)
		return false
	}
	if inherited {
		p.first().log.Warn("lineman: the predecessor has died; what it had handed over is served")
	}
	p.heartbeat.begin(p.runs)
	p.answerServing(s.serve(), from.Hello().Stood, func(started channel.Started) {
		from.Close()
		collect()
		r.Answer(started, nil)
	})
	return true
}

// uncollected has no garbage be collected until collect is called, unless a limit of memory wants it: to mark what has
// come again and again, as the memory grows, would be a part of the pause. A successor that fails to take over ends
// without it.
func uncollected() (collect func()) {
	percent := debug.SetGCPercent(-1)
	return func() { debug.SetGCPercent(percent) }
}

// answerServing calls answer when each loop has come to serve what it got, after its predecessor's has stood still
// since.
func (p *process) answerServing(conns []int, since time.Duration, answer func(channel.Started)) {
	started := channel.Started{Pauses: make([]channel.Pause, len(conns))}
	var left atomic.Int64
	left.Store(int64(len(conns)))
	for i, n := range conns {
		started.Kept += n
		p.runs[i].loop.Do(func() {
			started.Pauses[i] = channel.Pause{Conns: n, Time: handover.Clock() - since}
			if left.Add(-1) == 0 {
				go answer(started)
			}
		})
	}
}
