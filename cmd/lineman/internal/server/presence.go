package server

import (
	"iter"
	"maps"
	"slices"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/level1"
)

// presenceModes are the words of the configuration as the Hub knows them.
var presenceModes = map[string]push.PresenceMode{"list": push.PresenceList, "events": push.PresenceEvents}

// presence tells a page who is in a channel that it has subscribed to.
func (s *Server) presence(c *lineman.Conn, r *level1.Request) *level1.Failure {
	if !s.member(c).IsIn(r.Channel) {
		return failure(r, level1.CodeForbidden, "it has not subscribed to it")
	}
	id, in := r.ID, r.Channel
	return unlessOff(r, s.hub.Presence(in, answering(s, c, r, func(p push.Presence) frame {
		return whoIsThere(id, in, p)
	})))
}

// whoIsThere is a presence as pages are told of it, in the order of the uids.
func whoIsThere(id int64, in push.Target, p push.Presence) level1.Presence {
	told := level1.Presence{ID: id, Channel: in, N: p.N, More: p.More}
	if p.More {
		return told
	}
	told.Users = make([]level1.User, 0, len(p.Users))
	for _, uid := range slices.Sorted(maps.Keys(p.Users)) {
		told.Users = append(told.Users, level1.User{UID: uid, Info: p.Users[uid]})
	}
	return told
}

// presenceChanged tells pages who has come to a channel, or gone. It is encoded once.
func (s *Server) presenceChanged(to iter.Seq[*lineman.Conn], in push.Target, e push.PresenceEvent) {
	if s.apps != nil {
		pushers, others := s.split(to)
		defer s.together()
		if len(pushers) > 0 {
			s.pusher.PresenceChanged(slices.Values(pushers), in, e)
		}
		to = slices.Values(others)
	}
	var f frame = level1.Left{Channel: in, UID: e.UID, N: e.N}
	if e.Here {
		f = level1.Joined{Channel: in, UID: e.UID, Info: e.Info, N: e.N}
	}
	s.scratch = f.Append(s.scratch[:0])
	s.tellAll(to, in, push.Stored{}, outgoing{text: s.scratch})
}

// presenceRenewed tells pages who is in a channel, in place of what they know.
func (s *Server) presenceRenewed(to iter.Seq[*lineman.Conn], in push.Target, p push.Presence) {
	if s.apps != nil {
		pushers, others := s.split(to)
		defer s.together()
		if len(pushers) > 0 {
			s.pusher.PresenceRenewed(slices.Values(pushers), in, p)
		}
		to = slices.Values(others)
	}
	s.scratch = whoIsThere(0, in, p).Append(s.scratch[:0])
	s.tellAll(to, in, push.Stored{}, outgoing{text: s.scratch})
}

// tellPresence tells a stream, which cannot ask, who is in a channel that it has begun with.
func (s *Server) tellPresence(c *lineman.Conn, in push.Target) {
	kind, name := in.Split()
	if kind != push.ToChannel || presenceModes[s.namespace(name).Presence] == push.PresenceOff {
		return
	}
	s.loop.Do(func() { // the Hub is at work
		_ = s.hub.Presence(in, func(p push.Presence, err error) { // the channel is right
			if m := s.member(c); err == nil && m != nil && m.IsIn(in) {
				s.tell(c, whoIsThere(0, in, p))
			}
		})
	})
}
