package pusher

import (
	"encoding/json"
	"iter"

	"github.com/lineman-go/lineman/push"
)

// maxWatched is how many users a page may watch for.
const maxWatched = 100

// signIn takes who a page shows to be. From then on it gets what back ends tell this user.
func (s *Service[C]) signIn(c C, p *Page, m *push.Member[C], f *Frame) {
	if f.UserData == "" || !p.app.authorizes(f.Auth, userText(SocketID(m.Target()), f.UserData)) {
		s.Fail(c, &Error{Code: CodeUnauthorized, Text: "the signature of the user is not good"})
		return
	}
	var data struct {
		ID        json.RawMessage `json:"id"`
		Info      json.RawMessage `json:"user_info"`
		Watchlist []string        `json:"watchlist"`
	}
	err := json.Unmarshal([]byte(f.UserData), &data)
	who := user{userID(data.ID), compact(data.Info)}
	switch known := p.User(); {
	case err != nil || checkUser(who.id) != nil || push.UID(who.id).Check() != nil || len(who.info) > push.MaxInfo:
		s.Fail(c, &Error{Code: CodeUnauthorized, Text: `"user_data" is JSON with "id", of 1 to 128 bytes`})
		return
	case known != "" && known != who.id:
		s.Fail(c, &Error{Code: CodeUnauthorized, Text: "another user has signed in already"})
		return
	}
	if err := m.Subscribe(string(p.app.Channel(userPrefix + who.id))); err != nil {
		s.Fail(c, &Error{Code: CodeRejected, Text: err.Error()})
		return
	}
	p.rest().user = who
	s.send(c, func(dst []byte) []byte { return appendSignedIn(dst, f.UserData) })
	s.watch(c, p, m, data.Watchlist)
}

// watch has a user be seen by those who watch for it, and the page be told of those that it watches for.
func (s *Service[C]) watch(c C, p *Page, m *push.Member[C], watchlist []string) {
	err := m.SubscribeAs(string(p.app.Channel(onlinePrefix+p.User())), p.User(), nil)
	var in []push.Target
	var ids []string
	if len(watchlist) > maxWatched {
		s.Fail(c, &Error{Code: CodeWatchlist, Text: "a watchlist has at most 100 users"})
		return
	}
	for _, id := range watchlist {
		if id == p.User() || checkUser(id) != nil {
			continue
		}
		t := p.app.Channel(onlinePrefix + id)
		if err == nil {
			err = m.Subscribe(string(t))
		}
		in, ids = append(in, t), append(ids, id)
	}
	if err != nil {
		s.Fail(c, &Error{Code: CodeWatchlist, Text: err.Error()})
		return
	}
	if len(in) == 0 {
		return
	}
	_ = s.hub.CountPresent(in, func(n []int, err error) { // where presence is off, nobody is told
		if err != nil || s.hub.Member(c.ID()) == nil {
			return
		}
		var online, offline []string
		for i, id := range ids {
			if n[i] > 0 {
				online = append(online, id)
			} else {
				offline = append(offline, id)
			}
		}
		s.send(c, func(dst []byte) []byte { return appendWatched(dst, online, offline) })
	})
}

// tellWatchers tells pages that a user is online now, or no longer.
func (s *Service[C]) tellWatchers(to iter.Seq[C], in push.Target, id string, online bool) {
	others := func(yield func(C) bool) {
		for c := range to {
			if s.options.Page(c).User() != id && !yield(c) {
				return
			}
		}
	}
	s.options.SendAll(others, in, push.Stored{}, func(dst []byte) []byte {
		if online {
			return appendWatched(dst, []string{id}, nil)
		}
		return appendWatched(dst, nil, []string{id})
	})
}
