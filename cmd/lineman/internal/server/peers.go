package server

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/command"
)

// What the processes of a cluster tell each other about events: answers to calls of pages, which have a field reply,
// and what Dispatchers tell each other.

// remoteReply is the answer of a back end to the call of a page of another process.
type remoteReply struct {
	Reply *command.CallAnswer `json:"reply"`
	Call  string              `json:"call"`
}

// joinPeers has listeners of other processes hear of the pages here, and those here of theirs.
func (s *Server) joinPeers() {
	if s.options.Broker != nil {
		s.hearing.dispatcher.Join(s.hub.ID(), s.hub.Tell, s.connectAgain)
	}
}

// toldByPeer takes what another process tells.
func (s *Server) toldByPeer(node string, what json.RawMessage) {
	var told struct {
		remoteReply
		Bye bool // of its Dispatcher, which is the last that a process tells
	}
	if json.Unmarshal(what, &told) == nil {
		if r := told.Reply; r != nil {
			s.answerCall(told.Call, r.Data, r.Code, r.Text)
			return
		}
		if told.Bye {
			s.nodes.heard.Leave(node)
		}
	}
	s.hearing.dispatcher.Told(node, what)
}

// reply gives a page what a back end answers to its call, wherever the page is.
func (s *Server) reply(call string, a command.CallAnswer, done func(error)) {
	node, _, _ := strings.Cut(strings.TrimPrefix(call, "c:"), ".")
	if one := s.owning(push.Target(call)); one != nil && one != s {
		one.answerFrom(s, call, a, done)
		return
	}
	if s.options.Broker == nil || node == s.hub.ID() || node == "" {
		if !s.answerCall(call, a.Data, a.Code, a.Text) {
			done(command.ErrNoCall)
			return
		}
		done(nil)
		return
	}
	what, err := json.Marshal(remoteReply{&a, call})
	if err != nil { // it was read as JSON
		done(command.ErrNoCall)
		return
	}
	s.hub.Tell(node, what, done)
}

// answerFrom is reply for the page of another loop than that which asks.
func (s *Server) answerFrom(asking *Server, call string, a command.CallAnswer, done func(error)) {
	a.Data = slices.Clone(a.Data) // it is on loan
	s.loop.Do(func() {
		var err error
		if !s.answerCall(call, a.Data, a.Code, a.Text) {
			err = command.ErrNoCall
		}
		asking.loop.Do(func() { done(err) })
	})
}

// connectAgain tells that the pages are there which others have told as closed.
func (s *Server) connectAgain() {
	for m := range s.hub.Members(push.Everyone) {
		s.emitConnect(m, true)
	}
}
