package server

import (
	"errors"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/level1"
)

// What pages of level 1 ask about what they follow.

// subscribe has a page get a channel, or begin anew with a target that it has.
func (s *Server) subscribe(c *lineman.Conn, p *page, r *level1.Request) *level1.Failure {
	if _, starting := p.live.starting[r.Channel]; starting {
		return failure(r, level1.CodeBusy, "the same is under way")
	}
	if p.live.starting == nil {
		p.live.starting = make(map[push.Target]start)
	}
	p.live.starting[r.Channel] = start{since: r.Since, id: r.ID}
	wrong := s.follow(c, p, r)
	if wrong != nil {
		delete(p.live.starting, r.Channel)
	}
	return wrong
}

// follow does it: where the page begins is asked by the Hub.
func (s *Server) follow(c *lineman.Conn, p *page, r *level1.Request) *level1.Failure {
	kind, name := r.Channel.Split()
	if kind == push.ToChannel {
		allowed := s.maySubscribe(name, Identity{Channels: p.live.channels})
		switch {
		case !allowed && s.asksAbout(name):
			return s.askFollow(c, p, r)
		case !allowed || r.Channel.Check() != nil:
			return failure(r, level1.CodeForbidden, "it may not subscribe to it")
		}
	} else if !s.member(c).IsIn(r.Channel) {
		return failure(r, level1.CodeForbidden, "it is not in it")
	}
	return s.enter(c, r)
}

// enter has a page get what is published for a target that it may have.
func (s *Server) enter(c *lineman.Conn, r *level1.Request) *level1.Failure {
	switch err := s.member(c).Follow(r.Channel); {
	case errors.Is(err, push.ErrLimit):
		return failure(r, level1.CodeTooLarge, err.Error())
	case err != nil:
		return failure(r, level1.CodeForbidden, err.Error())
	}
	return nil
}

// unsubscribe ends that.
func (s *Server) unsubscribe(c *lineman.Conn, p *page, r *level1.Request) *level1.Failure {
	kind, name := r.Channel.Split()
	if kind != push.ToChannel {
		return failure(r, level1.CodeForbidden, "only a back end takes it out of it")
	}
	p.live.forget(r.Channel)
	s.member(c).Unsubscribe(name)
	s.tell(c, level1.Unsubscribed{ID: r.ID, Channel: r.Channel})
	return nil
}

// history tells what is kept of a target that the page follows.
func (s *Server) history(c *lineman.Conn, r *level1.Request) *level1.Failure {
	if !s.member(c).IsIn(r.Channel) {
		return failure(r, level1.CodeForbidden, "it has not subscribed to it")
	}
	want := push.Range{Since: r.Since.Position, Limit: r.N, Bytes: s.recoverBytes()}
	if want.Limit == 0 {
		want.Limit = defaultHist
	}
	if r.Since.Last > 0 {
		want.Limit = min(want.Limit, r.Since.Last)
	}
	id, of := r.ID, r.Channel
	return unlessOff(r, s.hub.History(of, want, answering(s, c, r, func(h push.History) frame {
		return level1.History{
			ID: id, Channel: of, Messages: h.Messages, Top: h.Top, Gap: h.Gap, More: isPart(want, h),
		}
	})))
}

// answering gives what the Hub tells of a target to the page that has asked, if that is still in the target.
func answering[T any](s *Server, c *lineman.Conn, r *level1.Request, as func(T) frame) func(T, error) {
	asked := *r
	return func(told T, err error) {
		switch m := s.member(c); {
		case m == nil || !m.IsIn(asked.Channel):
		case err != nil:
			s.tell(c, failure(&asked, level1.CodeUnavailable, err.Error()))
		default:
			s.tell(c, as(told))
		}
	}
}

// unlessOff is the answer to a request about something that the settings of a target do not have; nil if err is.
func unlessOff(r *level1.Request, err error) *level1.Failure {
	if err != nil {
		return failure(r, level1.CodeNotFound, err.Error())
	}
	return nil
}

// defaultHist is how many messages are told where the page does not say.
const defaultHist = 100

// isPart reports whether there is more after the messages of a history.
func isPart(want push.Range, h push.History) bool {
	last := want.Since
	if n := len(h.Messages); n > 0 {
		last = h.Messages[n-1].Position
	}
	return want.Since != push.Position{} && h.Gap == "" && last != h.Top
}
