package server

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/events"
	"github.com/lineman-go/lineman/push/level1"
)

// call is what a page has asked of a back end. Its name is that of the connection, a dot and its number: no other
// connection has it, and no other call of this one.
//
//	rpc ──▶ waiting ── reply, or the answer of a hook ──▶ answered
//	            ├── nobody has taken it ────────────────▶ 503
//	            └── events.rpc has passed ──────────────▶ 504
type call struct {
	id    int64 // of the request
	until time.Time
	late  *lineman.Timer
	rpc   *rpc // what a hook is asked; nil: listeners are
}

// rpc is what a back end is asked by a call.
type rpc struct {
	method string
	data   []byte // nil: none
	again  bool   // the predecessor may have asked it
}

// askBackEnd asks a back end what a page wants to know: the hook that decides it, or else a listener.
func (s *Server) askBackEnd(c *lineman.Conn, r *level1.Request) *level1.Failure {
	up := s.upstreamOf(s.member(c))
	switch {
	case r.ID == 0:
		return failure(r, level1.CodeMalformed, `rpc wants an "id", by which it is answered`)
	case !up.take():
		return tooMany(r)
	}
	n, waiting := up.nextQuestion(), call{id: r.ID, until: time.Now().Add(s.config.Events.RPC)}
	if s.decides.rpc != nil {
		waiting.rpc = &rpc{method: r.Method, data: bytes.Clone(r.Data)}
	}
	if up.calls == nil {
		up.calls = make(map[uint64]call)
	}
	s.awaitAnswer(c, up, n, waiting)
	if waiting.rpc != nil {
		s.callHook(c, up, n, waiting.rpc)
	} else {
		s.callListener(c, up, n, &rpc{method: r.Method, data: r.Data})
	}
	return nil
}

// callHook has the hook that decides it answer a call.
func (s *Server) callHook(c *lineman.Conn, up *upstream, n uint64, r *rpc) {
	s.askRPC(s.member(c), up.question(n), r, func(data []byte, wrong *level1.Failure) {
		if wrong != nil {
			s.endCall(c, up, n, *wrong)
		} else {
			s.endCall(c, up, n, level1.Replied{Data: data})
		}
	})
}

// callListener has a listener answer a call.
func (s *Server) callListener(c *lineman.Conn, up *upstream, n uint64, r *rpc) {
	e := events.Event{
		Kind: events.RPC, Conn: up.conn, Call: up.question(n), Method: r.method, Data: r.data, Again: r.again,
	}
	e.Receipt = e.Call
	s.emit(s.member(c), &e, s.called(c, up, n))
}

// nextQuestion is the number of another question to a back end.
func (up *upstream) nextQuestion() uint64 {
	up.lastCall++
	return up.lastCall
}

// question is the name of a question, as of a call.
func (up *upstream) question(n uint64) string {
	return string(up.conn) + "." + strconv.FormatUint(n, 10)
}

// called ends a call that no back end has taken.
func (s *Server) called(c *lineman.Conn, up *upstream, n uint64) func(error) {
	return func(err error) {
		if err != nil {
			s.endCall(c, up, n, level1.Failure{Code: level1.CodeUnavailable, Text: untaken(err)})
		}
	}
}

// awaitAnswer has a call end that is not answered in time.
func (s *Server) awaitAnswer(c *lineman.Conn, up *upstream, n uint64, waiting call) {
	waiting.late = c.After(time.Until(waiting.until), func() {
		s.endCall(c, up, n, level1.Failure{Code: level1.CodeTimeout, Text: "the back end has not answered in time"})
	})
	up.calls[n] = waiting
}

// endCall answers a call by a Replied or a Failure, unless it was answered before, and reports whether it was not.
func (s *Server) endCall(c *lineman.Conn, up *upstream, n uint64, answer frame) bool {
	waiting, known := up.calls[n]
	if !known {
		return false
	}
	delete(up.calls, n)
	up.unanswered--
	waiting.late.Stop()
	s.speaking.ended[resultOf(answer)]++
	if s.member(c) == nil {
		return true
	}
	switch a := answer.(type) {
	case level1.Replied:
		a.ID = waiting.id
		s.tell(c, a)
	case level1.Failure:
		a.ID = waiting.id
		s.tell(c, a)
	}
	return true
}

// answerCall answers the call of a page of this process as a back end says: by data, or without it by a text of what is
// wrong and a code, where 0 means 500. data is on loan. It reports whether somebody waits for it.
func (s *Server) answerCall(name string, data json.RawMessage, code int, text string) (known bool) {
	at := strings.LastIndexByte(name, '.')
	if at < 0 {
		return false
	}
	n, err := strconv.ParseUint(name[at+1:], 10, 64)
	if err != nil {
		return false
	}
	for m := range s.hub.Members(push.Target(name[:at])) {
		up := s.speaking.upstreams[m.Conn().ID()]
		switch {
		case up == nil || up.conn != push.Target(name[:at]):
			return false
		case data != nil:
			return s.endCall(m.Conn(), up, n, level1.Replied{Data: data})
		}
		return s.endCall(m.Conn(), up, n, level1.Failure{Code: cmp.Or(code, level1.CodeFailed), Text: text})
	}
	return false
}
