package server

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/events"
	"github.com/lineman-go/lineman/push/level1"
)

// speaking is what the server keeps of pages that speak: that publish, say something to back ends, or ask them. Owned
// by the loop.
type speaking struct {
	upstreams map[uint64]*upstream // by the connections' ids: a page that only listens has none
	ended     map[string]uint64    // calls, by how: see resultOf

	// Of the event at hand.
	member *push.Member[*lineman.Conn]
	places func() []push.Target // its groups and channels

	to [1]push.Target // of the publication at hand
}

func (k *speaking) begin() {
	k.upstreams = make(map[uint64]*upstream)
	k.ended = map[string]uint64{"answered": 0, "failed": 0, "late": 0, "unheard": 0}
	k.places = func() []push.Target { return placesOf(k.member) }
}

// upstream is what a page has that speaks.
type upstream struct {
	publish    []string      // patterns of the channels that its credential lets it publish to
	conn       push.Target   // its name; empty until it speaks
	source     push.Source   // of what it publishes
	rates      []channelRate // of what it has published of late
	deciding   []*publication
	published  answers         // to what it publishes
	unanswered int             // requests that were taken, and not answered
	saying     []int64         // of these, what it has said to back ends, by the ids of the requests
	calls      map[uint64]call // that wait for the answer of a back end, by their numbers
	lastCall   uint64          // or other question to a back end
}

// maxUnanswered is how many requests of a page may wait for their answers.
const maxUnanswered = 100

// upstreamOf is that of a member. What it says is by its connection and its uid, whatever the frame says.
func (s *Server) upstreamOf(m *push.Member[*lineman.Conn]) *upstream {
	id := m.Conn().ID()
	up := s.speaking.upstreams[id]
	if up == nil {
		up = &upstream{}
		if s.believesAnybody() {
			up.publish = anybody{}.identity(m.UID()).Publish
		}
		s.speaking.upstreams[id] = up
	}
	if up.conn == "" {
		up.conn = m.Target()
		up.source = push.Source{
			Via: "page", Peer: peer{m.Conn()}, Page: push.Recipient{Conn: up.conn, UID: m.UID()},
		}
	}
	return up
}

// allowPublishing notes the channels that the credential of a page lets it publish to.
func (s *Server) allowPublishing(c *lineman.Conn, patterns []string) {
	up := s.speaking.upstreams[c.ID()]
	switch {
	case s.believesAnybody(): // it is noted when it speaks, for most do not
	case up != nil:
		up.publish = patterns
	case len(patterns) > 0:
		s.speaking.upstreams[c.ID()] = &upstream{publish: patterns}
	}
}

// believesAnybody reports whether a page may choose any uid.
func (s *Server) believesAnybody() bool {
	_, everybody := s.who.(anybody)
	return everybody && s.decides.connect == nil
}

// take counts a request that is answered later, and reports whether there may be one more.
func (up *upstream) take() bool {
	if up.unanswered >= maxUnanswered {
		return false
	}
	up.unanswered++
	return true
}

// tooMany is the answer where there may not.
func tooMany(r *level1.Request) *level1.Failure {
	return failure(r, level1.CodeTooMany, "too many requests wait for their answers")
}

// sayToBackEnd tells back ends what a page says. One with an id is answered when all of them have it.
func (s *Server) sayToBackEnd(c *lineman.Conn, r *level1.Request) *level1.Failure {
	m := s.member(c)
	up := s.upstreamOf(m)
	e := events.Event{Kind: events.Message, Conn: up.conn, Data: r.Data, Again: r.Again}
	if r.ID == 0 {
		s.emit(m, &e, nil)
		return nil
	}
	if !up.take() {
		return tooMany(r)
	}
	up.saying = append(up.saying, r.ID)
	e.Receipt = up.receipt(r.ID)
	s.emit(m, &e, s.said(c, up, r.ID))
	return nil
}

// receipt is by what a successor knows who waits for what was said.
func (up *upstream) receipt(id int64) string {
	return string(up.conn) + " " + strconv.FormatInt(id, 10)
}

// said answers what a page has said, when back ends have taken it.
func (s *Server) said(c *lineman.Conn, up *upstream, id int64) func(error) {
	return func(err error) {
		up.unanswered--
		if i := slices.Index(up.saying, id); i >= 0 {
			up.saying = slices.Delete(up.saying, i, i+1)
		}
		if s.member(c) != nil {
			s.tellSaid(c, id, err)
		}
	}
}

// tellSaid answers say.
func (s *Server) tellSaid(c *lineman.Conn, id int64, err error) {
	if err == nil {
		s.tell(c, level1.Said{ID: id})
		return
	}
	s.tell(c, level1.Failure{ID: id, Code: level1.CodeUnavailable, Text: untaken(err)})
}

// untaken is why back ends have not taken what a page says.
func untaken(err error) string {
	switch {
	case errors.Is(err, events.ErrNobody):
		return "no back end listens"
	case errors.Is(err, events.ErrDropped):
		return "no back end has taken it in time"
	}
	return "the back end has not taken it"
}

// emit tells back ends something that a member says. What is in e stands, but for whose it is.
func (s *Server) emit(m *push.Member[*lineman.Conn], e *events.Event, done func(error)) {
	e.UID = m.UID()
	e.Session, _ = m.Value().(json.RawMessage)
	s.speaking.member, e.About = m, s.speaking.places
	s.report(e, done)
	s.speaking.member = nil
}
