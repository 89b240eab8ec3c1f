package server

import (
	"bytes"
	"net"
	"net/netip"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/devpage"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/command"
)

// openDevPage makes the page of dev mode. The addresses are nil where there is no such port.
func (s *Server) openDevPage(lines, api net.Addr) {
	if !s.config.Dev {
		return
	}
	f := devpage.Facts{
		Version: lineman.Version(), Decides: s.decides.connect != nil,
		UIDs: devpage.KeptOf(s.config.History.UIDs), Groups: devpage.KeptOf(s.config.History.Groups),
		Namespaces: make(map[string]devpage.Space),
	}
	if lines != nil {
		f.Push = s.pushCommand(lines)
	}
	if api != nil {
		f.API, f.Key = "http://"+reachable(api), !s.openAPI
	}
	for name, n := range s.config.Namespaces {
		f.Namespaces[name] = devpage.SpaceOf(n)
	}
	s.devPage = devpage.New(f)
}

// reachable is an address of this machine by which it reaches a port of its own.
func reachable(listens net.Addr) string {
	at, err := netip.ParseAddrPort(listens.String())
	if err == nil && at.Addr().IsUnspecified() {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port()).String()
	}
	return listens.String()
}

// devHead decides about a command of the page of dev mode, before its body is read.
func (s *Server) devHead(c *lineman.Conn, r *http1.Request) error {
	err := s.devPage.Head(r, c.RemoteAddr())
	if s.foreignHost(r) {
		err = &lineman.RefuseError{Status: 403, Reason: foreignHostText}
	}
	if err != nil {
		s.guard.refuse("page", "a command of the page of dev mode was refused", "remote", c.RemoteAddr(), "error", err)
	}
	return err
}

// devAnswer is what a request for the page of dev mode is answered; nil: the answer to a command will come.
func (s *Server) devAnswer(c *lineman.Conn, r *http1.Request) *http1.Response {
	if s.foreignHost(r) {
		return &http1.Response{Status: 403, Body: []byte(foreignHostText + "\n")}
	}
	if !devpage.IsCommand(r) {
		return s.devPage.Answer(r)
	}
	name, body, first := devpage.CommandOf(r), bytes.Clone(r.Body()), s.first()
	by := command.Caller{From: &push.Source{Via: "http", Peer: peer{c}}} // it does what the HTTP API does
	answer := func(reply command.Reply) { first.respond(c, &reply) }
	if !first.loop.Do(func() { first.table.Do(body, name, by, answer) }) {
		return &http1.Response{Status: 503, Body: []byte("the server is stopping\n")}
	}
	return nil
}
