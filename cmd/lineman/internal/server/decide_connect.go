package server

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
	"github.com/lineman-go/lineman/push/hook"
	"github.com/lineman-go/lineman/push/level1"
)

// nobody are Credentials where a hook alone tells who a page is, or where pages show the key of an app alone.
type nobody struct{}

var errTokenless = errors.New("server: no token key is there")

func (nobody) IsQuick() bool { return true }

func (nobody) Verify(context.Context, string) (Identity, error) { return Identity{}, errTokenless }

func (nobody) Revoke(context.Context, string, time.Time) error { return nil }
func (nobody) Learn(string, time.Time)                         {}
func (nobody) Revoked() map[string]int64                       { return nil }
func (nobody) Refresh(context.Context) ([]string, bool, error) { return nil, false, nil }
func (nobody) Close() error                                    { return nil }

// toldHeaders are those that a hook is told of a page's request.
var toldHeaders = []string{"cookie", "authorization", "user-agent", "accept-language"}

// connectQuestion is what a hook is told of a page's request. The rest is known when it is asked.
func (s *Server) connectQuestion(r *http1.Request) *hook.Connect {
	q := &hook.Connect{
		Host: string(r.Host()), Path: string(r.Path()), Query: string(r.Query()), Origin: string(r.Header("Origin")),
	}
	for _, name := range toldHeaders {
		separator := ", "
		if name == "cookie" {
			separator = "; " // RFC 6265, section 5.4
		}
		var values []string
		for v := range r.Values(name) {
			values = append(values, string(v))
		}
		if value := strings.Join(values, separator); value != "" && s.tells(name, value) {
			q.Headers = append(q.Headers, hook.Field{Name: name, Value: value})
		}
	}
	return q
}

// tells reports whether a hook is told a header. Where any page may connect, what a browser sends by itself is left
// out: a page of another site would be taken for the visitor.
func (s *Server) tells(name, value string) bool {
	switch name {
	case "cookie":
		return s.config.PassesCookies()
	case "authorization":
		scheme, _, _ := strings.Cut(value, " ")
		return s.config.PassesCookies() || strings.EqualFold(scheme, bearer)
	}
	return true
}

// askWho has a hook tell who a page is.
func (s *Server) askWho(c *lineman.Conn, p *page, credential string) {
	revocations := s.revocations
	q := p.login.question
	q.Conn, q.Remote, q.Level, q.Token = s.hub.Name(c), c.RemoteAddr().String(), p.level(), credential
	s.decides.connect.Connect(q, func(l hook.Login, err error) {
		var no *hook.Refusal
		switch {
		case p.login == nil || p.login.left:
		case err == nil && revocations != s.revocations: // it may have been revoked since
			s.login(c, p, credential)
		case err == nil:
			s.addMember(c, p, identityOf(l))
		case errors.As(err, &no):
			s.refuse(c, "hook", websocket.Code(no.Code), no.Why)
		case s.fallsBack(credential):
			s.checkToken(c, p, credential)
		default:
			s.refuse(c, "hook", codeUnchecked, "the application has not told who it is")
		}
	})
}

// fallsBack reports whether a token is checked, as the hook is away.
func (s *Server) fallsBack(credential string) bool {
	_, tokenless := s.who.(nobody)
	return s.decides.connect.allows && !tokenless && credential != ""
}

// identityOf is who a hook says that a page is.
func identityOf(l hook.Login) Identity {
	return Identity{
		UID: l.UID, Channels: l.Channels, Publish: l.Publish, Groups: l.Groups, Expires: l.Expires, Info: l.Info,
		Session: l.Session,
	}
}

// askAgain has a hook tell who another token of a page is of.
func (s *Server) askAgain(c *lineman.Conn, id int64, credential string) {
	revocations := s.revocations
	m := s.member(c)
	q := &hook.Connect{
		Conn: m.Target(), Remote: c.RemoteAddr().String(), Level: 1, UID: m.UID(), Token: credential,
	}
	s.decides.connect.Connect(q, func(l hook.Login, err error) {
		var no *hook.Refusal
		p := c.Value().(*page)
		switch {
		case s.member(c) == nil: // it has gone
			return
		case err == nil && revocations != s.revocations: // it may have been revoked since
			s.askAgain(c, id, credential)
			return
		case errors.Is(err, hook.ErrAway) && s.fallsBack(credential):
			s.verify(c, id, credential)
			return
		}
		delete(s.renewals, c.ID())
		switch {
		case errors.As(err, &no):
			s.tell(c, &level1.Failure{ID: id, Code: level1.CodeUnauthorized, Text: no.Why})
		case err != nil:
			wrong := undecided(err, 0, "")
			wrong.ID = id
			s.tell(c, wrong)
		default:
			s.reauthorize(c, p, id, identityOf(l), nil)
		}
	})
}
