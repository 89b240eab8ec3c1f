package server

import (
	"context"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/level1"
)

// renewal is another credential of a page, while it is checked.
type renewal struct {
	id         int64 // of its request
	credential string
}

// authorize checks another credential of a page, which takes the place of its first one: so a page stays for longer
// than a token does.
func (s *Server) authorize(c *lineman.Conn, r *level1.Request) *level1.Failure {
	if _, renews := s.renewals[c.ID()]; renews {
		return failure(r, level1.CodeBusy, "another token is being checked")
	}
	if s.guard.loginAgain(s.member(c).UID()) != "" {
		return failure(r, level1.CodeTooMany, "too many tokens: come later")
	}
	one := renewal{r.ID, trimmed(r.Token)}
	s.renewals[c.ID()] = one
	s.renew(c, one)
	return nil
}

// renew finds out who has the credential.
func (s *Server) renew(c *lineman.Conn, r renewal) {
	if s.decides.connect != nil {
		s.askAgain(c, r.id, r.credential)
	} else {
		s.verify(c, r.id, r.credential)
	}
}

func (s *Server) verify(c *lineman.Conn, id int64, credential string) {
	if s.who.IsQuick() {
		who, err := s.who.Verify(s.loop.Context(), credential)
		s.verified(c, id, who, err)
		return
	}
	revocations := s.revocations
	go func() {
		ctx, cancel := context.WithTimeout(s.loop.Context(), s.config.Limits.Login)
		defer cancel()
		who, err := s.who.Verify(ctx, credential)
		c.Do(func() {
			if err == nil && revocations != s.revocations { // it may have been revoked since
				s.verify(c, id, credential)
				return
			}
			s.verified(c, id, who, err)
		})
	}()
}

// verified ends what authorize has begun, unless the page has gone.
func (s *Server) verified(c *lineman.Conn, id int64, who Identity, err error) {
	if s.member(c) == nil {
		return
	}
	delete(s.renewals, c.ID())
	s.reauthorize(c, c.Value().(*page), id, who, err)
}

// reauthorize has a credential that was checked take the place of the first one.
func (s *Server) reauthorize(c *lineman.Conn, p *page, id int64, who Identity, err error) {
	switch {
	case err != nil:
		code, reason := refusal(err)
		wrong := &level1.Failure{ID: id, Code: level1.CodeUnauthorized, Text: reason}
		if code == codeUnchecked {
			wrong.Code = level1.CodeUnavailable
		}
		s.tell(c, wrong)
		return
	case who.UID != s.member(c).UID():
		s.tell(c, &level1.Failure{ID: id, Code: level1.CodeForbidden, Text: "it is the token of another uid"})
		return
	}
	before := Identity{Channels: p.live.channels}
	p.live.channels = who.Channels
	s.allowPublishing(c, who.Publish)
	_ = s.member(c).SetInfo(who.Info) // the credential was checked
	if who.Session != nil {
		s.member(c).SetValue(who.Session)
	}
	s.setExpiry(c, p, who.Expires)
	s.tell(c, level1.Authorized{ID: id, Expires: who.Expires})
	for _, name := range s.member(c).Channels() {
		if s.maySubscribe(name, before) && !s.maySubscribe(name, who) {
			s.member(c).Unsubscribe(name)
			p.live.forget(push.Channel(name))
			s.tell(c, level1.Unsubscribed{Channel: push.Channel(name), Why: level1.WhyAuth})
		}
	}
}
