package server

import (
	"bytes"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/command"
)

// Connections to the ports for back ends that cross. Those of operators do not: they are answered on goroutines.

// saveBackend is a connection to the port for lines as bytes, or why it stays.
func (s *Server) saveBackend(c *lineman.Conn) ([]byte, error) {
	b := c.Value().(*backend)
	if err := b.mayCross(); err != nil {
		return nil, err
	}
	var f saved
	b.appendState(&f, s.keys)
	return f, nil
}

// restoreBackend makes a back end of it again. What kept the predecessor from reading it is over, but for a back end
// that does not read its answers.
func (s *Server) restoreBackend(c *lineman.Conn, value []byte) error {
	b := &backend{admission: admission{conn: c}, server: s, from: &push.Source{Via: "line", Peer: peer{c}}}
	x := crossedBackend{backend: b}
	err := x.restoreState(value, s.keys)
	switch {
	case err != nil:
		return err
	case b.permit != nil:
		b.from.Key = b.permit.Name
	case b.in && s.wantsKey():
		return errKeyGone
	}
	if x.listener > 0 {
		if b.listener, err = s.hearing.dispatcher.Reattach(x.listener, (*listening)(b)); err != nil {
			return err
		}
		s.hearing.listening[b] = struct{}{}
	}
	if x.watches != nil {
		s.restoreWatching(b, bytes.Clone(x.watches))
	}
	c.SetValue(b)
	s.guard.restoreSlot(&s.guard.backends, &b.admission)
	if b.waits {
		s.guard.keylessLines.restore(&b.admission)
		s.awaitKeyInTime(&b.admission)
	}
	b.applyBackpressure()
	return nil
}

// restoreWatching has a back end watch what it has watched, when all that can be watched has come.
func (s *Server) restoreWatching(b *backend, state []byte) {
	s.crossing.watching = append(s.crossing.watching, func() {
		by := command.Caller{Permit: b.permit, From: b.from, Stream: b}
		if _, err := s.table.RestoreWatching(state, by); err != nil {
			b.leave() // what it watches has gone, or its key does not allow it any more
		}
	})
}

// saveCaller is a connection to the HTTP API as bytes: what it has asked was answered.
func saveCaller(c *lineman.Conn) ([]byte, error) {
	one := c.Value().(*caller)
	if one.slot.why != "" {
		return nil, errTurnedAway
	}
	var f saved
	f.flag(backendWaits, one.waits)
	return f, nil
}

// restoreCaller makes a connection to the HTTP API of it again.
func (s *Server) restoreCaller(c *lineman.Conn, value []byte) error {
	one := &caller{admission: admission{conn: c}}
	if err := readFields(value, backendWaits, func(f *field) {
		if f.number == backendWaits {
			one.waits = f.flag()
		}
	}); err != nil {
		return err
	}
	c.SetValue(one)
	s.guard.restoreSlot(&s.guard.api, &one.admission)
	if one.waits {
		s.guard.keylessCalls.restore(&one.admission)
		s.awaitKeyInTime(&one.admission)
	}
	c.Resume() // others have had the loop
	return nil
}

// restore counts a connection that has crossed without a key.
func (k *keyless) restore(a *admission) {
	a.since = time.Now()
	k.taken.add(a.slot.ip, 1)
	k.waiting = append(k.waiting, a)
}
