//go:build unix

package lineman

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync/atomic"
	"syscall"
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
	own.lent = p.lender.lent()
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

// lender lends connections of loops that serve on to their successor.
type lender struct {
	ctx  context.Context
	stop context.CancelFunc
	over chan struct{} // closed when it is decided what is lent
	ids  map[uint64]bool

	// Of the goroutine that lends.
	runs []*loopRun // whose connections are to be lent
	from int        // a handle of the first one's
}

func newLender(runs []*loopRun, within time.Duration) *lender {
	l := &lender{over: make(chan struct{}), ids: make(map[uint64]bool), runs: runs}
	l.ctx, l.stop = context.WithTimeout(context.Background(), within)
	return l
}

// lend lends what the loops have to the successor at the other end of conn.
func (l *lender) lend(conn *net.UnixConn) error {
	defer close(l.over)
	defer l.stop()
	until, _ := l.ctx.Deadline()
	err := handover.Lend(conn, l.next, closeLoans, time.Until(until))
	if err != nil {
		l.ids = nil
	}
	return err
}

// lendConns lends what the loops have, beside them, to the successor at the other end of a socket that comes along.
func (p *process) lendConns(r *channel.Request) {
	conn, within, err := p.lendingSocket(r)
	if err != nil {
		r.Answer(nil, err)
		return
	}
	l := newLender(p.runs, within)
	p.lender = l
	go func() { r.Answer(nil, l.lend(conn)) }()
}

// borrowConns takes what a predecessor lends.
func (p *process) borrowConns(r *channel.Request) {
	conn, within, err := p.lendingSocket(r)
	if err == nil {
		p.borrowed = make(borrowed)
		err = p.borrowed.borrow(conn, p.runs, within)
	}
	r.Answer(nil, err)
}

func (p *process) lendingSocket(r *channel.Request) (conn *net.UnixConn, within time.Duration, err error) {
	if conn, err = p.handoverSocket(r); err != nil {
		return nil, 0, err
	}
	var of channel.Lending
	if err = r.Decode(&of); err != nil {
		conn.Close()
	}
	return conn, of.Within, err
}

// borrow has pollers watch what a predecessor at the other end of conn lends.
func (b borrowed) borrow(conn *net.UnixConn, runs []*loopRun, within time.Duration) error {
	err := handover.Borrow(conn, func(one handover.Loan) error {
		return b.take(runs[one.Loop%len(runs)].loop, one)
	}, within)
	if err != nil {
		b.giveBack()
	}
	return err
}

// next are the next loans, of the first loop that has some left.
func (l *lender) next() ([]handover.Loan, error) {
	for len(l.runs) > 0 {
		some, err := l.ask(l.runs[0].loop)
		if l.from = some.next; l.from == 0 {
			l.runs = l.runs[1:]
		}
		for _, one := range some.loans {
			l.ids[one.ID] = true
		}
		if err != nil || len(some.loans) > 0 {
			return some.loans, err
		}
	}
	return nil, nil
}

// ask has a loop lend some. What it lends for nobody, as it is late, it closes.
func (l *lender) ask(own *Loop) (some portion, err error) {
	from, came := l.from, make(chan portion)
	own.Do(func() {
		if l.ctx.Err() != nil {
			return
		}
		some := own.lend(from)
		select {
		case came <- some:
		case <-l.ctx.Done():
			closeLoans(some.loans)
		}
	})
	select {
	case some = <-came:
		return some, some.err
	case <-l.ctx.Done():
		return portion{}, handover.ErrTime
	}
}

func closeLoans(loans []handover.Loan) {
	for _, one := range loans {
		syscall.Close(one.FD)
	}
}

// lent are the connections that the successor has; nil unless it has said so. From then on nothing is lent any more.
func (l *lender) lent() map[uint64]bool {
	if l == nil {
		return nil
	}
	l.stop()
	select {
	case <-l.over:
		return l.ids
	default:
		return nil
	}
}

// reclaim has connections be the process's alone again: its successor has gone.
func (p *process) reclaim() {
	if p.lender == nil {
		return
	}
	p.lender.stop()
	p.lender = nil
	for _, own := range p.runs {
		own.loop.Do(own.loop.poll.Reclaim)
	}
}

func (p *process) resume() {
	if p.standing != nil {
		close(p.standing.thaw)
		p.standing = nil
	}
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
	s.lent = p.borrowed
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
		s.lent.giveBackSoon()
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
