package server

import (
	"iter"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/level1"
)

// followers sends pages of level 1 what the Hub tells of their targets. Owned by the loop.
type followers struct{ server *Server }

// Since is where a page begins: as it has said, or as its address says at level 0.
func (f followers) Since(c *lineman.Conn, of push.Target) push.Since {
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
	p := c.Value().(*page)
	id := p.live.starting[of].id
	if delete(p.live.starting, of); len(p.live.starting) == 0 {
		p.live.starting = nil
	}
	s := f.server
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

// Published encodes a message once for all.
func (f followers) Published(to iter.Seq[*lineman.Conn], of push.Target, m push.Stored) int {
	s := f.server
	s.scratch = level1.Message{Channel: of, Position: m.Position, Data: m.Data}.Append(s.scratch[:0])
	return s.tellAll(to, of, m.Position, s.scratch)
}

// Passed moves the position of a page on.
func (f followers) Passed(c *lineman.Conn, of push.Target, at push.Position) {
	f.server.tell(c, level1.Passed{Channel: of, Position: at})
}

// Missed tells pages of a gap.
func (f followers) Missed(to iter.Seq[*lineman.Conn], of push.Target, why push.Gap, top push.Position) {
	s := f.server
	s.scratch = level1.Missed{Channel: of, Gap: why, Position: top}.Append(s.scratch[:0])
	s.tellAll(to, of, top, s.scratch)
}

// Ended tells a page that a back end has taken it out of a target.
func (f followers) Ended(c *lineman.Conn, of push.Target) {
	f.server.tell(c, level1.Unsubscribed{Channel: of, Why: level1.WhyServer})
}

// frameBatch is some frames on their way to a page in arrays.
type frameBatch struct {
	server *Server
	conn   *lineman.Conn
	open   bool
}

// batchSize is how long an array may be before the next one is begun, in bytes.
const batchSize = 32 << 10

// add adds a frame.
func (b *frameBatch) add(f frame) {
	b.begin()
	b.server.scratch = f.Append(b.server.scratch)
}

// addEncoded adds a frame as it is sent.
func (b *frameBatch) addEncoded(frame []byte) {
	b.begin()
	b.server.scratch = append(b.server.scratch, frame...)
}

// begin writes what stands before a frame. It ends an array that is long.
func (b *frameBatch) begin() {
	s := b.server
	if b.open && len(s.scratch) >= batchSize {
		b.end()
	}
	if b.open {
		s.scratch = append(s.scratch, ',')
	} else {
		s.scratch, b.open = append(s.scratch[:0], '['), true
	}
}

// end sends what was added.
func (b *frameBatch) end() {
	if !b.open {
		return
	}
	b.open = false
	b.server.say(b.conn, append(b.server.scratch, ']'))
}
