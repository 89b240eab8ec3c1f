package server

import (
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/events"
)

// followRolls begins the rolls that somebody wants to be told of, and ends those that nobody does.
func (s *Server) followRolls() {
	d := s.hearing.dispatcher
	s.hub.Roll(push.RollUIDs, d.Wants(events.Join) || d.Wants(events.Leave))
	s.hub.Roll(push.RollChannels, d.Wants(events.Occupied) || d.Wants(events.Vacated))
}

// rollChanged tells back ends who has come, and who has gone. While pages are sent away to a successor, nobody has:
// the successor finds out who did not come to it.
func (s *Server) rollChanged(r push.Roll, name string, here bool) {
	if !here && !s.ready {
		return
	}
	e := events.Event{Kind: events.Join, UID: name}
	switch {
	case r == push.RollChannels && here:
		e = events.Event{Kind: events.Occupied, Channel: name}
	case r == push.RollChannels:
		e = events.Event{Kind: events.Vacated, Channel: name}
	case !here:
		e.Kind = events.Leave
	}
	s.hearing.dispatcher.Emit(&e, nil)
}

// listRolls tells who is there.
func (s *Server) listRolls(uids, channels bool, done func(uids, channels []string, err error)) {
	list := func(wanted bool, r push.Roll, done func(names []string, err error)) {
		if !wanted {
			done(nil, nil)
			return
		}
		s.hub.ListRoll(r, done)
	}
	list(channels, push.RollChannels, func(_ []string, err error) {
		if err != nil {
			done(nil, nil, err)
			return
		}
		list(uids, push.RollUIDs, func(there []string, err error) {
			if err != nil {
				done(nil, nil, err)
				return
			}
			list(channels, push.RollChannels, func(occupied []string, err error) { // it is told at once now
				done(there, occupied, err)
			})
		})
	})
}

// orAtOnce is a delay as push.Options have it: 0 is that of the Hub there, and less than 0 none.
func orAtOnce(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}
