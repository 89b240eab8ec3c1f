package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/hook"
	"github.com/lineman-go/lineman/push/level1"
)

// decider is a hook that decides for pages: who they are, and what they may.
type decider struct {
	*hook.Decider
	name   string
	client *hook.Client
	allows bool // what is asked while it is away is not refused by that alone

	own, asked *lineman.Loop // of who asks, and of the Decider; nil: they are the same
}

// deciders are the hooks that decide; nil: none does. One may be there several times. Owned by the loop.
type deciders struct{ connect, subscribe, publish, rpc *decider }

// openDeciders makes those that the settings want.
func (s *Server) openDeciders() error {
	byName := make(map[string]*decider)
	for what, d := range map[string]**decider{
		"connect": &s.decides.connect, "subscribe": &s.decides.subscribe,
		"publish": &s.decides.publish, "rpc": &s.decides.rpc,
	} {
		name, h, asks := s.config.Decider(what)
		if !asks {
			continue
		}
		if byName[name] == nil {
			made, err := s.newDecider(name, h)
			if err != nil {
				return fmt.Errorf("server: %w", err)
			}
			byName[name] = made
		}
		*d = byName[name]
	}
	return nil
}

func (s *Server) newDecider(name string, h config.Hook) (*decider, error) {
	client, err := hook.NewClient(hook.Endpoint{
		Name: name, URL: h.URL, Secrets: h.Secrets, Private: h.Private, Timeout: h.Timeout, Conns: config.MostAsked,
		MaxAnswer: max(64<<10, s.config.Limits.Publish),
	})
	if err != nil {
		return nil, err
	}
	d := &decider{name: name, client: client, allows: h.Away == "allow"}
	d.Decider = hook.NewDecider(hook.DeciderOptions{
		Ask: client.Ask, Context: s.loop.Context(), Do: func(f func()) { s.loop.Do(f) },
		After:   func(d time.Duration, f func()) { s.loop.After(d, f) },
		Timeout: h.Timeout, Most: config.MostAsked,
		Problem: func(err error) { s.guard.note(name, "a hook has not decided", "error", err) },
	})
	return d, nil
}

// all are those that there are, each once.
func (d *deciders) all() (all []*decider) {
	for _, one := range []*decider{d.connect, d.subscribe, d.publish, d.rpc} {
		if one != nil && !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

// close closes the connections to the hooks that decide.
func (d *deciders) close() {
	for _, one := range d.all() {
		one.client.Close()
	}
}

// askPublish has a hook decide what a page publishes on a channel whose namespace has publish. allowed says whether
// namespace and token allow it, which holds where the hook is away and that is no reason to refuse. done is called on
// the loop, later and once, also when the page has gone: pub is settled then.
func (s *Server) askPublish(m *push.Member[*lineman.Conn], id string, pub *publication, allowed bool, done func()) {
	d := s.decides.publish
	_, channel := pub.Channel.Split()
	q := &hook.Publish{Conn: m.Target(), UID: m.UID(), ID: id, Again: pub.again, Channel: channel, Data: pub.Data}
	d.Publish(q, func(data json.RawMessage, skip bool, err error) {
		if errors.Is(err, hook.ErrAway) && d.allows && allowed {
			err = nil
		}
		if data != nil {
			pub.Data = bytes.Clone(data)
		}
		pub.settled, pub.skip = true, skip
		pub.wrong = undecided(err, level1.CodeForbidden, "it may not publish on it")
		done()
	})
}

// askRPC has a hook answer what a page asks. done is called on the loop, later and once, also when the page has gone:
// wrong has the code and the text of a refusal. data is on loan until it returns.
func (s *Server) askRPC(
	m *push.Member[*lineman.Conn], id string, r *rpc, done func(data []byte, wrong *level1.Failure),
) {
	q := &hook.RPC{Conn: m.Target(), UID: m.UID(), ID: id, Again: r.again, Method: r.method, Data: r.data}
	q.Session, _ = m.Value().(json.RawMessage)
	s.decides.rpc.RPC(q, func(data json.RawMessage, err error) { done(data, undecided(err, 0, "it has failed")) })
}

// undecided is what a page is told of an error of a Decider; nil if there is none. A refusal without a code has code,
// and without a reason why.
func undecided(err error, code int, why string) *level1.Failure {
	var no *hook.Refusal
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &no):
		return &level1.Failure{Code: level1.CodeUnavailable, Text: "the application has not decided: come later"}
	}
	wrong := &level1.Failure{Code: no.Code, Text: no.Why}
	if wrong.Code == 0 {
		wrong.Code = code
	}
	if wrong.Text == "" {
		wrong.Text = why
	}
	return wrong
}
