package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/hook"
	"github.com/lineman-go/lineman/push/level1"
	"github.com/lineman-go/lineman/push/token"
)

// page is the state of a page's connection.
//
//	           a credential comes            it is good
//	waiting ───────────────────▶ verifying ───────────▶ member ────▶ gone
//	   │                            └── it is not: refusal ├── it has expired: 4200
//	   └── none within limits.login: 4104                  └── it reads too slowly: 4102
type page struct {
	login *login      // nil once it is a member
	ip    string      // what is counted by; empty if it is not
	live  *live       // nil at level 0
	end   uint32      // its key in expiries; 0 means none
	came  uint32      // Unix time at which it has logged in; 0 means before anybody noted that
	spent tokenBucket // messages that it has sent
}

// level is 1 for a page that has agreed on it, or gets server-sent events.
func (p *page) level() int {
	if p.live != nil {
		return 1
	}
	return 0
}

// login is the state of a login, until the page is a member.
type login struct {
	credential string         // from the handshake; empty if it is to come by the first frame
	channels   []string       // that it asks for
	hello      bool           // it asks for the name of its connection
	last       int            // how many of the last messages it asks for, at level 0
	id         int64          // of its hello, at level 1
	heartbeat  bool           // it asks for heartbeats, likewise
	subs       []level1.Start // what it asks for, likewise; nil: nothing was said
	question   *hook.Connect  // for a hook that tells who it is; nil: there is none
	stream     *streamRequest // for server-sent events, until they begin; nil: it is for none
	refusal    string         // why it is refused, as it has a spare slot only; empty if it has its own
	counted    string         // the uid that the guard counts for it; empty: it does not, or the Hub tells when it goes
	verifying  bool
	left       bool // the connection can no longer be sent to
	late       *lineman.Timer
}

// login finds out who has a credential.
func (s *Server) login(c *lineman.Conn, p *page, credential string) {
	p.login.verifying, p.login.credential = true, credential
	s.awaitLogin(c, p)
	if !s.informed {
		s.hold(c, p, credential)
		return
	}
	if s.decides.connect != nil {
		s.askWho(c, p, credential)
		return
	}
	if everybody, ok := s.who.(anybody); ok {
		s.addMember(c, p, everybody.identity(credential))
		return
	}
	s.checkToken(c, p, credential)
}

// checkToken finds out who has a token. A goroutine for it would cost more than the check of one that is quick.
func (s *Server) checkToken(c *lineman.Conn, p *page, credential string) {
	if s.who.IsQuick() {
		who, err := s.who.Verify(s.loop.Context(), credential)
		s.checked(c, p, who, err)
		return
	}
	revocations := s.revocations
	go func() {
		ctx, cancel := context.WithTimeout(s.loop.Context(), s.config.Limits.Login)
		defer cancel()
		who, err := s.who.Verify(ctx, credential)
		c.Do(func() {
			if err == nil && revocations != s.revocations && !p.login.left { // it may have been revoked since
				s.login(c, p, credential)
				return
			}
			s.checked(c, p, who, err)
		})
	}()
}

// checked makes a page a member whose credential is good, and refuses another.
func (s *Server) checked(c *lineman.Conn, p *page, who Identity, err error) {
	switch {
	case p.login.left:
	case err != nil:
		s.guard.refuseCredential(token.Reason(err))
		code, reason := refusal(err)
		s.refuse(c, "credential", code, reason, append(ofWhom(err), "error", err)...)
	default:
		s.addMember(c, p, who)
	}
}

// ofWhom says, for the log, whose a credential is that a key has signed and that is refused.
func ofWhom(err error) []any {
	var refused *token.RefusedError
	if errors.As(err, &refused) && refused.UID != "" {
		return []any{"uid", refused.UID}
	}
	return nil
}

// addMember makes a page a member.
func (s *Server) addMember(c *lineman.Conn, p *page, who Identity) {
	if s.crossing.over {
		s.closeWith(c, int(codeRestart), comeAgain)
		return
	}
	if err := push.UID(who.UID).Check(); err != nil {
		s.refuse(c, "credential", codeUnauthorized, "a uid has 1 to 255 bytes of text")
		return
	}
	if why := s.guard.login(who.UID, s.hub.Count(push.UID(who.UID)), p.login); why != "" {
		s.refuse(c, why, codeTooMany, retryLater)
		return
	}
	if p.live != nil || !s.askChannels(c, p, who) {
		s.enterMember(c, p, who)
	}
}

// enterMember makes a page a member about which all is known.
func (s *Server) enterMember(c *lineman.Conn, p *page, who Identity) {
	c.Resume() // what it has said since it has shown its credential counts now
	add := s.addPlain
	if p.live != nil {
		add = s.addLive
	}
	if add(c, p, who) {
		s.setExpiry(c, p, who.Expires)
	}
}

// addPlain makes a page of level 0 a member, and reports whether it is one now.
func (s *Server) addPlain(c *lineman.Conn, p *page, who Identity) bool {
	channels, err := s.channels(p.login.channels, who)
	if err != nil {
		s.refuse(c, "channel", codeForbidden, err.Error())
		return false
	}
	if p.login.hello {
		_ = c.Send([]byte(fmt.Sprintf(`{"conn":%q}`, s.hub.Name(c)))) // it may have closed
	}
	m, err := s.hub.Add(c, who.UID)
	if err == nil {
		p.login.joined()
		err = introduce(m, who)
	}
	for _, name := range channels {
		if err == nil {
			err = m.Subscribe(name)
		}
	}
	return s.endLogin(c, p, m, who, len(channels), err)
}

// joined notes that the page is a member: when it goes, the Hub tells the guard.
func (e *login) joined() { e.counted = "" }

// introduce notes what the credential of a page says: its info, its session, and its groups.
func introduce(m *push.Member[*lineman.Conn], who Identity) error {
	err := m.SetInfo(who.Info)
	if who.Session != nil {
		m.SetValue(who.Session)
	}
	for _, name := range who.Groups {
		if err == nil {
			err = m.Join(name)
		}
	}
	return err
}

// endLogin has the login of a page end well, unless something is wrong with its groups or channels.
func (s *Server) endLogin(
	c *lineman.Conn, p *page, m *push.Member[*lineman.Conn], who Identity, channels int, err error,
) bool {
	if err != nil {
		if m != nil {
			s.hub.Remove(m)
		}
		code, reason := s.placeRefusal(err, len(who.Groups)+channels)
		s.refuse(c, "places", code, reason, "uid", who.UID, "error", err)
		return false
	}
	s.hub.Replay(m)
	s.loggedIn(c, p)
	return true
}

// member is that of a page; nil before it has logged in, and once it gets nothing any more.
func (s *Server) member(c *lineman.Conn) *push.Member[*lineman.Conn] { return s.hub.Member(c.ID()) }

// loggedIn ends the login of a page that is a member now.
func (s *Server) loggedIn(c *lineman.Conn, p *page) {
	p.login.leave()
	p.login, p.came = nil, uint32(time.Now().Unix())
	s.guard.known(p)
	s.beginSpeaking(c)
}

// leave ends the login, and its timer.
func (e *login) leave() {
	e.left = true
	if e.late != nil {
		e.late.Stop()
	}
}

// channels are those that a page gets: what it asks for and may have. If it asks for nothing, they are those that its
// credential names in full, as far as namespaces allow them.
func (s *Server) channels(asked []string, who Identity) (named []string, err error) {
	if len(asked) == 0 {
		for _, name := range who.Channels {
			if !strings.HasSuffix(name, "*") && s.maySubscribe(name, who) {
				named = append(named, name)
			}
		}
		return named, nil
	}
	for _, name := range asked {
		if err := push.Channel(name).Check(); err != nil || !s.maySubscribe(name, who) {
			return nil, fmt.Errorf("it may not subscribe to %.80q", name)
		}
	}
	return asked, nil
}

// maySubscribe tells what the namespace of a channel and the credential say.
func (s *Server) maySubscribe(channel string, who Identity) bool {
	switch s.namespace(channel).Subscribe {
	case "all":
		return true
	case "none":
		return false
	}
	return push.Match(who.Channels, channel)
}
