package server

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/level1"
)

// channelRate is how often a page has published of late in a namespace.
type channelRate struct {
	namespace string
	spent     tokenBucket
}

// spend reports whether a page may publish once more in a namespace, and counts it.
func (up *upstream) spend(namespace string, perSecond float64) bool {
	if perSecond <= 0 {
		return true
	}
	for i := range up.rates {
		if up.rates[i].namespace == namespace {
			return up.rates[i].spent.allow(float32(perSecond), time.Now())
		}
	}
	rate := channelRate{namespace: namespace}
	rate.spent.allow(float32(perSecond), time.Now())
	up.rates = append(up.rates, rate)
	return true
}

// publication is what a page publishes, while it is decided about it or about one before it.
type publication struct {
	level1.Request
	number  int    // of its answer
	ask     uint64 // of the question: see upstream.question
	again   bool   // the predecessor may have asked it
	settled bool
	skip    bool            // it is done: nothing is published
	wrong   *level1.Failure // why it may not; nil: it may
}

// publish publishes what a page says on a channel. What is refused at once is answered in its turn, too, but for one
// request too many.
func (s *Server) publish(c *lineman.Conn, r *level1.Request) *level1.Failure {
	wrong := s.tryPublish(c, r)
	up := s.speaking.upstreams[c.ID()]
	if wrong == nil || up == nil || up.published.len() == 0 || !up.take() {
		return wrong
	}
	s.answerPublication(c, up, up.published.expect(), wrong)
	return nil
}

// tryPublish does it, unless it returns why not.
func (s *Server) tryPublish(c *lineman.Conn, r *level1.Request) *level1.Failure {
	m := s.member(c)
	_, channel := r.Channel.Split()
	name, space := s.namespaceOf(channel)
	if !letsPublish(space) {
		return failure(r, level1.CodeForbidden, onlyBackEnds)
	}
	up := s.upstreamOf(m)
	if !up.spend(name, space.PublishRate) && s.guard.tooMuch("publish_rate", m.UID()) != "" {
		s.guard.refuse("publish_rate", "a page publishes too often", "conn", string(up.conn), "uid", m.UID())
		return failure(r, level1.CodeTooMany, "it publishes too often")
	}
	if !up.take() {
		return tooMany(r)
	}
	switch {
	case s.decides.publish != nil || len(up.deciding) > 0: // those of the predecessor come before it
		s.decidePublication(c, up, r)
	case !s.mayPublish(m, up, r.Channel):
		up.unanswered--
		return failure(r, level1.CodeForbidden, notAllowed)
	default:
		s.publishNow(c, up, up.published.expect(), r)
	}
	return nil
}

// Why a page may not publish.
const (
	onlyBackEnds = "only back ends publish to it"
	notAllowed   = "it may not publish to it"
)

// letsPublish reports whether pages may publish in a namespace at all.
func letsPublish(n config.Namespace) bool { return n.Publish == "token" || n.Publish == "all" }

// mayPublish tells what namespace and credential say about a channel in whose namespace pages may publish.
func (s *Server) mayPublish(m *push.Member[*lineman.Conn], up *upstream, to push.Target) bool {
	_, channel := to.Split()
	return push.Match(up.publish, channel) || s.namespace(channel).Publish == "all" && m.IsIn(to)
}

// answerPublication has a request of a page to publish be answered, when those before it are: what other loops or nodes
// get is done later than what they do not. f is nil if no answer is wanted.
func (s *Server) answerPublication(c *lineman.Conn, up *upstream, number int, f frame) {
	if s.scratch = s.scratch[:0]; f != nil {
		s.scratch = f.Append(s.scratch)
	}
	up.published.settle(number, s.scratch, func(text []byte) bool {
		up.unanswered--
		if len(text) > 0 && s.member(c) != nil {
			s.say(c, text)
		}
		return true
	})
}

// decidePublication has what a page publishes be decided.
func (s *Server) decidePublication(c *lineman.Conn, up *upstream, r *level1.Request) {
	pub := &publication{Request: *r, number: up.published.expect(), ask: up.nextQuestion()}
	pub.Data = bytes.Clone(r.Data)
	up.deciding = append(up.deciding, pub)
	s.decide(c, up, pub)
}

// decide has a hook decide, or namespace and credential where none does.
func (s *Server) decide(c *lineman.Conn, up *upstream, pub *publication) {
	m := s.member(c)
	_, channel := pub.Channel.Split()
	allowed := s.mayPublish(m, up, pub.Channel)
	switch {
	case !letsPublish(s.namespace(channel)): // as the predecessor did
		pub.refuse(onlyBackEnds)
	case s.decides.publish != nil:
		s.askPublish(m, up.question(pub.ask), pub, allowed, func() { s.publishDecided(c, up) })
		return
	case !allowed:
		pub.refuse(notAllowed)
	}
	pub.settled = true
	s.publishDecided(c, up)
}

func (pub *publication) refuse(why string) {
	pub.wrong = &level1.Failure{Code: level1.CodeForbidden, Text: why}
}

// publishDecided publishes what was decided of a page, in the order in which it was said.
func (s *Server) publishDecided(c *lineman.Conn, up *upstream) {
	for len(up.deciding) > 0 && up.deciding[0].settled {
		pub := up.deciding[0]
		up.deciding = up.deciding[1:]
		switch {
		case s.member(c) == nil: // it has gone
			s.answerPublication(c, up, pub.number, nil)
		case pub.wrong != nil:
			pub.wrong.ID, pub.wrong.Channel = pub.ID, pub.Channel
			s.answerPublication(c, up, pub.number, pub.wrong)
		case pub.skip:
			s.answerPublication(c, up, pub.number, published(pub.ID, pub.Channel, push.Outcome{}))
		default:
			s.publishNow(c, up, pub.number, &pub.Request)
		}
	}
}

// publishNow publishes as a back end's pub does.
func (s *Server) publishNow(c *lineman.Conn, up *upstream, number int, r *level1.Request) {
	id, to := r.ID, r.Channel
	s.speaking.to[0] = to
	m := push.Message[*lineman.Conn]{To: s.speaking.to[:], Data: r.Data, From: &up.source}
	if r.NoEcho {
		m.Except = up.conn
	}
	err := s.hub.Publish(m, func(o push.Outcome) { s.answerPublication(c, up, number, published(id, to, o)) })
	if err != nil {
		code := level1.CodeMalformed
		if errors.Is(err, push.ErrTooLarge) {
			code = level1.CodeTooLarge
		}
		s.answerPublication(c, up, number, failure(r, code, strings.TrimPrefix(err.Error(), "push: ")))
	}
}

// published is the answer to pub; nil if none is wanted. Where others have not confirmed it, they may still have got
// it.
func published(id int64, to push.Target, o push.Outcome) frame {
	if o.Err != nil && !errors.Is(o.Err, push.ErrUnanswered) {
		return level1.Failure{
			ID: id, Channel: to, Code: level1.CodeUnavailable, Text: "it cannot be published now: try again later",
		}
	}
	if id == 0 {
		return nil
	}
	done := level1.Published{ID: id, Channel: to}
	if len(o.Positions) > 0 {
		done.Position = o.Positions[0]
	}
	return done
}
