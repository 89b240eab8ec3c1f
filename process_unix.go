//go:build unix

package lineman

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
	"github.com/lineman-go/lineman/internal/grace"
	"github.com/lineman-go/lineman/internal/handover"
	"github.com/lineman-go/lineman/internal/master"
	"github.com/lineman-go/lineman/internal/program"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// process is a worker process: it runs the loops of one worker, and does what its master says.
//
// What the master asks comes on the goroutine of the channel. It is done there, beside the loops, or handed to theirs:
// by steps before they run, by Do from then on.
type process struct {
	master *Master
	log    *program.Log
	peer   *channel.Peer // set before steps gets anything
	steps  chan *channel.Request

	// Of the channel's goroutine until steps gets Start; immutable from then on.
	runs     []*loopRun // the first one's loop runs on the goroutine of main
	siblings bool       // accept from the sockets of the worker too
	borrowed borrowed   // of a predecessor

	// Of the channel's goroutine.
	standing *standstill   // of the loops; nil when they do not stand still
	stood    time.Duration // since when, by handover.Clock
	lender   *lender       // nil before a successor is prepared

	holds     atomic.Bool                // the signals of the master, and does nothing else any more
	lent      map[channel.Loan]*Listener // Owned by the first loop.
	heartbeat heartbeat
}

// work runs a worker process to its end and returns its exit code.
func (m *Master) work(control *os.File) int {
	master.Rename(program.Name())
	p := &process{
		master: m, log: &program.Log{}, steps: make(chan *channel.Request, 4), lent: make(map[channel.Loan]*Listener),
	}
	ready := make(chan struct{})
	peer, err := channel.Open(control, func(r *channel.Request) {
		<-ready
		p.serve(r)
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return program.ExitFailed
	}
	p.peer = peer
	close(ready)
	program.SurvivePipes()
	go p.heedSignals()
	go p.outlive()
	if !p.prepare() {
		<-peer.Done() // who has been told why, and ends this process
		return program.ExitFailed
	}
	return p.run()
}

// run runs the loops until all have ended, or one has failed.
func (p *process) run() int {
	ends := make(chan error, len(p.runs))
	for _, own := range p.runs[1:] {
		go func() { ends <- own.runLoop() }()
	}
	ends <- p.runs[0].runLoop()
	for range p.runs {
		if err := <-ends; err != nil {
			p.first().log.Error("lineman: the loop has failed", "error", err)
			return program.ExitFailed
		}
	}
	return 0
}

func (r *loopRun) runLoop() error {
	defer r.loop.shut()
	return r.loop.run()
}

// first is the loop that stands for the others where one does.
func (p *process) first() *Loop { return p.runs[0].loop }

// outlive ends the process when its master has gone, whatever the loop is doing, and be it that it does not run yet.
func (p *process) outlive() {
	<-p.peer.Done()
	if p.holds.Load() {
		return // it ends when the master has them
	}
	exitSoon()
	if p.runs == nil {
		return
	}
	p.first().log.Error("lineman: the master has gone, and so does this process")
	for _, own := range p.runs {
		own.loop.Do(func() {
			own.loop.endRelaysIn(grace.OrphanStop)
			own.loop.beginStop(grace.OrphanStop)
		})
	}
}

// exitSoon is for a process whose master has gone.
func exitSoon() { time.AfterFunc(time.Duration(grace.Orphan), func() { os.Exit(program.ExitFailed) }) }

// outliveAsked is outlive for a request during which the channel is not read, until over.
func (p *process) outliveAsked() (over func()) {
	done := make(chan struct{})
	go func() {
		if p.peer.AwaitGone(done) {
			exitSoon()
		}
	}()
	return func() { close(done) }
}

// heedSignals asks the master for a successor at SIGTERM. The others of the program are for the master.
func (p *process) heedSignals() {
	got := make(chan os.Signal, 8)
	signal.Notify(got, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	for s := range got {
		if s == syscall.SIGTERM {
			p.recycle()
		}
	}
}

// recycle asks the master for a successor.
func (p *process) recycle() {
	go func() {
		_, _ = p.peer.Call(context.Background(), channel.Recycle, nil, nil) // if it fails, the master has gone
	}()
}

// prepare does the steps of the start on the goroutine of main, and reports whether the loops are to run.
func (p *process) prepare() bool {
	for {
		select {
		case <-p.peer.Done():
			return false
		case r := <-p.steps:
			switch r.Op {
			case channel.Prepare:
				var of channel.Prospect
				if r.Decode(&of) == nil && of.Conns > 0 {
					handover.MakeRoom(of.Conns)
				}
				r.Answer(nil, p.each((*Loop).prepare))
			case channel.Borrow:
				p.borrowConns(r)
			case channel.Hold:
				p.hold(r)
				return false
			default:
				return p.start(r)
			}
		}
	}
}

// hold holds the signals of the master, which becomes another program.
func (p *process) hold(r *channel.Request) {
	var h channel.Holding
	err := r.Decode(&h)
	if err == nil {
		err = program.HoldSignals(h.Within, os.NewFile(uintptr(r.Files[0]), "hold"), func() { r.Answer(nil, nil) })
	}
	if err != nil {
		r.Answer(nil, err)
	}
}

// start does what Start asks, and reports whether the loops are to run.
func (p *process) start(r *channel.Request) bool {
	if len(r.Files) > 0 {
		return p.succeed(r)
	}
	p.borrowed.giveBack() // who lent it does not hand over
	err := p.begin()
	r.Answer(channel.Started{}, err)
	return err == nil
}

// begin has the loops listen, and then runs OnStart.
func (p *process) begin() error {
	err := p.each(func(l *Loop, w *Worker) error {
		_, err := l.Listen(w)
		return err
	})
	if err == nil {
		err = p.each((*Loop).start)
	}
	p.heartbeat.begin(p.runs)
	return err
}

// each does something for one loop after the other, until it fails.
func (p *process) each(f func(*Loop, *Worker) error) error {
	for _, own := range p.runs {
		if err := f(own.loop, own.worker); err != nil {
			return err
		}
	}
	return nil
}

// serve does what the master asks. It must not wait.
func (p *process) serve(r *channel.Request) {
	switch r.Op {
	case channel.Hello:
		p.hello(r)
	case channel.Prepare, channel.Borrow, channel.Start:
		p.steps <- r
	case channel.Hold:
		p.holds.Store(true)
		p.steps <- r
	case channel.Lend:
		p.lendConns(r)
	case channel.Freeze:
		p.freeze(r)
	case channel.Hand:
		p.hand(r)
	case channel.Resume:
		p.reclaim()
		p.resume()
		r.Answer(nil, nil)
	case channel.Leave, channel.Stop:
		p.leave(r)
	case channel.Part:
		p.part(r)
	case channel.Reload:
		p.onLoops(r, (*Loop).reloaded)
	case channel.Beat:
		go p.beat(r)
	case channel.List:
		p.list(r)
	case channel.Log:
		r.Answer(nil, p.log.Use(os.NewFile(uintptr(r.Files[0]), "log")))
	case channel.Check:
		r.Answer(nil, p.master.program().CheckState(os.NewFile(uintptr(r.Files[0]), "state")))
	case channel.Adopt, channel.Return:
		p.standIn(r)
	default:
		r.Answer(nil, fmt.Errorf("lineman: the process does not know the request %q", r.Op))
	}
}

// onLoops does something on each loop, and answers when all have done it.
func (p *process) onLoops(r *channel.Request, f func(*Loop)) {
	var left atomic.Int64
	left.Store(int64(len(p.runs)))
	for _, own := range p.runs {
		if !own.loop.Do(func() {
			f(own.loop)
			if left.Add(-1) == 0 {
				go r.Answer(nil, nil)
			}
		}) {
			r.Answer(nil, errEnded)
			return // they end together
		}
	}
}

var errEnded = errors.New("lineman: the loop has ended")

// hello tells what the program is, and becomes the process that the master says, if the program fits.
func (p *process) hello(r *channel.Request) {
	defer p.outliveAsked()() // PerLoop is the application's
	var a channel.Assignment
	if err := r.Decode(&a); err != nil {
		r.Answer(nil, err)
		return
	}
	if len(r.Files) > 0 {
		_ = p.log.Use(os.NewFile(uintptr(r.Files[0]), "log")) // it writes to the terminal in any case
	}
	err := p.become(a)
	r.Answer(channel.Description{
		Version: channel.Version, Workers: p.master.describe(), Handover: handover.Version,
		Master: program.StateVersion(), Program: programVersion(),
	}, err)
}

// become makes the loops, unless the program is another one, which the master sees by its description.
func (p *process) become(a channel.Assignment) error {
	if p.master.Err != nil {
		return p.master.Err
	}
	if a.Worker >= len(p.master.Workers) {
		return nil
	}
	master.Rename(master.Title(program.Name(), a.Name, a.ID))
	if a.Daemon {
		p.log.BecomeDaemon()
	}
	p.log.SetDefault(p.master.LogHandler, "process", fmt.Sprintf("%s/%d", a.Name, a.ID))
	p.siblings = a.Shared
	runs, err := openLoops(p.master.Workers[a.Worker], a.ID, time.Now, p)
	if err != nil {
		return err
	}
	for _, own := range runs {
		own.loop.host = p
	}
	p.runs = runs
	return nil
}

// freeze has the loops stand still: they accept and read nothing, and their timers wait. It answers when all do.
func (p *process) freeze(r *channel.Request) {
	var loops []*Loop
	for _, own := range p.runs {
		loops = append(loops, own.loop)
	}
	s := newStandstill(loops, p.peer.Done())
	p.standing, p.stood = s, handover.Clock()
	if !s.begin() {
		r.Answer(nil, errEnded)
		return
	}
	go func() {
		select {
		case <-s.still:
			r.Answer(nil, nil)
		case <-s.thaw:
			r.Answer(nil, errThawed)
		case <-s.gone:
		}
	}()
}

var errThawed = errors.New("lineman: the loops were told to go on before they stood still")

// leave ends the process gently, or promptly.
func (p *process) leave(r *channel.Request) {
	var f channel.Shutdown
	err := r.Decode(&f)
	if err == nil {
		for _, own := range p.runs {
			own.loop.Do(func() { own.loop.depart(r.Op == channel.Leave, grace.Period(f.Within), f.Patient) })
		}
	}
	p.resume()
	r.Answer(nil, err)
}

// part ends the connections that another process relays, which has to end.
func (p *process) part(r *channel.Request) {
	var f channel.Parting
	if err := r.Decode(&f); err != nil {
		r.Answer(nil, err)
		return
	}
	p.onLoops(r, func(l *Loop) { l.partRelayed(f.Relay, grace.Period(f.Within).Stop()) })
}

// depart ends the loop, because its process has a successor, or the program ends.
func (l *Loop) depart(succeeded bool, within grace.Period, patient bool) {
	if succeeded {
		l.reloaded()
	}
	if !succeeded {
		l.endRelaysIn(within.Stop())
	}
	switch {
	case succeeded:
		l.beginLeaving(websocket.Restart, within, patient)
	case patient:
		l.beginLeaving(websocket.GoingAway, within, true)
	default:
		l.goodbye = websocket.GoingAway
		l.beginStop(within.Stop())
	}
}

// reloaded tells the application of a reload.
func (l *Loop) reloaded() {
	for _, s := range l.services {
		if f := s.worker.OnReload; f != nil {
			l.call(inOnReload, func() { f(l) })
		}
	}
}
