package pusher

import (
	"iter"
	"strings"

	"github.com/lineman-go/lineman/push"
)

// What follows is a push.Followers for pages of the Pusher protocol, which have no positions.

// Since is where a page begins with a channel: with its last event, if it is one that keeps that.
func (s *Service[C]) Since(c C, of push.Target) push.Since {
	if name, ok := s.options.Page(c).app.Name(of); ok && KindOf(name).has(Cache) {
		return push.Since{Last: 1}
	}
	return push.Since{}
}

// Begun tells a page that it has a channel. Of a presence channel it is told who is there as well, once that is known.
func (s *Service[C]) Begun(c C, of push.Target, r push.Recovery) {
	p := s.options.Page(c)
	name, ok := p.app.Name(of)
	if !ok || strings.HasPrefix(name, "#") {
		return // nothing that it has asked for
	}
	var last []byte
	if n := len(r.Messages); n > 0 {
		last = r.Messages[n-1].Data
	}
	if j := p.joins(name); j != nil {
		j.begun, j.last = true, last
		return
	}
	if !KindOf(name).has(Presence) {
		s.succeed(c, name)
	}
	s.tellLast(c, p, name, last)
	if n, told := s.hub.Subscribers(of); told { // else all are told in a moment
		s.send(c, func(dst []byte) []byte { return appendCount(dst, name, n) })
	}
}

// tellLast tells a page the last event of a channel, if that is one that keeps it.
func (s *Service[C]) tellLast(c C, p *Page, name string, last []byte) {
	switch {
	case !KindOf(name).has(Cache):
	case last != nil:
		s.send(c, func(dst []byte) []byte { return AppendMessage(dst, name, last) })
	default:
		s.send(c, func(dst []byte) []byte { return appendCacheMiss(dst, name) })
		s.options.Hear(p.app, HookEvent{Name: CacheMiss, Channel: name})
	}
}

// Published tells pages what was published on a channel, encoded once for all.
func (s *Service[C]) Published(to iter.Seq[C], of push.Target, m push.Stored) int {
	name := s.options.Apps.name(of)
	if name == "" {
		return 0
	}
	if kind := KindOf(name); kind.has(Presence) && kind.has(Cache) {
		to = s.overtaking(to, name)
	}
	return s.options.SendAll(to, of, m, func(dst []byte) []byte { return AppendMessage(dst, name, m.Data) })
}

// SubscribersChanged tells pages how many connections have subscribed to a channel: see push.Options. All are of the
// channel's App.
func (s *Service[C]) SubscribersChanged(to iter.Seq[C], in push.Target, n int) {
	name := s.options.Apps.name(in)
	s.options.SendAll(to, in, push.Stored{}, func(dst []byte) []byte { return appendCount(dst, name, n) })
}

// overtaking are pages that get an event of a channel. Those which are not told yet who is there do not get the last
// event before it any more, as it would come after this one.
func (s *Service[C]) overtaking(to iter.Seq[C], name string) iter.Seq[C] {
	return func(yield func(C) bool) {
		for c := range to {
			if j := s.options.Page(c).joins(name); j != nil {
				j.begun = false
			}
			if !yield(c) {
				return
			}
		}
	}
}

// Passed does nothing: a page has no positions.
func (s *Service[C]) Passed(C, push.Target, push.Position) {}

// Missed does nothing: a page is not told of what it has missed.
func (s *Service[C]) Missed(iter.Seq[C], push.Target, push.Gap, push.Position) {}

// Ended tells a page that a back end has taken it out of a channel.
func (s *Service[C]) Ended(c C, of push.Target) {
	p := s.options.Page(c)
	if name, ok := p.app.Name(of); ok && !strings.HasPrefix(name, "#") {
		p.joined(name)
		s.refuse(c, name, ended)
	}
}
