package server

import (
	"fmt"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pusher"
)

// Back ends that have a library of Pusher ask on the port of the HTTP API, where their path says so. No key of that
// port lets them in, but the secret of their app, which signs each request.

// appCall is a request of a back end to the Pusher API, from its head on.
type appCall struct {
	request *pusher.Request
	from    push.Source
}

// appHead decides about such a request before its body is read: its head is signed, and has the hash of the body.
func (s *Server) appHead(c *lineman.Conn, one *caller, r *http1.Request) error {
	request, wrong := s.apps.CheckHead(r.Method(), string(r.Path()), string(r.Query()), time.Now(), &s.apps.replays)
	if wrong != nil {
		s.guard.refuse("app", "a request to the Pusher API was refused", "remote", c.RemoteAddr(), "status",
			wrong.Status, "error", wrong.Text)
		return refusedApp(wrong)
	}
	s.guard.keylessCalls.remove(&one.admission)
	if isEncoded(r.Values("Content-Encoding")) {
		return encodedBody
	}
	if !s.guard.command("app " + request.App.ID) {
		return refusedApp(&pusher.Failure{Status: 429, Text: "too many requests: try again later"})
	}
	one.app = &appCall{request, push.Source{Via: "pusher", Key: request.App.ID, Peer: peer{c}}}
	return nil
}

// refusedApp is the answer to a request that is refused by its head.
func refusedApp(why *pusher.Failure) error {
	return &lineman.RefuseError{Status: why.Status, Reason: why.Text, Header: fieldsForApp(why.Status)}
}

// fieldsForApp are those that an answer of some status needs.
func fieldsForApp(status int) []http1.Field {
	if status == 401 { // no scheme of HTTP would do
		return []http1.Field{{Name: "WWW-Authenticate", Value: "Pusher"}}
	}
	return fieldsFor(status)
}

// callApp answers a request whose head was found right.
func (s *Server) callApp(c *lineman.Conn, call *appCall, body []byte) {
	s.slice.begin(c, len(body))
	s.lag.begin(s.loop, s.slice.began)
	if wrong := call.request.SetBody(body); wrong != nil {
		s.guard.refuse("app", "a request to the Pusher API was refused", "remote", c.RemoteAddr(), "status",
			wrong.Status, "error", wrong.Text)
		respondApp(c, wrong.Status, []byte(wrong.Text))
		return
	}
	if s.options.Claim == nil || !s.claimApp(c, call) {
		s.doApp(c, call)
	}
	if s.slice.isOver() { // others have the loop before the connection's next request
		c.Pause()
		s.slice.next(c.Resume)
	}
}

// doApp does what a request asks.
func (s *Server) doApp(c *lineman.Conn, call *appCall) {
	s.pusher.Do(call.request, &call.from, func(status int, body []byte) {
		s.slice.answered(respondApp(c, status, body))
	})
}

// claimKept is for how long other nodes are to know a request: one may be signed a Window ahead.
const claimKept = 2*pusher.Window + time.Minute

// claimApp does a request if no other node has done it before, and reports whether it has to ask: what changes nothing
// may come again.
func (s *Server) claimApp(c *lineman.Conn, call *appCall) bool {
	mark, at := call.request.Mark()
	if mark == "" {
		return false
	}
	go func() {
		known, err := s.options.Claim(s.loop.Context(), fmt.Sprint("pusher:", at), mark, claimKept)
		s.loop.Do(func() { s.claimed(c, call, known, err) })
	}()
	return true
}

// claimed does a request, unless it is a replay or nobody can tell.
func (s *Server) claimed(c *lineman.Conn, call *appCall, known time.Duration, err error) {
	wrong := call.request.Known(known)
	switch {
	case err != nil:
		wrong = &pusher.Failure{Status: 503, Text: push.ErrUnlinked.Error()}
		s.log.Debug("lineman: a request to the Pusher API could not be claimed", "error", err)
	case s.crossing.over:
		wrong = &pusher.Failure{Status: 503, Text: push.ErrClosed.Error()}
	}
	if wrong != nil {
		s.guard.refuse("app", "a request to the Pusher API was refused", "remote", c.RemoteAddr(), "status",
			wrong.Status, "error", wrong.Text)
		respondApp(c, wrong.Status, []byte(wrong.Text))
		return
	}
	s.doApp(c, call)
}

// respondApp answers a request, and returns how many bytes the answer has.
func respondApp(c *lineman.Conn, status int, body []byte) int {
	answer := &http1.Response{Status: status, Type: "application/json", Body: body}
	if status != 200 {
		answer.Type, answer.Header = "text/plain; charset=utf-8", fieldsForApp(status)
	}
	_ = c.Respond(answer) // it may have closed
	return len(body)
}
