package pusher

import (
	"errors"
	"iter"
	"time"

	"github.com/lineman-go/lineman/push"
)

// Options are what a Service needs of the program. All but Hear, Source and Now are required.
type Options[C push.Conn] struct {
	// Hub has the channels. It has Followers, who give a Service what is for its pages, and what the namespaces of
	// App.Namespaces want.
	Hub *push.Hub[C]

	// Apps are those of the pages.
	Apps *Apps

	// Page is that of a connection which was opened.
	Page func(c C) *Page

	// Send sends a text to a connection. It is on loan.
	Send func(c C, text []byte)

	// SendAll sends a text to connections, and returns how many have accepted it. It is the same for all, and for those
	// of other Hubs of the process that get the same message of a target: so it is encoded once, by encode, which
	// appends it.
	SendAll func(to iter.Seq[C], of push.Target, m push.Stored, encode func(dst []byte) []byte) int

	// Close ends a connection, behind what was sent.
	Close func(c C, code int, reason string)

	// Hear is told what only this node knows of the HookEvents: ClientEvent and CacheMiss. It must not call the Hub.
	// nil: nobody is told.
	Hear func(a *App, e HookEvent)

	// Source tells where the events of a page come from, for the debug log; nil: that is not told.
	Source func(c C) *push.Source

	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Service serves pages of the Pusher protocol over a Hub, and does what back ends request. Owned by the loop of the
// Hub.
type Service[C push.Conn] struct {
	options Options[C]
	hub     *push.Hub[C]
	scratch []byte
}

// New makes a Service.
func New[C push.Conn](o Options[C]) (*Service[C], error) {
	if o.Hub == nil || o.Apps == nil || o.Page == nil || o.Send == nil || o.SendAll == nil || o.Close == nil {
		return nil, errors.New("pusher: Options need Hub, Apps, Page, Send, SendAll and Close")
	}
	if o.Hear == nil {
		o.Hear = func(*App, HookEvent) {}
	}
	if o.Source == nil {
		o.Source = func(C) *push.Source { return nil }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service[C]{options: o, hub: o.Hub}, nil
}

// Open makes a connection, which has a Page, a member of the Hub, and tells it its socket_id.
func (s *Service[C]) Open(c C) error {
	m, err := s.hub.AddFollower(c, "")
	if err != nil {
		return err
	}
	s.send(c, func(dst []byte) []byte { return appendEstablished(dst, SocketID(m.Target())) })
	return nil
}

// Restored goes on with what waits of a connection that has come from another process, when the Hub knows it.
func (s *Service[C]) Restored(c C) {
	p, m := s.options.Page(c), s.hub.Member(c.ID())
	if p.more == nil || m == nil {
		return
	}
	for name, j := range p.more.joining {
		m.Unsubscribe(string(p.app.Channel(name))) // it comes anew, which nobody hears of in the meantime
		s.join(c, p, name, &joining{user: j.user})
	}
}

// maxMalformed is how many messages of a page may be none that is understood.
const maxMalformed = 10

// Receive takes what a page says.
func (s *Service[C]) Receive(c C, text []byte) {
	p, m := s.options.Page(c), s.hub.Member(c.ID())
	if m == nil {
		return // it has been closed
	}
	f, err := ParseFrame(text)
	if err != nil {
		s.Fail(c, &Error{Code: CodeRejected, Text: err.Error()})
		if p.malformed++; p.malformed == maxMalformed {
			s.options.Close(c, CodeRejected, "too much that is not understood")
		}
		return
	}
	switch {
	case f.Event == eventPing:
		s.send(c, appendPong)
	case f.Event == eventPong:
	case f.Event == eventSubscribe:
		s.subscribe(c, p, m, &f)
	case f.Event == eventUnsubscribe:
		s.unsubscribe(p, m, f.Channel)
	case f.Event == eventSignin:
		s.signIn(c, p, m, &f)
	case isClients(f.Event):
		s.publish(c, p, m, &f)
	default:
		s.Fail(c, &Error{Code: CodeRejected, Text: "a page sends events whose names begin with client-"})
	}
}

// Fail tells a page what was wrong, and closes it if the protocol wants that of the code.
func (s *Service[C]) Fail(c C, e *Error) {
	s.send(c, e.Append)
	if e.Code < CodeRejected {
		s.options.Close(c, e.Code, e.Text)
	}
}

// send sends what encode appends.
func (s *Service[C]) send(c C, encode func(dst []byte) []byte) {
	s.scratch = encode(s.scratch[:0])
	s.options.Send(c, s.scratch)
}

// refuse tells a page that it does not get a channel.
func (s *Service[C]) refuse(c C, channel string, r *refusal) {
	s.send(c, func(dst []byte) []byte { return r.append(dst, channel) })
}
