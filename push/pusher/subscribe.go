package pusher

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/lineman-go/lineman/push"
)

// subscribe takes a wish for a channel.
func (s *Service[C]) subscribe(c C, p *Page, m *push.Member[C], f *Frame) {
	name := f.Channel
	if name == userPrefix+p.User() && p.User() != "" {
		s.succeed(c, name) // it has it since it has signed in
		return
	}
	if err := CheckChannel(name); err != nil {
		s.refuse(c, name, &refusal{"InvalidChannel", 400, strings.TrimPrefix(err.Error(), "pusher: ")})
		return
	}
	kind := KindOf(name)
	if kind.has(Private|Presence) && !p.app.authorizes(f.Auth, channelText(SocketID(m.Target()), name, f.ChannelData)) {
		s.refuse(c, name, unauthorized)
		return
	}
	if kind.has(Presence) {
		who, wrong := memberOf(f.ChannelData, p.user())
		if wrong != nil {
			s.refuse(c, name, wrong)
			return
		}
		s.join(c, p, name, &joining{user: who})
		return
	}
	in := p.app.Channel(name)
	if m.IsIn(in) {
		s.succeed(c, name)
		return
	}
	if err := m.Subscribe(string(in)); err != nil { // else Begun is told
		s.refuse(c, name, placeRefusal(err))
	}
}

// succeed tells a page that it has a channel, of which nothing more is to be told.
func (s *Service[C]) succeed(c C, name string) {
	s.send(c, func(dst []byte) []byte { return appendSucceeded(dst, name, nil) })
}

// placeRefusal is why the Hub does not let a page into a channel.
func placeRefusal(err error) *refusal {
	kind, status := "Forbidden", 403
	if errors.Is(err, push.ErrLimit) {
		kind = "LimitReached"
	}
	return &refusal{kind, status, strings.TrimPrefix(err.Error(), "push: ")}
}

// memberOf is who a page is in a presence channel, by its channel_data, or as who it has signed in.
func memberOf(channelData string, signedIn user) (user, *refusal) {
	if channelData == "" {
		if signedIn.id == "" {
			return user{}, noMember
		}
		return signedIn, nil
	}
	var data struct {
		ID   json.RawMessage `json:"user_id"`
		Info json.RawMessage `json:"user_info"`
	}
	err := json.Unmarshal([]byte(channelData), &data)
	u := user{userID(data.ID), data.Info}
	if err != nil || checkUser(u.id) != nil || push.UID(u.id).Check() != nil {
		return user{}, unfitData
	}
	if u.info = compact(u.info); len(u.info) > push.MaxInfo {
		return user{}, unfitData
	}
	return u, nil
}

// userID is an id, which some back ends write as a number.
func userID(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	var number json.Number
	if json.Unmarshal(value, &number) != nil {
		return ""
	}
	return number.String()
}

// compact is JSON without white space; nil if it says nothing.
func compact(info json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if info == nil || json.Compact(&b, info) != nil || b.String() == "null" {
		return nil
	}
	return b.Bytes()
}

// unsubscribe ends a subscription. What a user is told goes on.
func (s *Service[C]) unsubscribe(p *Page, m *push.Member[C], name string) {
	if CheckChannel(name) != nil {
		return
	}
	p.joined(name)
	m.Unsubscribe(string(p.app.Channel(name)))
}

// publish takes an event of a page for others.
func (s *Service[C]) publish(c C, p *Page, m *push.Member[C], f *Frame) {
	kind, in := KindOf(f.Channel), p.app.Channel(f.Channel)
	reject := func(code int, text string) { s.Fail(c, &Error{code, text, f.Channel}) }
	switch {
	case !p.app.ClientEvents:
		reject(CodeRejected, "this app allows pages no events of their own")
		return
	case !kind.has(Private|Presence) || kind.has(Encrypted):
		reject(CodeRejected, "pages send events in private and presence channels only")
		return
	case !m.IsIn(in):
		reject(CodeRejected, "it has not subscribed to this channel")
		return
	case len(f.Data) > p.app.maxData():
		reject(CodeRejected, "the data of an event is too long")
		return
	case !p.spend(s.options.Now()):
		reject(CodeClientRate, "too many events in a second")
		return
	}
	e := Event{Name: f.Event, Data: f.Data}
	if kind.has(Presence) {
		e.UserID = m.UIDIn(string(in))
	}
	err := s.hub.Publish(push.Message[C]{
		To: []push.Target{in}, Data: e.Append(nil), Except: m.Target(), From: s.options.Source(c),
	}, nil)
	if err != nil {
		reject(CodeRejected, strings.TrimPrefix(err.Error(), "push: "))
		return
	}
	s.options.Hear(p.app, HookEvent{
		Name: ClientEvent, Channel: f.Channel, UserID: e.UserID, Event: f.Event, Data: f.Data,
		SocketID: SocketID(m.Target()),
	})
}
