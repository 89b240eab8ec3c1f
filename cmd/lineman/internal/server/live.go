package server

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/websocket"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/hook"
	"github.com/lineman-go/lineman/push/level1"
	"github.com/lineman-go/lineman/push/pusher"
)

// live is what a page has that speaks level 1. Owned by the loop.
//
//	greeting ── hello ──▶ logging in ── welcome ──▶ member: sub, unsub, hist, auth, presence, hb
type live struct {
	channels  []string // patterns of the channels that its credential allows
	batch     bool     // it takes arrays
	greeted   bool     // its hello has come
	malformed uint8    // requests that could not be understood
	asking    uint8    // of those of starting, about which a hook is asked
	heart     *heart   // of its heartbeats; nil: it gets none

	stream   *stream               // it gets server-sent events; nil: it is a WebSocket
	starting map[push.Target]start // what it has asked for and was not told yet
	waiting  []level1.Start        // what is asked for when it has read more
}

// start is where a page begins with a target that it has asked for.
type start struct {
	since push.Since
	id    int64 // of its request; 0: none

	question *hook.Subscribe // that a hook is asked about it; nil: none
}

// maxMalformed is how many requests of a connection may be malformed.
const maxMalformed = 10

// speaksLevel1 reports whether a connection has agreed on level 1.
func speaksLevel1(c *lineman.Conn) bool { return c.Subprotocol() == level1.Subprotocol }

// asks takes what a page says that speaks level 1: one request, or several.
func (s *Server) asks(c *lineman.Conn, p *page, text []byte) {
	first := true
	for r, wrong := range level1.Requests(text) {
		if !first && !s.guard.message(&p.spent) {
			s.refuse(c, "messages_per_connection", codeTooMany, retryLater)
			return
		}
		first = false
		if wrong == nil {
			wrong = s.ask(c, p, &r)
		}
		if wrong != nil {
			s.fail(c, p, wrong)
		}
	}
}

// fail answers that a request was not done. Who goes on with what cannot be understood is closed.
func (s *Server) fail(c *lineman.Conn, p *page, f *level1.Failure) {
	s.tell(c, f)
	if f.Code != level1.CodeMalformed {
		return
	}
	if p.live.malformed++; p.live.malformed == maxMalformed {
		s.refuse(c, "malformed", websocket.Policy, "too much that is no request of level 1")
	}
}

// ask does what a request asks, and returns why not.
func (s *Server) ask(c *lineman.Conn, p *page, r *level1.Request) *level1.Failure {
	switch {
	case r.Op == level1.OpHello:
		return s.greet(c, p, r)
	case r.Op == level1.OpHB:
		s.tell(c, level1.Heartbeat{})
		return nil
	case s.member(c) == nil:
		return failure(r, level1.CodeMalformed, "hello comes first, and welcome before anything else")
	}
	switch r.Op {
	case level1.OpSub:
		return s.subscribe(c, p, r)
	case level1.OpUnsub:
		return s.unsubscribe(c, p, r)
	case level1.OpHist:
		return s.history(c, r)
	case level1.OpAuth:
		return s.authorize(c, r)
	case level1.OpPresence:
		return s.presence(c, r)
	case level1.OpPub:
		return s.publish(c, r)
	case level1.OpSay:
		return s.sayToBackEnd(c, r)
	case level1.OpRPC:
		return s.askBackEnd(c, r)
	}
	return failure(r, level1.CodeMalformed, "this server does not know it")
}

// failure is the answer to a request that is not done.
func failure(r *level1.Request, code int, text string) *level1.Failure {
	return &level1.Failure{ID: r.ID, Channel: r.Channel, Code: code, Text: text}
}

// frame is what the server says.
type frame interface {
	Append(dst []byte) []byte
}

// tell sends a frame to a page. What it does not take it would not take later either: it is closed as too slow.
func (s *Server) tell(c *lineman.Conn, f frame) {
	if st := c.Value().(*page).live.stream; st != nil {
		s.tellEvent(c, st, f)
		return
	}
	s.scratch = f.Append(s.scratch[:0])
	s.say(c, s.scratch)
}

// say sends frames to a page.
func (s *Server) say(c *lineman.Conn, text []byte) {
	s.charge(1, len(text))
	_ = c.Send(text) // it may have closed
}

// greet takes the hello, which begins the login.
func (s *Server) greet(c *lineman.Conn, p *page, r *level1.Request) *level1.Failure {
	if p.live.greeted {
		return failure(r, level1.CodeMalformed, "hello has come already")
	}
	p.live.greeted, p.live.batch = true, r.Batch
	p.login.heartbeat, p.login.id, p.login.subs = r.Heartbeat, r.ID, r.Subs
	p.live.starting = make(map[push.Target]start, len(r.Subs))
	for _, sub := range r.Subs {
		p.live.starting[sub.Target] = start{since: sub.Since}
	}
	if p.login.credential == "" {
		p.login.credential = trimmed(r.Token)
	}
	s.login(c, p, p.login.credential)
	return nil
}

// welcome tells a page that speaks level 1 that it is about to be a member.
func (s *Server) welcome(c *lineman.Conn, p *page, who Identity) {
	w := level1.Welcome{
		ID: p.login.id, Conn: s.hub.Name(c), UID: who.UID, Ping: s.config.Ping, Max: s.config.Limits.Message,
		Expires: who.Expires,
	}
	if p.login.heartbeat && s.heartbeats.interval() > 0 {
		w.Heartbeat = s.heartbeats.interval()
		p.live.heart = s.heartbeats.add(c)
	}
	s.tell(c, w)
}

// addLive makes a page of level 1 a member, and reports whether it is one now. A channel that it may not have is no
// reason to refuse it: it is told.
func (s *Server) addLive(c *lineman.Conn, p *page, who Identity) bool {
	p.live.channels = who.Channels
	s.allowPublishing(c, who.Publish)
	if p.live.stream != nil && !s.beginStream(c, p, who) {
		return false
	}
	s.welcome(c, p, who)
	m, err := s.hub.AddFollower(c, who.UID)
	if err == nil {
		p.login.joined()
		err = introduce(m, who)
	}
	subs := p.login.subs
	if !s.endLogin(c, p, m, who, 0, err) {
		return false
	}
	if subs == nil {
		names, _ := s.channels(nil, who) // what is not asked for is not refused
		for _, name := range names {
			subs = append(subs, level1.Start{Target: push.Channel(name)})
		}
	}
	p.live.waiting = subs
	s.enterWaiting(c, p)
	return true
}

// enterWaiting subscribes a page to what it has asked for in its hello. One that has to read what it has missed gets
// the rest when it has, and one about which a hook is asked, when that has answered.
func (s *Server) enterWaiting(c *lineman.Conn, p *page) {
	for len(p.live.waiting) > 0 && s.member(c) != nil {
		if p.live.asking == mostAsking {
			return
		}
		if c.Pending() > s.recoverBytes() {
			c.After(readTime, func() { s.enterWaiting(c, p) })
			return
		}
		sub := p.live.waiting[0]
		p.live.waiting = p.live.waiting[1:]
		id := p.live.starting[sub.Target].id
		if id == 0 && s.member(c).IsIn(sub.Target) {
			continue // it was told when it came into it
		}
		r := level1.Request{Op: level1.OpSub, ID: id, Channel: sub.Target, Since: sub.Since}
		if wrong := s.follow(c, p, &r); wrong != nil {
			delete(p.live.starting, sub.Target)
			s.tell(c, wrong)
		}
	}
	p.live.waiting = nil
}

// readTime is how long a page has to read what it has missed of some targets before it gets that of others.
const readTime = 20 * time.Millisecond

// recoverBytes is how much a page gets at once of what it has missed of a target: all of a few fits into what may wait.
func (s *Server) recoverBytes() int {
	return min(512<<10, max(1, s.config.Limits.Pending/4))
}

// forget forgets what was asked for about a target and was not told yet.
func (l *live) forget(of push.Target) {
	delete(l.starting, of)
	l.waiting = slices.DeleteFunc(l.waiting, func(s level1.Start) bool { return s.Target == of })
}

// leaveLive forgets what a page has that speaks level 1.
func (s *Server) leaveLive(p *page) {
	if p.live.stream != nil {
		s.leaveStream(p)
	} else {
		s.heartbeats.remove(p.live.heart)
	}
	p.live.starting, p.live.waiting = nil, nil
}

// sayGoodbye tells a page that speaks level 1, or Pusher, why it is closed, in a frame, which every client sees.
func (s *Server) sayGoodbye(c *lineman.Conn, code int, reason string) {
	if s.speaksPusher(c) {
		s.say(c, (&pusher.Error{Code: code, Text: reason}).Append(nil))
		return
	}
	p, ok := c.Value().(*page)
	if !ok || p.live == nil {
		return
	}
	s.tell(c, byeOf(code, reason))
}

// byeOf says why a page is closed, and when it may come again.
func byeOf(code int, reason string) level1.Bye {
	bye := level1.Bye{Code: code, Why: reason}
	if number, found := strings.CutPrefix(reason, `{"retry":`); found {
		ms, err := strconv.Atoi(strings.TrimSuffix(number, "}"))
		if err == nil {
			bye.Retry, bye.Why = time.Duration(ms)*time.Millisecond, byeReasons[code]
		}
	}
	return bye
}

// byeReasons are the reasons for codes whose text in the closing handshake says when to come again.
var byeReasons = map[int]string{int(codeRestart): "restart", int(codeTooMany): "too many"}
