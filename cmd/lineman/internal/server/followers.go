package server

import (
	"iter"
	"slices"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/level1"
)

// followers sends pages of level 1, and of the Pusher protocol, what the Hub tells of their targets. Owned by the loop.
type followers struct{ server *Server }

// Since is where a page begins: as it has said, or as its address says at level 0.
func (f followers) Since(c *lineman.Conn, of push.Target) push.Since {
	if f.server.speaksPusher(c) {
		return f.server.pusher.Since(c, of)
	}
	p := c.Value().(*page)
	switch {
	case p.live != nil:
		return p.live.starting[of].since
	case p.login != nil:
		return push.Since{Last: p.login.last}
	}
	return push.Since{}
}

// Begun answers sub, with what the page has missed.
func (f followers) Begun(c *lineman.Conn, of push.Target, r push.Recovery) {
	s := f.server
	if s.speaksPusher(c) {
		s.pusher.Begun(c, of, r)
		return
	}
	p := c.Value().(*page)
	id := p.live.starting[of].id
	if delete(p.live.starting, of); len(p.live.starting) == 0 {
		p.live.starting = nil
	}
	begun := level1.Subscribed{ID: id, Channel: of, Position: r.Top, N: len(r.Messages), Gap: r.Gap}
	if st := p.live.stream; st != nil {
		s.tellBegun(c, st, begun, r.Messages)
		s.tellPresence(c, of)
		return
	}
	if !p.live.batch || len(r.Messages) == 0 {
		s.tell(c, begun)
		for _, m := range r.Messages {
			s.say(c, s.replays.frame(of, m))
		}
		return
	}
	b := frameBatch{server: s, conn: c}
	b.add(begun)
	for _, m := range r.Messages {
		b.addEncoded(s.replays.frame(of, m))
	}
	b.end()
}

// Published encodes a message once for all. Pages of the Pusher protocol get only what is for channels of an app. The
// others that are there, few as a rule, are gathered on the way, as the Hub has all be walked over once.
func (f followers) Published(to iter.Seq[*lineman.Conn], of push.Target, m push.Stored) (n int) {
	s := f.server
	if s.apps == nil || !s.apps.Have(of) {
		return s.publishFrame(s.ofLevel1(to), of, m)
	}
	others := s.apart[1][:0]
	n = s.pusher.Published(func(yield func(*lineman.Conn) bool) {
		for c := range to {
			if !s.speaksPusher(c) {
				others = append(others, c)
			} else if !yield(c) {
				return
			}
		}
	}, of, m)
	if len(others) > 0 {
		n += s.publishFrame(slices.Values(others), of, m)
	}
	clear(others)
	s.apart[1] = others
	return n
}

// publishFrame is that for pages of level 1.
func (s *Server) publishFrame(to iter.Seq[*lineman.Conn], of push.Target, m push.Stored) int {
	told := level1.Message{Channel: of, Position: m.Position, Data: m.Data}
	if m.Forms != nil {
		key := push.FormKey{Kind: frameForm, Of: of}
		return s.tellAll(to, of, m, sharing(m.Forms, key, func() []byte { return told.Append(nil) }))
	}
	s.scratch = told.Append(s.scratch[:0])
	return s.tellAll(to, of, m, outgoing{text: s.scratch})
}

// Passed moves the position of a page on.
func (f followers) Passed(c *lineman.Conn, of push.Target, at push.Position) {
	if !f.server.speaksPusher(c) {
		f.server.tell(c, level1.Passed{Channel: of, Position: at})
	}
}

// Missed tells pages of a gap.
func (f followers) Missed(to iter.Seq[*lineman.Conn], of push.Target, why push.Gap, top push.Position) {
	s := f.server
	to = s.ofLevel1(to)
	s.scratch = level1.Missed{Channel: of, Gap: why, Position: top}.Append(s.scratch[:0])
	s.tellAll(to, of, push.Stored{Position: top}, outgoing{text: s.scratch})
}

// Ended tells a page that a back end has taken it out of a target.
func (f followers) Ended(c *lineman.Conn, of push.Target) {
	if f.server.speaksPusher(c) {
		f.server.pusher.Ended(c, of)
		return
	}
	c.Value().(*page).live.forget(of)
	f.server.tell(c, level1.Unsubscribed{Channel: of, Why: level1.WhyServer})
}
