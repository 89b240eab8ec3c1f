package server

import (
	"errors"
	"slices"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/hook"
	"github.com/lineman-go/lineman/push/level1"
)

// A hook that decides subscribe is asked about channels that neither their namespace nor the credential of a page
// allows: not about those of a namespace in which nobody may subscribe.

// mostAsking is how many channels of a page are asked about at a time. The others wait.
const mostAsking = 8

// asksAbout reports whether a hook is asked about a channel that is not allowed otherwise.
func (s *Server) asksAbout(channel string) bool {
	return s.decides.subscribe != nil && s.namespace(channel).Subscribe != "none" &&
		push.Channel(channel).Check() == nil
}

// askFollow has a hook decide whether a page may follow a channel.
func (s *Server) askFollow(c *lineman.Conn, p *page, r *level1.Request) *level1.Failure {
	switch {
	case len(p.live.starting) > s.config.Limits.Places:
		return failure(r, level1.CodeTooMany, "too many channels at once")
	case p.live.asking == mostAsking:
		p.live.waiting = append(p.live.waiting, level1.Start{Target: r.Channel, Since: r.Since})
		return nil
	}
	asked := *r
	_, name := r.Channel.Split()
	q := &hook.Subscribe{Conn: s.hub.Name(c), UID: s.member(c).UID(), Channel: name}
	begun := p.live.starting[r.Channel]
	begun.question = q
	p.live.starting[r.Channel] = begun
	p.live.asking++
	s.decides.subscribe.Subscribe(q, func(err error) {
		p.live.asking--
		if s.member(c) != nil && p.live.starting[asked.Channel].question == q { // it has not given it up
			s.followDecided(c, p, &asked, err)
		}
		s.enterWaiting(c, p)
	})
	return nil
}

// followDecided has a page follow a channel, if it was decided that it may.
func (s *Server) followDecided(c *lineman.Conn, p *page, r *level1.Request, err error) {
	wrong := undecided(err, level1.CodeForbidden, "it may not subscribe to it")
	switch {
	case wrong == nil:
		wrong = s.enter(c, r)
	case wrong.Code == level1.CodeForbidden:
		s.member(c).Unsubscribe(string(r.Channel)) // from before
	}
	if wrong != nil {
		wrong.ID, wrong.Channel = r.ID, r.Channel
		delete(p.live.starting, r.Channel)
		s.tell(c, wrong)
	}
}

// askChannels has a hook decide about the channels that a page of level 0 asks for and that are not allowed otherwise,
// and reports whether there are any. Then the page logs in when it may have them all.
func (s *Server) askChannels(c *lineman.Conn, p *page, who Identity) (asked bool) {
	var names []string
	for _, name := range p.login.channels {
		if !s.maySubscribe(name, who) && s.asksAbout(name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 || len(names) > s.config.Limits.Places {
		return false
	}
	s.askAbout(c, p, who, names)
	return true
}

// askAbout asks about some channels. What the answers need is on the heap: it is not made for pages that ask nothing.
func (s *Server) askAbout(c *lineman.Conn, p *page, who Identity, names []string) {
	left, revocations := len(names), s.revocations
	for _, name := range names {
		q := &hook.Subscribe{Conn: s.hub.Name(c), UID: who.UID, Channel: name}
		s.decides.subscribe.Subscribe(q, func(err error) {
			left--
			switch {
			case p.login == nil || p.login.left: // refused, or gone
			case errors.Is(err, hook.ErrAway), revocations != s.revocations: // its uid may be among them
				s.refuse(c, "hook", codeUnchecked, "the application has not told what it may")
			case err != nil:
				s.refuse(c, "channel", codeForbidden, undecided(err, 0, "it may not subscribe to it").Text)
			case left == 0:
				who.Channels = append(slices.Clone(who.Channels), names...)
				s.enterMember(c, p, who)
			}
		})
	}
}
