package server

import (
	"slices"
	"strings"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/command"
)

// peer tells where a connection comes from, once somebody wants to know.
type peer struct{ conn *lineman.Conn }

func (p peer) String() string { return p.conn.RemoteAddr().String() }

// errWatching is the answer to what a back end asks that is told events.
var errWatching = &command.Error{Code: command.Invalid, Text: "this connection watches: ask over another one"}

// What follows has a back end's connection be a command.Stream.

// Begin has it be told events from now on. They end with the connection.
func (b *backend) Begin(w *command.Watching) { b.watching = w }

// Send sends an event, behind the answers that are not known yet. Who does not read misses events.
func (b *backend) Send(event []byte) bool {
	switch n := b.answers.len(); {
	case n >= maxWaiting:
		return false
	case n > 0:
		b.settle(b.expect(), event)
		return true
	}
	return b.conn.Send(event) == nil
}

// watchAll watches on all loops; nil where there is one.
func (s *Server) watchAll() func(w push.Watch, began func()) (stop func(), err error) {
	if s.memory == nil {
		return nil
	}
	return s.watch
}

// watch is that of the Hubs of all loops together. A connection is watched on the loop that has it.
func (s *Server) watch(w push.Watch, began func()) (stop func(), err error) {
	if kind, _ := w.Target.Split(); kind == push.ToConn {
		one := s.owning(w.Target)
		if one == nil || one == s {
			return s.hub.Watch(w, began)
		}
		far := &farWatch{Watch: w, near: s, far: one}
		far.begin(began)
		return far.end, nil
	}
	w.Tell = once(w)
	left := len(s.all())
	begun := func() {
		if left--; left == 0 {
			began()
		}
	}
	stopHere, err := s.hub.Watch(w, begun)
	if err != nil {
		return nil, err
	}
	var stops []func()
	for _, one := range s.others {
		far := &farWatch{Watch: w, near: s, far: one}
		far.begin(begun)
		stops = append(stops, far.end)
	}
	return func() {
		stopHere()
		for _, stop := range stops {
			stop()
		}
	}, nil
}

// once tells of each publication once. One for another target is told of by each loop that has a connection which gets
// it: the first one counts.
func once(w push.Watch) func(*push.Event) {
	var told recently
	return func(e *push.Event) {
		if e.Step != push.Published || !isToldElsewhere(w.Target, e) && told.isNew(e.Number) {
			w.Tell(e)
		}
	}
}

// isToldElsewhere reports whether the loop that was asked to publish something tells of it: it was for the target.
func isToldElsewhere(watched push.Target, e *push.Event) bool {
	if strings.HasPrefix(e.Number, e.Node+".") { // it was asked itself
		return false
	}
	kind, _ := watched.Split()
	return kind == push.ToEveryone || kind != push.ToConn && slices.Contains(e.To, watched)
}

// recently is what was met lately.
type recently struct {
	numbers [64]string
	next    int // the oldest one
}

// isNew reports whether a number was not met lately. Now it is.
func (r *recently) isNew(number string) bool {
	if slices.Contains(r.numbers[:], number) {
		return false
	}
	r.numbers[r.next] = number
	r.next = (r.next + 1) % len(r.numbers)
	return true
}

// farWatch is a Watch on the Hub of another loop.
type farWatch struct {
	push.Watch
	near, far *Server
	ended     bool   // Owned by the loop of near.
	stop      func() // Owned by the loop of far; nil: there is nothing to stop.
}

func (f *farWatch) begin(began func()) {
	f.far.loop.Do(func() {
		w := f.Watch
		w.Tell = f.tell
		begun := func() { f.near.loop.Do(began) }
		stop, err := f.far.hub.Watch(w, begun)
		if f.stop = stop; err != nil {
			begun() // the connection has gone: there is nothing to tell
		}
	})
}

// tell brings an event to the loop of near.
func (f *farWatch) tell(e *push.Event) {
	switch {
	case e.Step == push.Published && isToldElsewhere(f.Target, e):
		return
	case e.Step == push.Delivered && e.N == 0 && e.Full == 0:
		return
	}
	own := *e // with all that it has, it is on loan
	own.To, own.Data, own.Conns = slices.Clone(e.To), slices.Clone(e.Data), slices.Clone(e.Conns)
	f.near.loop.Do(func() {
		if !f.ended {
			f.Watch.Tell(&own)
		}
	})
}

func (f *farWatch) end() {
	f.ended = true
	f.far.loop.Do(func() {
		if f.stop != nil {
			f.stop()
		}
	})
}
