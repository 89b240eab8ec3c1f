package client

import (
	"time"

	"github.com/lineman-go/lineman/push/level1"
)

// When a credential is renewed that expires.
const (
	renewBefore = 45 * time.Second // so long before, and at half of its time if that is shorter
	renewPause  = 5 * time.Second  // not more often
)

// renewAt renews the credential in time, if it expires.
func (s *session) renewAt(expires time.Time) {
	if left := time.Until(expires); left > renewPause { // else the server says goodbye, and a new one is asked for
		s.renewIn(max(left-min(left/2, renewBefore), renewPause))
	}
}

// renewIn renews the credential after some time, and not when it was to be renewed before.
func (s *session) renewIn(wait time.Duration) {
	plan := s.renewal.Add(1)
	s.c.after(s.life, wait, func() {
		if s.renewal.Load() == plan {
			s.renew()
		}
	})
}

// renew gets a new token and gives it to the server. If that fails, the server says once more that the old one expires;
// after that, the next connection gets a new one.
func (s *session) renew() {
	if s.c.options.Token == nil {
		return
	}
	token, err := s.c.options.Token(s.life)
	if err != nil {
		return
	}
	got, forget := s.ask(&level1.Request{Op: level1.OpAuth, Token: token})
	defer forget()
	select {
	case f := <-got:
		if a, ok := f.(level1.Authorized); ok {
			s.renewAt(a.Expires)
		}
	case <-s.life.Done():
	}
}
