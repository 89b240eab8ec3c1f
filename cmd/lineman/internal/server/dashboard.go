package server

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/admin"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/command"
)

// openDashboard makes the dashboard, which the port for operators serves.
func (s *Server) openDashboard() {
	a := s.config.Admin
	_, port, _ := net.SplitHostPort(a.Listen)
	o := admin.Options{
		Loop: s.loop, Log: s.log, Do: s.doFor, Find: s.find, May: s.guard.mayLogIn,
		Past: s.Past, Now: s.Figures,
		Open:     s.config.Dev && s.isOpenAdmin(),
		Password: a.Password, Readonly: a.Readonly, Port: port,
		Refused: func(what, remote string) {
			s.guard.refuse("key", "an operator was turned away: "+what, "remote", remote)
		},
	}
	for _, k := range s.keys {
		if slices.Contains(k.permit.Scopes, command.Admin) {
			o.Keys = append(o.Keys, admin.Key{Hash: k.hash, Permit: k.permit})
		}
	}
	s.dashboard = admin.New(o)
}

// dashboardHead is operatorHead for the dashboard, which has a way of its own to know who asks.
func (s *Server) dashboardHead(c *lineman.Conn, r *http1.Request) error {
	if !s.knowsHost(string(r.Host())) {
		return s.foreignOperator(c)
	}
	known, err := s.dashboard.Head(r)
	if known {
		s.guard.keylessOperators.remove(c.Value().(*admission))
	}
	var refused *lineman.RefuseError
	if errors.As(err, &refused) && refused.Status != http.StatusUnauthorized { // who has to log in does nothing wrong
		s.guard.refuse("page", "a request to the dashboard was refused", "remote", c.RemoteAddr(), "error",
			refused.Reason)
	}
	return err
}

// doFor runs a command of the dashboard.
func (s *Server) doFor(body []byte, name string, by command.Caller, done func(command.Reply)) {
	if !s.mayAsk(by.Permit) {
		done(tooManyCommands)
		return
	}
	s.table.Do(body, name, by, done)
}

// describe tells of a connection.
func (s *Server) describe(m *push.Member[*lineman.Conn]) admin.Conn {
	c := m.Conn()
	p, stats := pageOf(c), c.Stats()
	told := admin.Conn{
		Conn: m.Target(), UID: m.UID(), Remote: c.RemoteAddr().String(), Level: p.level(),
		Protocol: s.protocolOf(c), Stream: c.Worker() == s.streams, Groups: m.Groups(), Channels: m.Channels(),
		Sent: stats.MessagesOut, Bytes: stats.BytesOut, Waits: stats.Pending,
	}
	if p.came != 0 {
		told.Since = time.Unix(int64(p.came), 0)
	}
	if p.end != 0 {
		told.Expires = time.Unix(int64(p.end), 0)
	}
	if s.options.Broker != nil {
		told.Node = s.nodes.name
	}
	return told
}
