package server

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/websocket"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/command"
	"github.com/lineman-go/lineman/push/events"
)

// hearing is what the server keeps so that back ends hear of pages. Owned by the loop.
type hearing struct {
	dispatcher *events.Dispatcher
	worker     *lineman.Worker          // of the connections of listeners
	speakers   map[uint64]*speaker      // by the connections' ids; none while nobody listens
	listening  map[*backend]struct{}    // the listeners
	held       map[uint64]*lineman.Conn // pages that are not read, as their listener is too slow
	settled    time.Time                // pages of a predecessor have come back, as far as they will

	// Of the first loop.
	audience  audience
	elsewhere int // speakers of other loops
}

// speaker is a member as back ends hear of it. It is kept until nothing more comes of its connection.
type speaker struct {
	conn    push.Target
	uid     string
	since   time.Time // when it has logged in; zero: nobody listened then
	code    int       // that it is closed with; 0: nobody has closed it yet
	why     string
	session json.RawMessage // at its end
	places  []push.Target   // likewise
}

// openDispatcher makes the Dispatcher.
func (s *Server) openDispatcher() {
	h := &s.hearing
	h.listening = make(map[*backend]struct{})
	h.settled = time.Now().Add(s.reconnectWindow())
	h.dispatcher = events.New(events.Options{
		Do: s.loop.Do, After: func(d time.Duration, f func()) { s.loop.After(d, f) },
		Waiting: s.config.Events.Waiting, Bytes: s.config.Events.Bytes, Keep: s.config.Events.Keep,
		Early: min(s.config.Events.Keep, s.reconnectWindow()),
		Hold:  s.holdSpeaker, State: s.whoIsThere, Began: s.beginHearing, Changed: s.publishAudience,
	})
}

// reconnectWindow is how long pages of a predecessor may take to come back.
func (s *Server) reconnectWindow() time.Duration { return 2*s.config.Drain + reconnectTime }

// holdSpeaker has a page of any loop not be read, or be read again.
func (s *Server) holdSpeaker(conn push.Target, on bool) {
	switch one := s.owning(conn); one {
	case nil:
	case s:
		s.holdPage(conn, on)
	default:
		one.loop.Do(func() { one.holdPage(conn, on) })
	}
}

// holdPage has a page not be read, or be read again.
func (s *Server) holdPage(conn push.Target, on bool) {
	for m := range s.hub.Members(conn) {
		c := m.Conn()
		if on {
			s.hearing.held[c.ID()] = c
			c.Pause()
		}
	}
	if on {
		return
	}
	for id, c := range s.hearing.held { // it may be no member any more
		if s.hub.Name(c) == conn {
			delete(s.hearing.held, id)
			c.Resume()
		}
	}
}

// beginSpeaking tells back ends that a page is a member now.
func (s *Server) beginSpeaking(c *lineman.Conn) {
	if !s.hears() {
		return
	}
	m := s.member(c)
	if m == nil {
		return
	}
	s.addSpeaker(m, time.Now())
	s.emitConnect(m, false)
}

// addSpeaker notes a member that back ends hear of; since is zero if it was there before.
func (s *Server) addSpeaker(m *push.Member[*lineman.Conn], since time.Time) {
	conn, uid := m.Target(), m.UID()
	s.hearing.speakers[m.Conn().ID()] = &speaker{conn: conn, uid: uid, since: since}
	s.countSpeakers(1)
	s.tellDispatcher(func(d *events.Dispatcher) { d.Came(conn, uid) })
}

// beginHearing notes the pages that are there when somebody begins to listen, on all loops.
func (s *Server) beginHearing() {
	s.addSpeakers()
	for _, one := range s.others {
		if one.loop != nil { // else it has not started, and has no pages
			one.loop.Do(one.addSpeakers)
		}
	}
}

func (s *Server) addSpeakers() {
	for m := range s.hub.Members(push.Everyone) {
		if s.hearing.speakers[m.Conn().ID()] == nil {
			s.addSpeaker(m, time.Time{})
		}
	}
}

// emitConnect tells back ends that a page is there.
func (s *Server) emitConnect(m *push.Member[*lineman.Conn], again bool) {
	if !s.wants(events.Connect) {
		return
	}
	e := s.eventOf(m, events.Connect)
	e.Remote, e.Again = m.Conn().RemoteAddr().String(), again
	e.Level, e.Protocol = pageOf(m.Conn()).level(), s.protocolOf(m.Conn())
	s.report(&e, nil)
}

// eventOf is the beginning of an event about a member.
func (s *Server) eventOf(m *push.Member[*lineman.Conn], k events.Kind) events.Event {
	e := events.Event{Kind: k, Conn: m.Target(), UID: m.UID(), About: func() []push.Target { return placesOf(m) }}
	e.Session, _ = m.Value().(json.RawMessage)
	return e
}

// placesOf are the groups and channels of a member.
func placesOf(m *push.Member[*lineman.Conn]) (all []push.Target) {
	for _, name := range m.Groups() {
		all = append(all, push.Group(name))
	}
	for _, name := range m.Channels() {
		all = append(all, push.Channel(name))
	}
	return all
}

// noteClosing notes why a page is closed, unless that is known.
func (s *Server) noteClosing(c *lineman.Conn, code int, why string) {
	if sp := s.hearing.speakers[c.ID()]; sp != nil && sp.code == 0 {
		sp.code, sp.why = code, why
		s.noteEnd(c, sp)
	}
}

// noteEnd notes what is known of a page as long as it is a member.
func (s *Server) noteEnd(c *lineman.Conn, sp *speaker) {
	if m := s.member(c); m != nil {
		sp.session, _ = m.Value().(json.RawMessage)
		sp.places = placesOf(m)
	}
}

// endSpeaking tells back ends that a page has closed, and nothing more comes of it.
func (s *Server) endSpeaking(c *lineman.Conn, err error) {
	h := &s.hearing
	sp := h.speakers[c.ID()]
	if sp == nil {
		if !s.isIdle() {
			name := s.hub.Name(c)
			s.tellDispatcher(func(d *events.Dispatcher) { d.Gone(name) })
		}
		return
	}
	s.endSpeaker(c.ID(), sp, err)
}

// endSpeaker is that for a speaker.
func (s *Server) endSpeaker(id uint64, sp *speaker, err error) {
	delete(s.hearing.speakers, id)
	s.countSpeakers(-1)
	told := func(error) { s.tellDispatcher(func(d *events.Dispatcher) { d.Went(sp.conn) }) }
	if !s.wants(events.Close) {
		told(nil)
	} else {
		e := events.Event{
			Kind: events.Close, Conn: sp.conn, UID: sp.uid, Session: sp.session, Code: sp.code, Why: sp.why,
			About: func() []push.Target { return sp.places },
		}
		if sp.code == 0 {
			e.Code, e.Why = closedBy(err)
		}
		if !sp.since.IsZero() {
			e.Lasted = max(0, time.Since(sp.since)) // the clock may have been set back in a handover
		}
		s.report(&e, told)
	}
	s.tellDispatcher(func(d *events.Dispatcher) { d.Gone(sp.conn) })
}

// closedBy is the code and the reason of a page that has closed by itself: 1006 without a goodbye (RFC 6455, 7.1.5).
func closedBy(err error) (code int, why string) {
	var said *websocket.CloseError
	if errors.As(err, &said) {
		return int(said.Code), said.Reason
	}
	if err == nil {
		return int(websocket.Abnormal), ""
	}
	return int(websocket.Abnormal), err.Error()
}

// whoIsThere tells who is there, once the pages of a predecessor have had the time to come back. Until then those who
// are there are told to have come, as they may have come before somebody listened.
func (s *Server) whoIsThere(uids, channels bool, done func(uids, channels []string, err error)) {
	s.followRolls()
	wait := time.Until(s.hearing.settled)
	if wait <= 0 {
		s.listRolls(uids, channels, done)
		return
	}
	s.listRolls(uids, channels, func(there, occupied []string, err error) {
		if err != nil {
			done(nil, nil, err)
			return
		}
		for _, uid := range there {
			s.rollChanged(push.RollUIDs, uid, true)
		}
		for _, channel := range occupied {
			s.rollChanged(push.RollChannels, channel, true)
		}
		s.loop.After(wait, func() { s.whoIsThere(uids, channels, done) })
	})
}

// What follows has a back end's connection be a listener.

// listening has the connection of a back end take events.
type listening backend

// Begin is that of command.Listening.
func (b *listening) Begin(l *events.Listener) {
	h := &b.server.hearing
	b.listener, h.listening[(*backend)(b)] = l, struct{}{}
	_ = b.conn.SetWorker(h.worker) // it may have closed
}

// Send is that of events.Sink. Events follow the answer to listen.
func (b *listening) Send(event []byte) bool {
	return b.began && !b.full && b.conn.Send(event) == nil
}

// resume has events go on when there is room, and begin when the answer to listen was sent.
func (b *backend) resume() {
	if b.listener == nil || b.full {
		return
	}
	b.began = b.began || b.answers.first > b.listened
	if b.began {
		b.listener.Resume()
	}
}

// acknowledge takes an ack. It has no answer, unless it is wrong.
func (s *Server) acknowledge(b *backend, n uint64, wrong error) {
	if wrong == nil {
		wrong = b.listener.Ack(n)
	}
	if wrong != nil {
		b.settle(b.expect(), command.Failed(wrong).JSON())
	}
	b.retire()
}

// retire lets a listener go whose server has a successor, when all its pages have gone and it has done their events.
func (b *backend) retire() {
	if s := b.server; b.listener != nil && s.pagesGone() && b.listener.Unacknowledged() == 0 {
		b.leave()
	}
}

// pagesGone reports whether the server has a successor, and the last page has been sent away.
func (s *Server) pagesGone() bool {
	return !s.ready && time.Now().After(s.emptied) && len(s.hearing.speakers)+s.hearing.elsewhere == 0
}

// endListening gives what a back end has not acknowledged to others.
func (s *Server) endListening(b *backend) {
	if b.listener != nil {
		b.listener.Close()
		delete(s.hearing.listening, b)
	}
}

// hearingWorker has the listeners among back ends: they stay until the pages have gone.
func (s *Server) hearingWorker(of *lineman.Worker) *lineman.Worker {
	w := *of
	w.Name, w.Addr, w.ReusePort = "listeners", "", false
	w.Limits.Drain = s.config.Drain + lastEvents
	return &w
}

// lastEvents is how long listeners may take to acknowledge the last events of a server that has a successor.
const lastEvents = time.Second
