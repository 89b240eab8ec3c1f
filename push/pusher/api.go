package pusher

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/lineman-go/lineman/push"
)

// Do does a request that is complete. done is called with the answer, perhaps before Do returns: a status of HTTP, and
// a body: JSON if it is 200, else text that says what went wrong. from is for the debug log, and may be nil.
func (s *Service[C]) Do(r *Request, from *push.Source, done func(status int, body []byte)) {
	answer := func(body []byte, err error) {
		var f *Failure
		switch {
		case errors.As(err, &f):
			done(f.Status, []byte(f.Text))
		case err != nil:
			done(statusOf(err), []byte(strings.TrimPrefix(err.Error(), "push: ")))
		default:
			done(200, body)
		}
	}
	switch r.do {
	case triggers, triggersBatch:
		s.trigger(r, from, answer)
	case listsChannels:
		s.listChannels(r, answer)
	case tellsChannel:
		s.tellChannel(r, answer)
	case listsUsers:
		s.listUsers(r, answer)
	case terminates:
		s.terminate(r, answer)
	}
}

// statusOf is how HTTP says an error of the Hub.
func statusOf(err error) int {
	switch {
	case errors.Is(err, push.ErrUnlinked), errors.Is(err, push.ErrUnanswered), errors.Is(err, push.ErrClosed),
		errors.Is(err, push.ErrJournal):
		return 503
	case errors.Is(err, push.ErrTooLarge), errors.Is(err, push.ErrLimit):
		return 413
	}
	return 400
}

// answering is how an endpoint says what its answer is.
type answering func(body []byte, err error)

// trigger publishes events, and tells what was asked for of their channels.
func (s *Service[C]) trigger(r *Request, from *push.Source, answer answering) {
	waits := len(r.events)
	var failed error
	published := func(err error) {
		if failed == nil {
			failed = err
		}
		if waits--; waits > 0 {
			return
		}
		if failed != nil {
			answer(nil, failed)
			return
		}
		s.tellTriggered(r, answer)
	}
	for i := range r.events {
		e := &r.events[i]
		m := push.Message[C]{Data: e.Append(nil), Except: e.except, From: from}
		for _, name := range e.channels {
			m.To = append(m.To, r.App.Channel(name))
		}
		err := s.hub.Publish(m, func(o push.Outcome) { published(unlessAnswered(o.Err)) })
		if err != nil {
			published(err)
		}
	}
}

// unlessAnswered leaves out that not all nodes have answered: the event is published, and would be twice if the back
// end tried again.
func unlessAnswered(err error) error {
	if errors.Is(err, push.ErrUnanswered) {
		return nil
	}
	return err
}

// tellTriggered answers a request that has published events.
func (s *Service[C]) tellTriggered(r *Request, answer answering) {
	var names []string
	all := info(0)
	for _, e := range r.events {
		if e.info != 0 {
			names, all = append(names, e.channels...), all|e.info
		}
	}
	if all == 0 {
		answer([]byte("{}"), nil)
		return
	}
	s.count(r.App, names, all, func(counts counts, err error) {
		if err != nil {
			answer(nil, err)
			return
		}
		if r.do == triggers {
			dst := append([]byte(nil), `{"channels":`...)
			answer(append(counts.appendAll(dst, names, all), '}'), nil)
			return
		}
		dst := append([]byte(nil), `{"batch":[`...)
		for i, e := range r.events {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = counts.appendOne(dst, e.channels[0], e.info)
		}
		answer(append(dst, "]}"...), nil)
	})
}

// listChannels tells which channels have subscribers.
func (s *Service[C]) listChannels(r *Request, answer answering) {
	q := push.Question{Verb: push.ListChannels, Name: string(r.App.Channel(r.name))}
	err := s.hub.Ask(q, func(a push.Answer, err error) {
		if err != nil {
			answer(nil, err)
			return
		}
		var names []string
		for _, t := range a.Names {
			name, ours := r.App.Name(push.Target(t))
			if ours && strings.HasPrefix(name, r.name) && !strings.HasPrefix(name, "#") {
				names = append(names, name)
			}
		}
		s.count(r.App, names, r.info, func(counts counts, err error) {
			dst := append([]byte(nil), `{"channels":`...)
			answer(append(counts.appendAll(dst, names, r.info), '}'), err)
		})
	})
	if err != nil {
		answer(nil, err)
	}
}

// tellChannel tells of one channel.
func (s *Service[C]) tellChannel(r *Request, answer answering) {
	names := []string{r.name}
	s.count(r.App, names, r.info|subscriptionCount, func(counts counts, err error) {
		if err != nil {
			answer(nil, err)
			return
		}
		dst := append([]byte(nil), `{"occupied":`...)
		if counts[r.name].subscriptions > 0 {
			dst = append(dst, "true"...)
		} else {
			dst = append(dst, "false"...)
		}
		dst = counts.appendFields(append(dst, ','), r.name, r.info)
		if r.info&cached == 0 {
			answer(append(trimComma(dst), '}'), nil)
			return
		}
		s.tellCache(r, dst, answer)
	})
}

// tellCache tells the last event of a cache channel.
func (s *Service[C]) tellCache(r *Request, dst []byte, answer answering) {
	done := func(h push.History, err error) {
		if n := len(h.Messages); err == nil && n > 0 {
			last := h.Messages[n-1]
			e := EventOf(last.Data)
			ttl := cacheTTL - s.options.Now().Sub(last.At)
			dst = append(append(dst, `"cache":{"data":`...), e.Data...)
			dst = appendNumber(append(dst, ','), "ttl", max(0, int(ttl.Seconds())))
			dst = append(trimComma(dst), '}')
		}
		answer(append(trimComma(dst), '}'), err)
	}
	err := s.hub.History(r.App.Channel(r.name), push.Range{Limit: 1}, done)
	if err != nil {
		answer(nil, err)
	}
}

// listUsers tells who is in a presence channel: all, however many a page may be told.
func (s *Service[C]) listUsers(r *Request, answer answering) {
	err := s.hub.Presence(r.App.Channel(r.name), func(p push.Presence, err error) {
		switch {
		case err != nil:
			answer(nil, err)
			return
		case p.More:
			answer(nil, &Failure{413, "there are more users than can be listed"})
			return
		}
		dst := append([]byte(nil), `{"users":[`...)
		for _, id := range slices.Sorted(maps.Keys(p.Users)) {
			dst = append(appendString(append(dst, `{"id":`...), id), "},"...)
		}
		answer(append(trimComma(dst), "]}"...), nil)
	})
	if err != nil {
		answer(nil, err)
	}
}

// terminate closes the connections of a user who has signed in.
func (s *Service[C]) terminate(r *Request, answer answering) {
	q := push.Question{
		Verb: push.Kick, To: []push.Target{r.App.Channel(userPrefix + r.name)}, Code: CodeUnauthorized,
		Reason: "the back end has ended it",
	}
	if err := s.hub.Ask(q, func(_ push.Answer, err error) { answer([]byte("{}"), err) }); err != nil {
		answer(nil, err)
	}
}
