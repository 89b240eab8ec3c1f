package client

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/lineman-go/lineman/push/level1"
)

// handleUnsubscribed ends a subscription that the server has ended.
func (s *session) handleUnsubscribed(f level1.Unsubscribed) {
	if f.Why == "" {
		return // the client has asked for it
	}
	s.endSubscription(f, fmt.Errorf("%w: %s", ErrUnsubscribed, f.Why))
}

// endSubscription has a target be followed no longer.
func (s *session) endSubscription(f level1.Unsubscribed, why error) {
	c := s.c
	c.mu.Lock()
	sub := c.subs[f.Channel]
	if sub == nil {
		c.mu.Unlock()
		return
	}
	delete(c.subs, f.Channel)
	if !sub.isSettled {
		sub.err, sub.over = why, true
	}
	sub.settleLocked()
	c.mu.Unlock()
	c.queue.put(0, func() {
		sub.call(func(h *Handler) { h.Ended(f, why) })
		c.mu.Lock()
		defer c.mu.Unlock()
		sub.over = true
	})
}

// Between two tries to subscribe, when the server could not just now.
const againAfter = 2 * time.Second

// handleFailure is the answer to a request, or to a subscription.
func (s *session) handleFailure(f level1.Failure) {
	if s.answer(f.ID, f) {
		return
	}
	c := s.c
	c.mu.Lock()
	sub := c.subs[f.Channel]
	isAbout := sub != nil && sub.isAboutLocked(s, f.ID)
	c.mu.Unlock()
	switch {
	case !isAbout:
	case f.Code == level1.CodeBusy || f.Code == level1.CodeTooMany || f.Code == level1.CodeUnavailable:
		wait := againAfter + rand.N(againAfter)
		c.after(s.life, wait, func() { s.askAgain(sub) })
	case f.Code == level1.CodeForbidden && !sub.asked:
		s.rest(sub, f)
	default:
		s.endSubscription(level1.Unsubscribed{Channel: f.Channel}, f)
	}
}

// maxFollowed is how many targets there may be for those that the client is no longer in to be kept.
const maxFollowed = 1000

// rest keeps where a target stands that the client is no longer in: a back end may put it there again, as into a group,
// and then it goes on.
func (s *session) rest(sub *Subscription, f level1.Failure) {
	c := s.c
	c.mu.Lock()
	sub.dormant = true
	if len(c.subs) > maxFollowed {
		delete(c.subs, f.Channel)
	}
	c.mu.Unlock()
	c.queue.put(0, func() {
		sub.call(func(h *Handler) { h.Ended(level1.Unsubscribed{Channel: f.Channel}, f) })
	})
}

// askAgain asks for a subscription once more, unless it is over or another connection has it.
func (s *session) askAgain(sub *Subscription) {
	sub.c.mu.Lock()
	var r *level1.Request
	if !sub.over && sub.session == s && sub.c.session == s {
		r = sub.askLocked(s)
	}
	sub.c.mu.Unlock()
	if r != nil {
		_ = s.send(r) // hello says it again if that fails
	}
}
