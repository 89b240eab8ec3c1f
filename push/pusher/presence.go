package pusher

import (
	"errors"
	"iter"
	"strings"

	"github.com/lineman-go/lineman/push"
)

// How a page comes to a presence channel:
//
//	subscribe ──▶ count ──▶ (full: is it there already?) ──▶ enter ──▶ list ──▶ subscription_succeeded ──▶ changes
//
// What has changed before the list came is in the list. So a page applies changes to the list, and has the truth.

// join has a page come to a presence channel.
func (s *Service[C]) join(c C, p *Page, name string, j *joining) {
	p.join(name, j)
	in := p.app.Channel(name)
	err := s.hub.CountPresent([]push.Target{in}, func(n []int, err error) {
		switch {
		case p.joins(name) != j: // it has changed its mind
		case err == nil && n[0] >= p.app.maxMembers():
			s.joinFull(c, p, name, j)
		default: // if it is not known how many are there, it may come
			s.enter(c, p, name, j)
		}
	})
	if err != nil { // the Hub was given other namespaces
		s.refuseJoin(c, p, name, placeRefusal(err))
	}
}

// joinFull lets a page into a channel that is full if its user is there already.
func (s *Service[C]) joinFull(c C, p *Page, name string, j *joining) {
	_ = s.hub.Presence(p.app.Channel(name), func(there push.Presence, err error) { // the channel is right
		_, known := there.Users[j.id]
		switch {
		case p.joins(name) != j:
		case err != nil:
			s.refuseJoin(c, p, name, unavailable)
		case !known:
			s.refuseJoin(c, p, name, full)
		default:
			s.enter(c, p, name, j)
		}
	})
}

// enter has a page be present in a channel.
func (s *Service[C]) enter(c C, p *Page, name string, j *joining) {
	m := s.hub.Member(c.ID())
	if m == nil {
		return // it has gone
	}
	in := p.app.Channel(name)
	if err := m.SubscribeAs(string(in), j.id, j.info); err != nil {
		s.refuseJoin(c, p, name, placeRefusal(err))
		return
	}
	s.list(c, p, name, j, mostTries)
}

// mostTries is how often it is asked who is in a channel, if nodes do not answer.
const mostTries = 3

// list tells a page who is in a channel where it is present.
func (s *Service[C]) list(c C, p *Page, name string, j *joining, tries int) {
	_ = s.hub.Presence(p.app.Channel(name), func(there push.Presence, err error) { // likewise
		m := s.hub.Member(c.ID())
		switch {
		case p.joins(name) != j || m == nil:
		case errors.Is(err, push.ErrUnlinked): // PresenceRenewed tells it when the link is up
		case err != nil && tries > 1:
			s.list(c, p, name, j, tries-1)
		case err != nil:
			m.Unsubscribe(string(p.app.Channel(name)))
			s.refuseJoin(c, p, name, unavailable)
		default:
			data := members(there)
			s.send(c, func(dst []byte) []byte { return appendSucceeded(dst, name, data) })
			s.begun(c, p, name, j)
		}
	})
}

// refuseJoin tells a page that it does not come to a presence channel.
func (s *Service[C]) refuseJoin(c C, p *Page, name string, r *refusal) {
	p.joined(name)
	if s.hub.Member(c.ID()) != nil {
		s.refuse(c, name, r)
	}
}

// begun notes that a page knows who is in a channel that it has come to.
func (s *Service[C]) begun(c C, p *Page, name string, j *joining) {
	p.joined(name)
	if j.begun {
		s.tellLast(c, p, name, j.last)
	}
}

// PresenceChanged tells pages who has come to a channel, or gone: see push.Options. All are of the channel's App.
func (s *Service[C]) PresenceChanged(to iter.Seq[C], in push.Target, e push.PresenceEvent) {
	name := s.options.Apps.name(in)
	if name == "" {
		return
	}
	if watched, found := strings.CutPrefix(name, onlinePrefix); found {
		s.tellWatchers(to, in, watched, e.Here)
		return
	}
	s.options.SendAll(s.told(to, name), in, push.Stored{}, func(dst []byte) []byte {
		return appendMember(dst, name, e)
	})
}

// PresenceRenewed tells pages who is in a channel, in place of what they know: see push.Options.
func (s *Service[C]) PresenceRenewed(to iter.Seq[C], in push.Target, there push.Presence) {
	name := s.options.Apps.name(in)
	if name == "" {
		return
	}
	if watched, found := strings.CutPrefix(name, onlinePrefix); found {
		s.tellWatchers(to, in, watched, there.N > 0)
		return
	}
	data := members(there)
	s.options.SendAll(to, in, push.Stored{}, func(dst []byte) []byte { return appendSucceeded(dst, name, data) })
	for c := range to {
		if p := s.options.Page(c); p.joins(name) != nil {
			s.begun(c, p, name, p.joins(name))
		}
	}
}

// told are the pages that know who is in a channel.
func (s *Service[C]) told(to iter.Seq[C], name string) iter.Seq[C] {
	return func(yield func(C) bool) {
		for c := range to {
			if s.options.Page(c).joins(name) == nil && !yield(c) {
				return
			}
		}
	}
}
