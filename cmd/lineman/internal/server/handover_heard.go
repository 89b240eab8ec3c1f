package server

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/lineman-go/lineman/push"
)

// What back ends have heard of pages crosses for all of a loop, as those that stay are closed for them.

const (
	speakerID = iota + 1
	speakerConn
	speakerUID
	speakerSince // nanoseconds of Unix time
	speakerCode
	speakerWhy
	speakerSession
	speakerPlace
)

// ended is a speaker with what is noted at its end.
type ended struct {
	speaker
	id uint64 // of its connection
}

// asItEnds is a speaker as it would end now.
func (s *Server) asItEnds(id uint64, sp *speaker) *ended {
	e := &ended{*sp, id}
	if m := s.hub.Member(id); m != nil {
		e.session, _ = m.Value().(json.RawMessage)
		e.places = placesOf(m)
	}
	return e
}

func (e *ended) appendState(f *saved) {
	f.integer(speakerID, int64(e.id))
	f.text(speakerConn, string(e.conn))
	f.text(speakerUID, e.uid)
	if !e.since.IsZero() {
		f.integer(speakerSince, e.since.UnixNano())
	}
	f.integer(speakerCode, int64(e.code))
	f.text(speakerWhy, e.why)
	f.bytes(speakerSession, e.session)
	for _, place := range e.places {
		f.text(speakerPlace, string(place))
	}
}

func (e *ended) restoreState(state []byte) error {
	return readFields(state, speakerPlace, func(f *field) {
		switch f.number {
		case speakerID:
			e.id = uint64(f.integer())
		case speakerConn:
			e.conn = push.Target(f.text())
		case speakerUID:
			e.uid = f.text()
		case speakerSince:
			e.since = time.Unix(0, f.integer())
		case speakerCode:
			e.code = int(f.integer())
		case speakerWhy:
			e.why = f.text()
		case speakerSession:
			e.session = bytes.Clone(f.bytes())
		case speakerPlace:
			e.places = append(e.places, push.Target(f.text()))
		}
	})
}

// expect notes a page that back ends have heard of, until it has come.
func (s *Server) expect(state []byte) error {
	var e ended
	if err := e.restoreState(state); err != nil {
		return err
	}
	if s.crossing.expected == nil {
		s.crossing.expected = make(map[uint64]*speaker)
	}
	s.crossing.expected[e.id] = &e.speaker
	return nil
}

// arrive has a page that has come be one that back ends have heard of.
func (s *Server) arrive(id uint64) {
	if sp := s.crossing.expected[id]; sp != nil {
		delete(s.crossing.expected, id)
		sp.session, sp.places = nil, nil
		s.hearing.speakers[id] = sp
		s.countSpeakers(1)
	}
}
