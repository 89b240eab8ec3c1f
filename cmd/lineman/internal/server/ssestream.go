package server

import (
	"bytes"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/level1"
)

// stream is a page of level 1 that gets its frames as server-sent events. The id of each event is all places where the
// page stands once it has that event: a browser hands back the last one. Owned by the loop.
type stream struct {
	places []level1.Place // with positions only
}

// streaming is what streams share. Owned by the loop.
type streaming struct {
	open     int             // streams that have begun
	comments heartbeats      // for all of them: they keep proxies from cutting a stream
	audience []*lineman.Conn // streams that get the frame at hand
	id, text []byte          // of the event at hand
}

// move notes where the page stands in a target. A target without history has no place.
func (st *stream) move(of push.Target, at push.Position) {
	if at == (push.Position{}) {
		return
	}
	if i := st.index(of); i >= 0 {
		st.places[i].Position = at
		return
	}
	if len(st.places) == cap(st.places) { // most have one or two: nothing is left over
		st.places = slices.Grow(st.places, 1+len(st.places)/2)
	}
	st.places = append(st.places, level1.Place{Target: of, Position: at})
}

func (st *stream) forget(of push.Target) {
	if i := st.index(of); i >= 0 {
		st.places = slices.Delete(st.places, i, i+1)
	}
}

func (st *stream) index(of push.Target) int {
	return slices.IndexFunc(st.places, func(p level1.Place) bool { return p.Target == of })
}

// hasOnly reports whether the ids of the stream are about nothing else than a target.
func (st *stream) hasOnly(of push.Target) bool {
	return len(st.places) == 0 || len(st.places) == 1 && st.places[0].Target == of
}

// appendEvent appends an event. Times of 0 and empty ids are left out.
func appendEvent(dst, id []byte, retry time.Duration, frame []byte) []byte {
	if len(id) > 0 {
		dst = append(append(append(dst, "id: "...), id...), '\n')
	}
	dst, _ = (&http1.Event{Retry: retry, Data: frame}).Append(dst) // which has no field of one line
	return dst
}

// event makes an event of a stream, which is good until the next one is made.
func (s *Server) event(st *stream, retry time.Duration, frame []byte) []byte {
	s.streaming.id = level1.AppendEventID(s.streaming.id[:0], st.places)
	s.streaming.text = appendEvent(s.streaming.text[:0], s.streaming.id, retry, frame)
	return s.streaming.text
}

// beginStream begins the answer of a page that is about to be a member, and reports whether it can be one.
func (s *Server) beginStream(c *lineman.Conn, p *page, who Identity) bool {
	q, e := p.login.stream, p.login
	if q == nil || c.Respond(q.head()) != nil || c.SetWorker(s.streams) != nil {
		return false
	}
	channels := e.channels
	if channels == nil {
		channels, _ = s.channels(nil, who) // what is not asked for is not refused
	}
	targets := []push.Target{push.UID(who.UID)}
	for _, name := range who.Groups {
		targets = append(targets, push.Group(name))
	}
	for _, name := range channels {
		targets = append(targets, push.Channel(name))
	}
	p.live.starting = make(map[push.Target]start, len(targets))
	e.subs = make([]level1.Start, 0, len(targets))
	for _, t := range targets {
		since := q.since(t, e.last)
		p.live.starting[t] = start{since: since}
		e.subs = append(e.subs, level1.Start{Target: t, Since: since})
		p.live.stream.move(t, since.Position)
	}
	e.stream = nil
	p.live.heart = s.streaming.comments.add(c)
	s.streaming.open++
	return true
}

// leaveStream forgets a stream that has begun.
func (s *Server) leaveStream(p *page) {
	s.streaming.comments.remove(p.live.heart)
	s.streaming.open--
}

// tellEvent sends a frame to a stream.
func (s *Server) tellEvent(c *lineman.Conn, st *stream, f frame) {
	retry := time.Duration(0)
	s.scratch = f.Append(s.scratch[:0])
	switch f := f.(type) {
	case level1.Welcome:
		retry = soon()
	case level1.Bye:
		if isFinal(f.Code) {
			s.say(c, appendEvent(nil, strconv.AppendInt([]byte(endID), int64(f.Code), 10), f.Retry, s.scratch))
			return
		}
		retry = f.Retry
		if retry == 0 {
			retry = soon()
		}
	case level1.Passed:
		st.move(f.Channel, f.Position)
	case level1.Unsubscribed:
		st.forget(f.Channel)
	}
	s.say(c, s.event(st, retry, s.scratch))
}

// tellBegun tells a stream that it is in a target, and what it has missed there. It stands before what it has not got
// yet.
func (s *Server) tellBegun(c *lineman.Conn, st *stream, begun level1.Subscribed, missed []push.Stored) {
	at := begun.Position
	if len(missed) > 0 {
		at = missed[0].Position
		at.Offset--
	}
	if (at == push.Position{}) {
		st.forget(begun.Channel)
	} else {
		st.move(begun.Channel, at)
	}
	s.boundID(c, st)
	s.tellEvent(c, st, begun)
	for _, m := range missed {
		st.move(begun.Channel, m.Position)
		s.say(c, s.event(st, 0, s.replays.frame(begun.Channel, m)))
	}
}

// boundID ends a stream that back ends have put into so many targets that its ids would not come back.
func (s *Server) boundID(c *lineman.Conn, st *stream) {
	if s.streaming.id = level1.AppendEventID(s.streaming.id[:0], st.places); len(s.streaming.id) > 2*maxEventID-512 {
		s.loop.Do(func() { // the Hub is at work
			s.refuse(c, "places", codeForbidden, "it is in too many channels for a stream of events")
		})
	}
}

// tellAll sends a frame about a target to pages, of which streams stand at the position of m then. It returns how many
// have accepted it.
func (s *Server) tellAll(to iter.Seq[*lineman.Conn], of push.Target, m push.Stored, frame outgoing) int {
	if s.streaming.open == 0 {
		return s.send(to, frame)
	}
	s.streaming.audience = s.streaming.audience[:0]
	n := s.send(func(yield func(*lineman.Conn) bool) {
		for c := range to {
			if c.Worker() == s.streams {
				s.streaming.audience = append(s.streaming.audience, c)
			} else if !yield(c) {
				return
			}
		}
	}, frame)
	return n + s.tellStreams(s.streaming.audience, of, m, frame.text)
}

// tellStreams is that for streams. Those whose ids are alike get the same event: they are about this target alone.
func (s *Server) tellStreams(to []*lineman.Conn, of push.Target, m push.Stored, frame []byte) (n int) {
	at, alike := m.Position, to[:0]
	for _, c := range to {
		st := c.Value().(*page).live.stream
		st.move(of, at)
		if st.hasOnly(of) && (at != push.Position{} || len(st.places) == 0) {
			alike = append(alike, c)
			continue
		}
		if event := s.event(st, 0, frame); c.Send(event) == nil {
			n++
			s.slice.work++
			s.charge(1, len(event))
		}
	}
	if len(alike) > 0 {
		n += s.send(slices.Values(alike), s.eventAlone(of, m, frame))
	}
	clear(to)
	return n
}

// eventAlone is an event about a target for streams that have no other one.
func (s *Server) eventAlone(of push.Target, m push.Stored, frame []byte) outgoing {
	one := stream{places: []level1.Place{{Target: of, Position: m.Position}}}
	if m.Forms == nil {
		return outgoing{text: s.event(&one, 0, frame)}
	}
	return sharing(m.Forms, push.FormKey{Kind: eventForm, Of: of}, func() []byte {
		return bytes.Clone(s.event(&one, 0, frame))
	})
}
