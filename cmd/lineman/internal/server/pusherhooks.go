package server

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/events"
	"github.com/lineman-go/lineman/push/hook"
	"github.com/lineman-go/lineman/push/pusher"
)

// webhook is a hook that is told of an app, in the form that Pusher's libraries know. What it is told are events as
// others are: they wait, are tried again, and are told by one node.
type webhook struct {
	app    *pusher.App
	events []string
	post   func(ctx context.Context, body []byte) (hook.Answer, error)
}

// webhook is that of a hook; nil if it is told of all pages.
func (s *Server) webhook(h config.Hook) *webhook {
	if h.App == "" {
		return nil
	}
	return &webhook{app: s.apps.ByID(h.App), events: h.Events}
}

// header is how a library knows a request.
func (w *webhook) header(body []byte) http.Header {
	return http.Header{"X-Pusher-Key": {w.app.Key}, "X-Pusher-Signature": {w.app.Sign(string(body))}}
}

// kinds are the events that it is made of.
func (w *webhook) kinds() (all []events.Kind) {
	for _, name := range w.events {
		kind := events.Pusher
		switch name {
		case pusher.ChannelOccupied:
			kind = events.Occupied
		case pusher.ChannelVacated:
			kind = events.Vacated
		}
		if !slices.Contains(all, kind) {
			all = append(all, kind)
		}
	}
	return all
}

// of are the channels that it is about.
func (w *webhook) of() []string { return []string{string(w.app.Channel("*"))} }

// Post posts events that were gathered for a hook, as far as it is told them.
func (w *webhook) Post(ctx context.Context, body []byte) (hook.Answer, error) {
	var gathered struct {
		Events []struct {
			Type    events.Kind     `json:"type"`
			Channel push.Target     `json:"channel"`
			Data    json.RawMessage `json:"data"`
		} `json:"events"`
	}
	if err := json.Unmarshal(body, &gathered); err != nil {
		return hook.Answer{}, err // it was written by this process
	}
	var told [][]byte
	for _, e := range gathered.Events {
		text := e.Data
		if e.Type != events.Pusher {
			text = w.state(e.Type, e.Channel)
		}
		if w.tells(text) {
			told = append(told, text)
		}
	}
	if len(told) == 0 {
		return hook.Answer{Status: http.StatusOK}, nil
	}
	return w.post(ctx, pusher.AppendHooks(nil, time.Now(), told...))
}

// state is that a channel is occupied, or vacated; nil if pages cannot ask for it.
func (w *webhook) state(kind events.Kind, in push.Target) []byte {
	name, ours := w.app.Name(in)
	if !ours || strings.HasPrefix(name, "#") {
		return nil
	}
	if kind == events.Occupied {
		return pusher.HookEvent{Name: pusher.ChannelOccupied, Channel: name}.Append(nil)
	}
	return pusher.HookEvent{Name: pusher.ChannelVacated, Channel: name}.Append(nil)
}

// tells reports whether it is told an event.
func (w *webhook) tells(event []byte) bool {
	var e struct {
		Name string `json:"name"`
	}
	return len(event) > 0 && json.Unmarshal(event, &e) == nil && slices.Contains(w.events, e.Name)
}

// hearApp tells back ends what only this node knows of an app.
func (s *Server) hearApp(a *pusher.App, e pusher.HookEvent) {
	if !s.wants(events.Pusher) {
		return
	}
	told := events.Event{Kind: events.Pusher, Channel: string(a.Channel(e.Channel)), Data: e.Append(nil)}
	told.Conn, _ = pusher.ParseSocketID(e.SocketID) // most are about no connection
	s.report(&told, nil)
}

// counting tells how many pages the channels of apps have; nil: there are none.
func (s *Server) counting() func(to iter.Seq[*lineman.Conn], in push.Target, n int, first bool) {
	if s.apps == nil {
		return nil
	}
	return s.subscribersChanged
}

// subscribersChanged tells pages of the Pusher protocol how many connections have subscribed to a channel. One node of
// all tells back ends.
func (s *Server) subscribersChanged(to iter.Seq[*lineman.Conn], in push.Target, n int, first bool) {
	pushers, _ := s.split(to)
	s.pusher.SubscribersChanged(slices.Values(pushers), in, n)
	s.together()
	if id, name, _ := strings.Cut(string(in), ":"); first {
		s.hearApp(s.apps.ByID(id), pusher.HookEvent{Name: pusher.SubscriptionCount, Channel: name, Count: n})
	}
}

// attending tells who comes to the presence channels of apps, and who goes; nil: nobody asks.
func (s *Server) attending() func(in push.Target, uid string, here bool) {
	if s.apps == nil {
		return nil
	}
	return s.attended
}

// attended is told by whom it was, on the loop whose page it was. While pages are sent away nobody has gone: the
// successor finds out who did not come to it.
func (s *Server) attended(in push.Target, uid string, here bool) {
	id, name, _ := strings.Cut(string(in), ":")
	a := s.apps.ByID(id)
	if a == nil || strings.HasPrefix(name, "#") || !here && !s.ready {
		return
	}
	e := pusher.HookEvent{Name: pusher.MemberRemoved, Channel: name, UserID: uid}
	if here {
		e.Name = pusher.MemberAdded
	}
	s.hearApp(a, e)
}
