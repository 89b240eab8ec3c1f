//go:build unix

package lineman

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
	"github.com/lineman-go/lineman/internal/grace"
	"github.com/lineman-go/lineman/internal/master"
	"github.com/lineman-go/lineman/internal/program"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// process is a worker process: it runs one loop, and does what its master says.
//
// What the master asks comes on the goroutine of the channel. It is done there, beside the loop, or handed to the
// goroutine of the loop: by steps before the loop runs, by Do from then on.
type process struct {
	master *Master
	log    *program.Log
	peer   *channel.Peer // set before steps gets anything
	steps  chan *channel.Request

	// Of the channel's goroutine until steps gets Start; immutable from then on.
	loop     *Loop
	worker   *Worker
	siblings bool // accept from the sockets of worker too

	// Of the channel's goroutine.
	thaw chan struct{} // the loop stands still until this is closed; nil when it does not

	lent      map[channel.Loan]*Listener // Owned by the loop.
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
	defer p.loop.shut()
	if err := p.loop.run(); err != nil {
		p.loop.log.Error("lineman: the loop has failed", "error", err)
		return program.ExitFailed
	}
	return 0
}

// outlive ends the process when its master has gone, whatever the loop is doing, and be it that it does not run yet.
func (p *process) outlive() {
	<-p.peer.Done()
	time.AfterFunc(time.Duration(grace.Orphan), func() { os.Exit(program.ExitFailed) })
	if p.loop == nil {
		return
	}
	p.loop.log.Error("lineman: the master has gone, and so does this process")
	p.loop.Do(func() { p.loop.beginStop(grace.OrphanStop) })
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

// prepare does the steps of the start on the loop's goroutine, and reports whether the loop is to run.
func (p *process) prepare() bool {
	for {
		select {
		case <-p.peer.Done():
			return false
		case r := <-p.steps:
			if r.Op == channel.Prepare {
				r.Answer(nil, p.loop.prepare(p.worker))
				continue
			}
			_, err := p.loop.Listen(p.worker)
			if err == nil {
				err = p.loop.start(p.worker)
			}
			p.heartbeat.status = p.loop.status()
			r.Answer(nil, err)
			return err == nil
		}
	}
}

// serve does what the master asks. It must not wait.
func (p *process) serve(r *channel.Request) {
	switch r.Op {
	case channel.Hello:
		p.hello(r)
	case channel.Prepare, channel.Start:
		p.steps <- r
	case channel.Freeze:
		p.freeze(r)
	case channel.Resume:
		p.resume()
		r.Answer(nil, nil)
	case channel.Leave, channel.Stop:
		p.leave(r)
	case channel.Reload:
		p.onLoop(r, func() error {
			p.loop.reloaded()
			return nil
		})
	case channel.Beat:
		go p.beat(r)
	case channel.List:
		p.list(r)
	case channel.Log:
		r.Answer(nil, p.log.Use(os.NewFile(uintptr(r.Files[0]), "log")))
	case channel.Adopt, channel.Return:
		p.standIn(r)
	default:
		r.Answer(nil, fmt.Errorf("lineman: the process does not know the request %q", r.Op))
	}
}

// onLoop does something on the loop, and answers with its error.
func (p *process) onLoop(r *channel.Request, f func() error) {
	if !p.loop.Do(func() {
		err := f()
		go r.Answer(nil, err)
	}) {
		r.Answer(nil, errEnded)
	}
}

var errEnded = errors.New("lineman: the loop has ended")

// hello tells what the program is, and becomes the process that the master says, if the program fits.
func (p *process) hello(r *channel.Request) {
	var a channel.Assignment
	if err := r.Decode(&a); err != nil {
		r.Answer(nil, err)
		return
	}
	if len(r.Files) > 0 {
		_ = p.log.Use(os.NewFile(uintptr(r.Files[0]), "log")) // it writes to the terminal in any case
	}
	err := p.become(a)
	r.Answer(channel.Description{Version: channel.Version, Workers: p.master.describe()}, err)
}

// become makes the loop, unless the program is another one, which the master sees by its description.
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
	p.worker, p.siblings = p.master.Workers[a.Worker], a.Shared
	poller, err := newPoller()
	if err != nil {
		return err
	}
	p.loop = newLoop(a.ID, poller, time.Now)
	if p.loop.log = slog.Default(); p.worker.Logger != nil {
		p.loop.log = p.worker.Logger
	}
	p.loop.open, p.loop.host = p, p
	return nil
}

// freeze has the loop stand still: it accepts and reads nothing, and its timers wait.
func (p *process) freeze(r *channel.Request) {
	thaw := make(chan struct{})
	p.thaw = thaw
	l := p.loop
	if !l.Do(func() {
		began := l.clock()
		go r.Answer(nil, nil)
		select {
		case <-thaw:
		case <-p.peer.Done():
		}
		l.skip(l.clock().Sub(began))
	}) {
		r.Answer(nil, errEnded)
	}
}

// skip has limits of time not count a time in which the loop stood still.
func (l *Loop) skip(d time.Duration) {
	l.started = l.started.Add(d)
	l.now = l.clock()
	l.doing.set(noCallback)
}

func (p *process) resume() {
	if p.thaw != nil {
		close(p.thaw)
		p.thaw = nil
	}
}

// leave ends the process gently, or promptly.
func (p *process) leave(r *channel.Request) {
	var f channel.Shutdown
	err := r.Decode(&f)
	if err == nil && p.loop != nil {
		l, within := p.loop, grace.Period(f.Within)
		l.Do(func() {
			if r.Op == channel.Leave {
				l.reloaded()
			}
			switch {
			case r.Op == channel.Leave:
				l.beginLeaving(websocket.Restart, within, f.Patient)
			case f.Patient:
				l.beginLeaving(websocket.GoingAway, within, true)
			default:
				l.goodbye = websocket.GoingAway
				l.beginStop(within.Stop())
			}
		})
	}
	p.resume()
	r.Answer(nil, err)
}

// reloaded tells the application of a reload.
func (l *Loop) reloaded() {
	for _, s := range l.services {
		if f := s.worker.OnReload; f != nil {
			l.call(inOnReload, func() { f(l) })
		}
	}
}
