package server

import (
	"maps"
	"slices"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/internal/fields"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/events"
)

// Pages that cross, of all kinds: with their WebSocket, with half a handshake, and those that get server-sent events.

const (
	crossPage = iota + 1
	crossMember
	crossUpstream
	crossAwaited // its credential is awaited
	crossHeart   // in how many seconds it gets a heartbeat
	crossPusher  // what package pusher knows of it
	crossRenewal
)

// savePage is a page as bytes, or why it stays.
func (s *Server) savePage(c *lineman.Conn) ([]byte, error) {
	p := pageOf(c)
	if err := p.mayCross(); err != nil {
		return nil, err
	}
	f := s.crossing.page[:0]
	f.nested(crossPage, p.appendState)
	if one, is := c.Value().(*pusherPage); is {
		if one.speaks == nil {
			return nil, errRefused
		}
		f.add(crossPusher, one.speaks.Append(nil))
	}
	if m := s.member(c); m != nil {
		member, err := s.hub.AppendMember(s.crossing.member[:0], m)
		if err != nil {
			return nil, err
		}
		s.crossing.member = member
		f.add(crossMember, member)
	} else if p.login == nil {
		return nil, errRefused
	}
	if up := s.speaking.upstreams[c.ID()]; up != nil {
		if err := up.mayCross(); err != nil {
			return nil, err
		}
		f.nested(crossUpstream, func(f *saved) { up.appendState(f, time.Now()) })
	}
	f.flag(crossAwaited, p.login != nil && p.login.late != nil && !p.login.verifying)
	if r, renews := s.renewals[c.ID()]; renews {
		f.nested(crossRenewal, r.appendState)
	}
	if p.live != nil && p.live.heart != nil {
		f.integer(crossHeart, int64(s.heartsOf(p).dueIn(p.live.heart)))
	}
	s.crossing.saved, s.crossing.page = append(s.crossing.saved, c), f
	return f, nil
}

// heartsOf are those that a page of level 1 is among.
func (s *Server) heartsOf(p *page) *heartbeats {
	if p.live.stream != nil {
		return &s.streaming.comments
	}
	return &s.heartbeats
}

// crossedPage is what savePage has said, taken apart.
type crossedPage struct {
	page     *page
	member   []byte    // on loan; nil: it has not logged in
	pusher   []byte    // likewise; nil: it is another one
	upstream *upstream // nil: it has none
	awaited  bool
	heart    int      // 0: it gets none
	renewal  *renewal // nil: no other credential is being checked
}

func (x *crossedPage) restoreState(value []byte) error {
	err := readFields(value, crossRenewal, func(f *field) {
		switch f.number {
		case crossPage:
			x.page = &page{}
			f.take(x.page.restoreState(f.bytes()))
		case crossMember:
			x.member = f.bytes()
		case crossUpstream:
			x.upstream = &upstream{}
			f.take(x.upstream.restoreState(f.bytes(), time.Now()))
		case crossAwaited:
			x.awaited = f.flag()
		case crossHeart:
			x.heart = int(f.integer())
		case crossPusher:
			x.pusher = f.bytes()
		case crossRenewal:
			x.renewal = &renewal{}
			f.take(x.renewal.restoreState(f.bytes()))
		}
	})
	if err == nil && (x.page == nil || (x.page.login == nil) == (x.member == nil)) {
		err = fields.ErrMalformed
	}
	if err == nil && x.renewal != nil && (x.member == nil || x.page.live == nil) {
		err = fields.ErrMalformed
	}
	return err
}

const (
	renewalID = iota + 1
	renewalCredential
)

func (r renewal) appendState(f *saved) {
	f.integer(renewalID, r.id)
	f.text(renewalCredential, r.credential)
}

func (r *renewal) restoreState(state []byte) error {
	return readFields(state, renewalCredential, func(f *field) {
		switch f.number {
		case renewalID:
			r.id = f.integer()
		case renewalCredential:
			r.credential = f.text()
		}
	})
}

// restorePage makes a page of it again, as the predecessor has had it.
func (s *Server) restorePage(c *lineman.Conn, value []byte) error {
	if s.crossing.distrust {
		return errDistrust
	}
	var x crossedPage
	if err := x.restoreState(value); err != nil {
		return err
	}
	end := x.page.end
	x.page.ip, x.page.end = s.guard.address(c.RemoteAddrPort().Addr()), 0
	c.SetValue(x.page)
	if x.pusher != nil {
		if err := s.restorePusher(c, &x); err != nil {
			return err
		}
	}
	p := pageOf(c)
	s.restoreLive(c, p, x.heart)
	uid := ""
	if x.member != nil {
		m, err := s.hub.RestoreMember(c, x.member)
		if err != nil {
			s.forgetLive(p)
			return err
		}
		uid = m.UID()
	}
	s.guard.restorePage(p, uid)
	if x.pusher != nil {
		s.beginAgain(c)
	}
	if end != 0 {
		s.setExpiry(c, p, time.Unix(int64(end), 0))
	}
	if x.upstream != nil {
		s.restoreUpstream(c, x.upstream)
	}
	s.arrive(c.ID())
	if p.login != nil {
		s.restoreLogin(c, p, x.awaited)
	}
	if x.renewal != nil {
		s.restoreRenewal(c, *x.renewal)
	}
	return nil
}

// restoreUpstream has a page speak on.
func (s *Server) restoreUpstream(c *lineman.Conn, up *upstream) {
	s.speaking.upstreams[c.ID()] = up
	if m := s.member(c); m != nil {
		s.upstreamOf(m) // by its name it is answered
	}
	for n, waiting := range up.calls {
		s.awaitAnswer(c, up, n, waiting)
		if waiting.rpc == nil {
			s.await(up.question(n), s.called(c, up, n))
		}
	}
	for _, id := range up.saying {
		if said := s.said(c, up, id); !s.await(up.receipt(id), said) {
			s.loop.Do(func() { said(events.ErrDropped) })
		}
	}
	s.loop.Do(func() { s.speakAgain(c, up) })
}

// speakAgain has back ends be asked again what hooks had not answered at the predecessor. What the page has said since
// is not asked again.
func (s *Server) speakAgain(c *lineman.Conn, up *upstream) {
	for _, pub := range slices.Clone(up.deciding) {
		if s.member(c) != nil && pub.again && !pub.settled {
			s.decide(c, up, pub)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(up.calls)) {
		switch asked := up.calls[n].rpc; {
		case asked == nil || !asked.again || s.member(c) == nil:
		case s.decides.rpc != nil:
			s.callHook(c, up, n, asked)
		default:
			s.callListener(c, up, n, asked)
		}
	}
}

// await has a page wait for what back ends do with something that it has said to the predecessor. It reports whether
// that is known. Answers come in the order of what was said, be it said here or there.
func (s *Server) await(receipt string, done func(error)) bool {
	return s.first().hearing.dispatcher.Await(receipt, s.here(done))
}

// restoreLive has a page of level 1 go on with what it was about to get.
func (s *Server) restoreLive(c *lineman.Conn, p *page, heart int) {
	if p.live == nil {
		return
	}
	if p.live.stream != nil {
		s.streaming.open++
	}
	if heart > 0 {
		p.live.heart = s.heartsOf(p).addDue(c, heart)
	}
	if p.login == nil && len(p.live.waiting) > 0 {
		s.loop.Do(func() { s.enterWaiting(c, p) })
	}
}

// restoreRenewal has another credential of a page be checked again.
func (s *Server) restoreRenewal(c *lineman.Conn, r renewal) {
	s.renewals[c.ID()] = r
	s.loop.Do(func() {
		if s.member(c) != nil {
			s.renew(c, r)
		}
	})
}

// forgetLive forgets what restoreLive has made.
func (s *Server) forgetLive(p *page) {
	if p.live != nil {
		s.leaveLive(p)
	}
}

// restoreLogin has a page log in. One whose credential was being checked has it checked again.
func (s *Server) restoreLogin(c *lineman.Conn, p *page, awaited bool) {
	if awaited {
		s.awaitCredential(c, p)
	}
	if !p.login.verifying {
		return
	}
	if p.live != nil {
		p.live.starting = make(map[push.Target]start, len(p.login.subs))
		for _, sub := range p.login.subs {
			p.live.starting[sub.Target] = start{since: sub.Since}
		}
	}
	s.loop.Do(func() {
		if p.login != nil && !p.login.left {
			s.login(c, p, p.login.credential)
		}
	})
}
