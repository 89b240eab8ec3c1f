package server

import (
	"encoding/json"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/events"
	"github.com/lineman-go/lineman/push/hook"
)

// A process has a Server on each of its loops. All of them have pages. The first has also what is there once: the ports
// for back ends and operators, the hooks, and what back ends hear. A push.Memory joins their Hubs, so that one order
// holds for all. They share the guard, who a page is, and the journal.
//
//	loop 0   back ends, hooks, operators ── Hub ──┐
//	loop 1   pages                       ── Hub ──┼── push.Memory: order, history, presence
//	loop 2   pages                       ── Hub ──┘
//
// A loop that is alone has none of this: its Hub has no Broker.

// Worker is the worker to run. A page is known to the process that holds its WebSocket: several need a Broker.
func (s *Server) Worker() *lineman.Worker {
	loops := s.config.EventLoops()
	if loops == 1 || s.options.Broker != nil {
		return s.pages
	}
	w := *s.pages
	w.Events, w.OnStart, w.OnReload, w.OnStop = lineman.Events{}, nil, nil, nil
	w.Loops = loops
	s.memory = push.NewMemory()
	made := 0
	w.PerLoop = func(own *lineman.Worker) {
		one := s
		if made++; made > 1 {
			one = s.beside()
		}
		own.Events = one.pages.Events
		own.OnStart, own.OnReload, own.OnStop = one.pages.OnStart, one.pages.OnReload, one.pages.OnStop
		one.pages = own
	}
	return &w
}

// beside makes the Server of a further loop.
func (s *Server) beside() *Server {
	one := &Server{config: s.config, options: s.options, keys: s.keys, metrics: s.metrics, home: s, memory: s.memory}
	one.pages, one.streams = one.pageWorker(), one.streamWorker()
	s.others = append(s.others, one)
	return one
}

// first is the Server of the first loop.
func (s *Server) first() *Server {
	if s.home != nil {
		return s.home
	}
	return s
}

// startBeside starts a Server that is not the first: after that one.
func (s *Server) startBeside(l *lineman.Loop) error {
	first := s.home
	s.log, s.who, s.guard, s.journal, s.testPage = first.log, first.who, first.guard, first.journal, first.testPage
	s.decides = first.decides.from(l, first.loop)
	s.informed = true // where loops are several, no other process is asked
	s.begin(l)
	if err := s.openHub(); err != nil {
		return err
	}
	s.slice.loop = l
	s.keepTime(l)
	s.ready = true
	return nil
}

// all are the Servers of the process. On the first loop.
func (s *Server) all() []*Server { return append([]*Server{s}, s.others...) }

// owning is the Server that has a connection; nil if none has.
func (s *Server) owning(conn push.Target) *Server {
	node, _, _ := strings.Cut(strings.TrimPrefix(string(conn), "c:"), ".")
	for _, one := range s.all() {
		if one.hub.ID() == node {
			return one
		}
	}
	return nil
}

// What follows has pages of all loops tell the Dispatcher of the first.

// audience is what other loops know of who listens.
type audience struct {
	kinds     atomic.Pointer[[]events.Kind] // that somebody wants
	listeners atomic.Bool
	busy      atomic.Bool // the Dispatcher is not idle
}

// publishAudience has other loops know who listens.
func (s *Server) publishAudience() {
	d, a := s.hearing.dispatcher, &s.hearing.audience
	if d == nil {
		return // it is being made
	}
	var kinds []events.Kind
	for _, k := range events.Kinds() {
		if d.Wants(k) {
			kinds = append(kinds, k)
		}
	}
	a.kinds.Store(&kinds)
	a.listeners.Store(d.HasListeners())
	a.busy.Store(!d.IsIdle())
}

// wants reports whether a back end wants events of a kind.
func (s *Server) wants(k events.Kind) bool {
	if s.home == nil {
		return s.hearing.dispatcher.Wants(k)
	}
	kinds := s.home.hearing.audience.kinds.Load()
	return kinds != nil && slices.Contains(*kinds, k)
}

// hears reports whether somebody listens.
func (s *Server) hears() bool {
	if s.home == nil {
		return s.hearing.dispatcher.HasListeners()
	}
	return s.home.hearing.audience.listeners.Load()
}

// isIdle reports whether there is nobody to tell anything, and nothing that waits.
func (s *Server) isIdle() bool {
	if s.home == nil {
		return s.hearing.dispatcher.IsIdle()
	}
	return !s.home.hearing.audience.busy.Load()
}

// report emits an event. done is called on this loop.
func (s *Server) report(e *events.Event, done func(error)) {
	if s.home == nil {
		s.hearing.dispatcher.Emit(e, done)
		return
	}
	own := *e
	own.Data = slices.Clone(e.Data) // it is on loan
	if e.About != nil {
		about := e.About()
		own.About = func() []push.Target { return about }
	}
	var told func(error)
	if done != nil {
		told = func(err error) { s.loop.Do(func() { done(err) }) }
	}
	s.home.loop.Do(func() { s.home.hearing.dispatcher.Emit(&own, told) })
}

// tellDispatcher does something with the Dispatcher, in order with what is reported.
func (s *Server) tellDispatcher(f func(*events.Dispatcher)) {
	if s.home == nil {
		f(s.hearing.dispatcher)
		return
	}
	s.home.loop.Do(func() { f(s.home.hearing.dispatcher) })
}

// countSpeakers counts the pages of other loops that back ends hear of. Behind what was reported before.
func (s *Server) countSpeakers(by int) {
	if s.home != nil {
		s.home.loop.Do(func() { s.home.hearing.elsewhere += by })
	}
}

// from has questions of another loop be asked on that which has the deciders.
func (d deciders) from(own, asked *lineman.Loop) deciders {
	relay := func(one *decider) *decider {
		if one == nil {
			return nil
		}
		far := *one
		far.own, far.asked = own, asked
		return &far
	}
	return deciders{relay(d.connect), relay(d.subscribe), relay(d.publish), relay(d.rpc)}
}

// ask runs a question on the loop that has the Decider.
func (d *decider) ask(question func()) {
	if d.own == nil {
		question()
		return
	}
	d.asked.Do(question)
}

// tell brings an answer to the loop that has asked.
func (d *decider) tell(answer func()) {
	if d.own == nil {
		answer()
		return
	}
	d.own.Do(answer)
}

// kept is data that was lent, fit to cross to another loop.
func (d *decider) kept(data json.RawMessage) json.RawMessage {
	if d.own == nil {
		return data
	}
	return slices.Clone(data)
}

// Connect is that of hook.Decider.
func (d *decider) Connect(q *hook.Connect, done func(hook.Login, error)) {
	d.ask(func() {
		d.Decider.Connect(q, func(l hook.Login, err error) { d.tell(func() { done(l, err) }) })
	})
}

// Subscribe is that of hook.Decider.
func (d *decider) Subscribe(q *hook.Subscribe, done func(error)) {
	d.ask(func() {
		d.Decider.Subscribe(q, func(err error) { d.tell(func() { done(err) }) })
	})
}

// Publish is that of hook.Decider.
func (d *decider) Publish(q *hook.Publish, done func(data json.RawMessage, skip bool, err error)) {
	q.Data = d.kept(q.Data)
	d.ask(func() {
		d.Decider.Publish(q, func(data json.RawMessage, skip bool, err error) {
			data = d.kept(data)
			d.tell(func() { done(data, skip, err) })
		})
	})
}

// RPC is that of hook.Decider.
func (d *decider) RPC(q *hook.RPC, done func(data json.RawMessage, err error)) {
	q.Data = d.kept(q.Data)
	d.ask(func() {
		d.Decider.RPC(q, func(data json.RawMessage, err error) {
			data = d.kept(data)
			d.tell(func() { done(data, err) })
		})
	})
}

// Forget is that of hook.Decider.
func (d *decider) Forget(uid string) { d.ask(func() { d.Decider.Forget(uid) }) }

// What follows ends the Servers of a process together.

// noteEmptied has the first loop know when the last page of this one has been sent away.
func (s *Server) noteEmptied() {
	if s.home == nil {
		return
	}
	first, at := s.home, s.emptied
	first.loop.Do(func() {
		if at.After(first.emptied) {
			first.emptied = at
			first.loop.After(time.Until(at), first.retireListeners)
		}
	})
}

// noteStopped has the first loop know that this one stops.
func (s *Server) noteStopped() {
	first := s.first()
	first.loop.Do(func() {
		first.stopped++
		first.endIfDue()
	})
}

// endIfDue ends what is there once, when all loops stop, and the last page has been sent away, or has gone before.
func (s *Server) endIfDue() {
	if s.stopped <= len(s.others) {
		return
	}
	left := time.Until(s.emptied)
	if left <= 0 || s.guard.pageCount() == 0 {
		s.quit()
		return
	}
	s.loop.After(left, s.endIfDue)
}
