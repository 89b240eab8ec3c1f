package server

import (
	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/push/events"
)

// hearsPlain reports whether what pages of level 0 say goes to back ends.
func (s *Server) hearsPlain() bool { return s.config.Events.Messages == config.ToBackEnd }

// awaitLogin has a page of level 0 not be read while its credential is checked: what it says meanwhile waits in the
// kernel, and is an event then.
func (s *Server) awaitLogin(c *lineman.Conn, p *page) {
	if p.live == nil && s.hearsPlain() {
		c.Pause()
	}
}

// sayPlain tells back ends what a page of level 0 says, as its exact bytes.
func (s *Server) sayPlain(c *lineman.Conn, msg []byte) {
	m := s.member(c)
	switch {
	case m == nil:
		return // it is told to go
	case s.crossing.over: // nobody would hear it
		s.closeWith(c, int(codeRestart), comeAgain)
		return
	}
	form := events.Text
	if c.Binary() {
		form = events.Binary
	}
	s.emit(m, &events.Event{Kind: events.Message, Conn: m.Target(), Data: msg, Form: form}, nil)
}
