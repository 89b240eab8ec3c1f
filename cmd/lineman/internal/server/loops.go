package server

import (
	"slices"
	"strings"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push"
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
	w.Save, w.Restore, w.SaveParts, w.RestoreState, w.OnHandover, w.Report = nil, nil, nil, nil, nil, nil
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
		own.Report = one.pages.Report
		one.handsOver(own)
		one.pages = own
	}
	return &w
}

// beside makes the Server of a further loop.
func (s *Server) beside() *Server {
	one := &Server{
		config: s.config, options: s.options, keys: s.keys, openAPI: s.openAPI, metrics: s.metrics, home: s,
		memory: s.memory, figuring: newFiguring(),
	}
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
	s.log, s.who, s.guard, s.journal, s.devPage = first.log, first.who, first.guard, first.journal, first.devPage
	s.apps, s.channelsOf, s.spaces = first.apps, first.channelsOf, first.spaces
	s.decides = first.decides.from(l, first.loop)
	s.informed = true // where loops are several, no other process is asked
	s.begin(l)
	if err := s.openHub(); err != nil {
		return err
	}
	if err := s.expectWorkers(l); err != nil {
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
		if one.hub.ID() == node || slices.Contains(one.crossing.names, node) {
			return one
		}
	}
	return nil
}
