package server

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"github.com/lineman-go/lineman"
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

// publication is what a page publishes, while a hook decides about it or about one before it.
type publication struct {
	level1.Request
	settled bool
	skip    bool            // it is done: nothing is published
	wrong   *level1.Failure // why it may not; nil: it may
}

// publish publishes what a page says on a channel.
func (s *Server) publish(c *lineman.Conn, r *level1.Request) *level1.Failure {
	m := s.member(c)
	_, channel := r.Channel.Split()
	name, space := s.namespaceOf(channel)
	if space.Publish != "token" && space.Publish != "all" {
		return failure(r, level1.CodeForbidden, "only back ends publish to it")
	}
	up := s.upstreamOf(m)
	if !up.spend(name, space.PublishRate) && s.guard.tooMuch("publish_rate", m.UID()) != "" {
		s.guard.refuse("publish_rate", "a page publishes too often", "conn", string(up.conn), "uid", m.UID())
		return failure(r, level1.CodeTooMany, "it publishes too often")
	}
	if !up.take() {
		return tooMany(r)
	}
	allowed := push.Match(up.publish, channel) || space.Publish == "all" && m.IsIn(r.Channel)
	switch {
	case s.decides.publish != nil:
		s.decidePublication(c, up, r, allowed)
	case !allowed:
		up.unanswered--
		return failure(r, level1.CodeForbidden, "it may not publish to it")
	default:
		s.publishNow(c, up, r)
	}
	return nil
}

// decidePublication has a hook decide what a page publishes.
func (s *Server) decidePublication(c *lineman.Conn, up *upstream, r *level1.Request, allowed bool) {
	pub := &publication{Request: *r}
	pub.Data = bytes.Clone(r.Data)
	up.deciding = append(up.deciding, pub)
	_, channel := r.Channel.Split()
	s.askPublish(c, s.member(c), channel, pub.Data, allowed, func(data []byte, skip bool, wrong *level1.Failure) {
		if pub.settled, pub.skip, pub.wrong = true, skip, wrong; data != nil {
			pub.Data = bytes.Clone(data)
		}
		s.publishDecided(c, up)
	})
}

// publishDecided publishes what was decided of a page, in the order in which it was said.
func (s *Server) publishDecided(c *lineman.Conn, up *upstream) {
	for len(up.deciding) > 0 && up.deciding[0].settled {
		pub := up.deciding[0]
		up.deciding = up.deciding[1:]
		switch {
		case s.member(c) == nil: // it has gone
			up.unanswered--
		case pub.wrong != nil:
			up.unanswered--
			pub.wrong.ID, pub.wrong.Channel = pub.ID, pub.Channel
			s.tell(c, pub.wrong)
		case pub.skip:
			up.unanswered--
			s.tellPublished(c, pub.ID, pub.Channel, push.Outcome{})
		default:
			s.publishNow(c, up, &pub.Request)
		}
	}
}

// publishNow publishes as a back end's pub does.
func (s *Server) publishNow(c *lineman.Conn, up *upstream, r *level1.Request) {
	id, to := r.ID, r.Channel
	s.speaking.to[0] = to
	m := push.Message[*lineman.Conn]{To: s.speaking.to[:], Data: r.Data, From: &up.source}
	if r.NoEcho {
		m.Except = up.conn
	}
	err := s.hub.Publish(m, func(o push.Outcome) {
		up.unanswered--
		if s.member(c) != nil {
			s.tellPublished(c, id, to, o)
		}
	})
	if err != nil {
		up.unanswered--
		code := level1.CodeMalformed
		if errors.Is(err, push.ErrTooLarge) {
			code = level1.CodeTooLarge
		}
		s.tell(c, failure(r, code, strings.TrimPrefix(err.Error(), "push: ")))
	}
}

// tellPublished answers pub. Where others have not confirmed it, they may still have got it.
func (s *Server) tellPublished(c *lineman.Conn, id int64, to push.Target, o push.Outcome) {
	if o.Err != nil && !errors.Is(o.Err, push.ErrUnanswered) {
		s.tell(c, level1.Failure{
			ID: id, Channel: to, Code: level1.CodeUnavailable, Text: "it cannot be published now: try again later",
		})
		return
	}
	if id == 0 {
		return
	}
	done := level1.Published{ID: id, Channel: to}
	if len(o.Positions) > 0 {
		done.Position = o.Positions[0]
	}
	s.tell(c, done)
}
