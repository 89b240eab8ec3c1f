package server

import (
	"fmt"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/internal/fields"
)

// A reload hands the connections over, with all that the server knows of them; to other nodes, the successor is the
// node that its predecessor was. push/DESIGN.md has the table of what crosses and what does not.
//
//	predecessor: saveState ──▶ savePage, … of each connection                            ──▶ handedOver
//	successor:   restoreState, behind start ──▶ restorePage, … ──▶ settle, in the first tick
//
// A page that stays is sent away by the predecessor, as in a reload without handover. Back ends hear from the successor
// that it has closed.

// crossing is what a Server notes while it hands over, or is handed over to. Owned by the loop, and by who hands over
// while it stands still.
type crossing struct {
	saved    []*lineman.Conn     // pages that may have crossed
	page     saved               // the last one of them; memory for the next
	member   []byte              // likewise, what the Hub knows of it
	over     bool                // the successor has taken over
	names    []string            // of Hubs of predecessors, whose connections this one has
	expected map[uint64]*speaker // pages that back ends have heard of at the predecessor, and that have not come yet
	watching []func()            // have back ends watch again what they watched at the predecessor
	distrust bool                // who may come in is decided otherwise than by the predecessor
	settling bool                // until settle
}

// handsOver sets the callbacks of the worker of pages.
func (s *Server) handsOver(w *lineman.Worker) {
	w.Save, w.Restore = s.savePage, s.restorePage
	w.SaveParts = func(_ *lineman.Loop, send func([]byte) error) error { return s.saveState(send) }
	w.RestoreState = func(_ *lineman.Loop, state []byte) error { return s.restoreState(state) }
	w.OnHandover = func(*lineman.Loop) { s.handedOver() }
}

// expectWorkers makes the workers known to which connections come by SetWorker.
func (s *Server) expectWorkers(l *lineman.Loop) error {
	for _, w := range []*lineman.Worker{s.streams, s.known, s.hearing.worker} {
		if w == nil {
			continue
		}
		if err := l.Expect(w); err != nil {
			return err
		}
	}
	return nil
}

// stateVersion is that of all that crosses of a server. Each version reads what those before it have written. Version 2
// has publications that hooks have not decided, and more: programs that knew version 1 passed over what they did not
// know. From version 2 on that is refused, so there is another one only if a number comes to mean something else.
const stateVersion = 2

const (
	stateTrust = iota + 1
	stateName  // once for each
	stateHub
	stateWarned
	stateSpeaker // once for each

	// Of the first loop.
	stateBroker // before that of any Hub
	stateEvents
	stateCommands
	stateGuard
	stateSettled // seconds of Unix time
	stateRevoked // once for each uid
	stateInformed
	stateGap
	stateSessions // what those of the dashboard are signed by
	stateEnded    // those of them that have been logged out, once for each
	stateFigures
	stateReplays // requests of the Pusher API that have come
)

// saveState sends the state of the loop, in parts. It gives nothing up.
func (s *Server) saveState(send func(part []byte) error) error {
	if s.home == nil {
		if err := s.saveBroker(send); err != nil {
			return err
		}
	}
	f := saved(fields.Begin(nil, stateVersion))
	f.add(stateTrust, s.trust())
	if s.home == nil {
		s.appendShared(&f)
	}
	hub, err := s.hub.AppendState(nil)
	if err != nil {
		return err
	}
	f.add(stateHub, hub)
	f.texts(stateName, append([]string{s.hub.ID()}, s.crossing.names...))
	f.integer(stateWarned, s.warned)
	for id, sp := range s.hearing.speakers {
		f.nested(stateSpeaker, s.asItEnds(id, sp).appendState)
	}
	s.crossing.saved = nil
	return send(f)
}

// saveBroker sends what the Broker has: a large history, perhaps. What waits for a journal, or for other nodes, is done
// first.
func (s *Server) saveBroker(send func(part []byte) error) error {
	s.hearing.dispatcher.StandStill()
	var f saved
	return s.hub.SaveBrokerState(func(part []byte) error {
		f = fields.Begin(f[:0], stateVersion)
		f.add(stateBroker, part)
		return send(f)
	})
}

// appendShared appends what else the process has once.
func (s *Server) appendShared(f *saved) {
	f.add(stateEvents, s.hearing.dispatcher.AppendState(nil))
	f.add(stateCommands, s.table.AppendState(nil))
	f.nested(stateGuard, func(f *saved) { s.guard.appendState(f, time.Now()) })
	f.integer(stateSettled, s.hearing.settled.Unix())
	s.appendRevoked(f)
	if s.gap != nil && s.gap.told < len(s.gap.pages) {
		f.nested(stateGap, s.gap.appendState)
	}
	if s.dashboard != nil {
		f.add(stateSessions, s.dashboard.Key())
		f.texts(stateEnded, s.dashboard.Ended())
	}
	f.nested(stateFigures, s.appendFigures)
	if s.apps != nil {
		f.add(stateReplays, s.apps.replays.Append(nil))
	}
}

// restoreState takes a part of what a loop of the predecessor has saved.
func (s *Server) restoreState(state []byte) error {
	state, err := fields.Open(state, stateVersion)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	return readFields(state, stateReplays, func(f *field) {
		switch f.number {
		case stateTrust:
			s.crossing.distrust = !s.trusts(f.bytes())
		case stateName:
			s.crossing.names = append(s.crossing.names, f.text())
		case stateHub:
			f.take(s.hub.RestoreState(f.bytes()))
		case stateWarned:
			s.warned = f.integer()
		case stateSpeaker:
			f.take(s.expect(f.bytes()))
		default:
			s.restoreShared(f)
		}
	})
}

// restoreShared takes a field of what the process has once.
func (s *Server) restoreShared(f *field) {
	switch f.number {
	case stateBroker:
		f.take(s.hub.RestoreBrokerState(f.bytes()))
	case stateEvents:
		f.take(s.hearing.dispatcher.RestoreState(f.bytes()))
	case stateCommands:
		f.take(s.table.RestoreState(f.bytes()))
	case stateGuard:
		f.take(s.guard.restoreState(f.bytes()))
	case stateSettled:
		s.hearing.settled = earlier(time.Unix(f.integer(), 0), time.Now().Add(s.reconnectWindow()))
	case stateRevoked:
		f.take(s.restoreRevoked(f.bytes()))
	case stateInformed:
		s.informed, s.unread = true, false
	case stateGap:
		s.gap = &gap{}
		f.take(s.gap.restoreState(f.bytes()))
	case stateSessions:
		if s.dashboard != nil {
			s.dashboard.SetKey(f.bytes())
		}
	case stateEnded:
		if s.dashboard != nil {
			s.dashboard.SetEnded(f.text())
		}
	case stateFigures:
		f.take(s.figuring.recorder.RestoreState(f.bytes()))
	case stateReplays:
		if s.apps != nil {
			f.take(s.apps.replays.Restore(f.bytes()))
		}
	}
}

// earlier is the first of two times. A time of day that has crossed is no later than it could be if it began now, as
// the clock may have been set back.
func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// settle ends what has come from the predecessor, in the first tick: what has not come is gone.
func (s *Server) settle() {
	s.crossing.settling = false
	s.hub.Restored()
	if s.home == nil {
		s.hearing.dispatcher.Restored()
		s.settleCluster()
	}
	for id, sp := range s.crossing.expected {
		if sp.code == 0 {
			sp.code, sp.why = int(codeRestart), byeReasons[int(codeRestart)]
		}
		s.hearing.speakers[id] = sp
		s.countSpeakers(1)
		s.endSpeaker(id, sp, nil)
	}
	for _, watch := range s.crossing.watching {
		watch()
	}
	s.crossing.expected, s.crossing.watching = nil, nil
	if s.hears() {
		s.addSpeakers() // somebody may listen who did not at the predecessor
	}
}

// handedOver gives up what the successor has now. What is left is sent away by drain.
func (s *Server) handedOver() {
	s.crossing.over = true
	for _, c := range s.crossing.saved {
		if p := pageOf(c); p != nil && !c.Connected() {
			s.giveUp(c, p)
		}
	}
	s.crossing.saved = nil
	s.hub.HandedOver(func(c *lineman.Conn) bool { return !c.Connected() })
	clear(s.hearing.speakers)
	clear(s.hearing.held)
	if s.home != nil {
		return
	}
	s.hearing.dispatcher.HandedOver()
	for _, d := range s.decides.all() {
		d.HandedOver()
	}
	for _, t := range s.tellers {
		t.sender.HandedOver()
		t.client.Close()
	}
	s.tellers = nil
	s.dismissBackends(s.loop)
	for c := range s.loop.Conns(s.hearing.worker) {
		c.Value().(*backend).leave()
	}
}

// giveUp forgets a page that has crossed.
func (s *Server) giveUp(c *lineman.Conn, p *page) {
	s.guard.leave(p)
	if p.login != nil {
		p.login.leave()
	}
	if p.end != 0 {
		s.expiries.remove(c.ID(), p.end)
	}
	if p.live != nil {
		s.leaveLive(p)
	}
	if one, is := c.Value().(*pusherPage); is {
		s.leavePusher(one)
	}
	delete(s.speaking.upstreams, c.ID())
	delete(s.renewals, c.ID())
}

// comeAgain is the reason of codeRestart for a page that says something to a process that has handed over.
const comeAgain = `{"retry":1000}`
