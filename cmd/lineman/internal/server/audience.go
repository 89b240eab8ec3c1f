package server

import (
	"slices"
	"sync/atomic"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/events"
)

// Pages of all loops tell the Dispatcher of the first one.

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
	told := s.here(done)
	s.home.loop.Do(func() { s.home.hearing.dispatcher.Emit(&own, told) })
}

// here has what the Dispatcher calls be called on this loop, in order; nil stays nil.
func (s *Server) here(done func(error)) func(error) {
	if s.home == nil || done == nil {
		return done
	}
	return func(err error) { s.loop.Do(func() { done(err) }) }
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
