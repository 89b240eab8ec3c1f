package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/level1"
)

// Errors of subscriptions.
var (
	// ErrUnsubscribed is why a target is no longer followed that the server has taken the client out of:
	// level1.Unsubscribed.Why says more.
	ErrUnsubscribed = errors.New("client: the server has ended the subscription")

	errTwice     = errors.New("client: the channel is subscribed already: unsubscribe first")
	errNoMessage = errors.New("client: Handler.Message is required")
)

// Subscription is a target that the client follows, over all its connections.
type Subscription struct {
	c       *Client
	target  push.Target
	handler Handler
	asked   bool          // by Subscribe, not begun by the server
	settled chan struct{} // closed when the server has confirmed or refused it for the first time

	// Guarded by the lock of c.
	track     track
	position  push.Position // of what handlers are done with
	session   *session      // of which it was asked last, or which has begun it
	number    int64         // of that request; 0 if there was none
	pending   bool          // that request was not answered yet
	isSettled bool
	over      bool
	err       error // why it is over
}

// Subscribe follows a target: a channel, or the uid or a group of the connection, which the client is in anyway. It
// begins with what came after the position of since, with the last messages, or with what comes from now on. It waits,
// also over reconnects, until the server has confirmed that, and h may be told something by then. A refusal is a
// level1.Failure. When ctx ends before, there is no subscription. A target can be subscribed to once.
func (c *Client) Subscribe(ctx context.Context, t push.Target, since push.Since, h Handler) (*Subscription, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	if h.Message == nil {
		return nil, errNoMessage
	}
	sub := c.newSubscription(t, since, h.withDefaults())
	sub.asked = true
	s, r, err := c.add(sub)
	if err != nil {
		return nil, err
	}
	if s != nil {
		_ = s.send(r) // hello says it again if that fails
	}
	behind, done := c.queue.hurry()
	defer done()
	select {
	case <-sub.settled:
		return sub.result()
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-behind:
		err = ErrBehind
	case <-c.life.Done():
		err = context.Cause(c.life)
	}
	sub.Unsubscribe()
	return nil, err
}

func (c *Client) newSubscription(t push.Target, since push.Since, h Handler) *Subscription {
	return &Subscription{
		c: c, target: t, handler: h, settled: make(chan struct{}), track: newTrack(since), position: since.Position,
	}
}

// add has a subscription be one of the client's, and says what to ask whom now; nil if hello will.
func (c *Client) add(sub *Subscription) (*session, *level1.Request, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.subs[sub.target]; old != nil {
		if old.asked {
			return nil, nil, errTwice
		}
		old.over = true
	}
	c.subs[sub.target] = sub
	if c.session == nil {
		return nil, nil, nil
	}
	return c.session, sub.askLocked(c.session), nil
}

// askLocked is the request that asks for the subscription on a connection.
func (sub *Subscription) askLocked(s *session) *level1.Request {
	sub.session, sub.number, sub.pending = s, sub.c.nextNumberLocked(), true
	return &level1.Request{Op: level1.OpSub, ID: sub.number, Channel: sub.target, Since: sub.track.since()}
}

// result is what Subscribe returns.
func (sub *Subscription) result() (*Subscription, error) {
	sub.c.mu.Lock()
	defer sub.c.mu.Unlock()
	if sub.err != nil {
		return nil, sub.err
	}
	return sub, nil
}

// Target is what is followed.
func (sub *Subscription) Target() push.Target { return sub.target }

// Position is that of the newest message that Handler.Message has returned from: where to begin another time. It is
// zero if no history is kept.
func (sub *Subscription) Position() push.Position {
	sub.c.mu.Lock()
	defer sub.c.mu.Unlock()
	return sub.position
}

// Unsubscribe ends the subscription. Its handler is not called any more, though one that is running may still do so.
// The server is told; it may be away.
func (sub *Subscription) Unsubscribe() {
	c := sub.c
	c.mu.Lock()
	var s *session
	if !sub.over {
		sub.over = true
		delete(c.subs, sub.target)
		s = c.session
	}
	r := &level1.Request{Op: level1.OpUnsub, ID: c.nextNumberLocked(), Channel: sub.target}
	c.mu.Unlock()
	if s != nil {
		_ = s.send(r) // a connection that cannot be written to ends, and the next one does not ask for it
	}
}

// tell has the handler of a target be told something, if it is followed.
func (s *session) tell(of push.Target, what func(h *Handler)) {
	s.c.mu.Lock()
	sub := s.c.subs[of]
	s.c.mu.Unlock()
	if sub != nil {
		s.c.queue.put(0, func() { sub.call(what) })
	}
}

// call tells the handler something, unless the subscription is over.
func (sub *Subscription) call(what func(h *Handler)) {
	sub.c.mu.Lock()
	over := sub.over
	sub.c.mu.Unlock()
	if !over {
		what(&sub.handler)
	}
}

// reach notes that handlers are done with all up to a Position.
func (sub *Subscription) reach(p push.Position) {
	sub.c.mu.Lock()
	defer sub.c.mu.Unlock()
	sub.position = p
}

// handleSubscribed notes that a target goes on, or begins. One that nobody has asked for is one of Options.Handler.
func (s *session) handleSubscribed(f level1.Subscribed) {
	c := s.c
	c.mu.Lock()
	sub := c.subs[f.Channel]
	switch {
	case sub == nil && (f.ID == 0 || f.ID == s.number):
		sub = c.newSubscription(f.Channel, push.Since{}, c.options.Handler)
		sub.session = s
		c.subs[f.Channel] = sub
	case sub == nil || !sub.isAboutLocked(s, f.ID):
		c.mu.Unlock()
		return // it was unsubscribed meanwhile, or subscribed anew
	}
	sub.pending = false
	gap := sub.track.begun(f.Position, f.N, f.Gap)
	at := sub.track.at
	sub.settleLocked()
	c.mu.Unlock()
	if gap != "" {
		s.tellMissed(sub, level1.Missed{Channel: f.Channel, Gap: gap, Position: at})
		return
	}
	c.queue.put(0, func() { sub.reach(at) })
}

// isAboutLocked reports whether what the server says on a connection with the id of a request is about the
// subscription. What hello has asked for may be told without one, and so is what nobody has asked for.
func (sub *Subscription) isAboutLocked(s *session, id int64) bool {
	switch {
	case sub.session != s:
		return false
	case id == 0 || id == s.number:
		return sub.number == 0 || sub.number == s.number
	}
	return id == sub.number
}

// settleLocked has Subscribe return.
func (sub *Subscription) settleLocked() {
	if !sub.isSettled {
		sub.isSettled = true
		close(sub.settled)
	}
}

func (s *session) tellMissed(sub *Subscription, m level1.Missed) {
	s.c.queue.put(0, func() {
		sub.call(func(h *Handler) { h.Gap(m) })
		sub.reach(m.Position)
	})
}

// next is told the position of a message or a Passed. It says whether that is new for a subscription, and what was
// missed before it. What comes before the answer to a request comes again after it, if it has a position.
func (s *session) next(of push.Target, p push.Position) (sub *Subscription, fresh bool, missed push.Gap) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	sub = s.c.subs[of]
	if sub == nil || sub.pending && p != (push.Position{}) {
		return sub, false, ""
	}
	fresh, missed = sub.track.next(p)
	return sub, fresh, missed
}

// handleMessage hands on a message that is new.
func (s *session) handleMessage(m level1.Message) {
	c := s.c
	sub, fresh, missed := s.next(m.Channel, m.Position)
	switch kind, _ := m.Channel.Split(); {
	case sub == nil && (kind == push.ToEveryone || kind == push.ToConn):
		c.queue.put(len(m.Data), func() { c.options.Handler.Message(m) })
		return
	case !fresh:
		return
	case missed != "":
		before := push.Position{Epoch: m.Position.Epoch, Offset: m.Position.Offset - 1}
		s.tellMissed(sub, level1.Missed{Channel: m.Channel, Gap: missed, Position: before})
	}
	c.queue.put(len(m.Data), func() {
		sub.call(func(h *Handler) { h.Message(m) })
		sub.reachIfSet(m.Position)
	})
}

// reachIfSet is reach for what may have no Position.
func (sub *Subscription) reachIfSet(p push.Position) {
	if p != (push.Position{}) {
		sub.reach(p)
	}
}

// handlePassed moves a target on.
func (s *session) handlePassed(f level1.Passed) {
	sub, fresh, missed := s.next(f.Channel, f.Position)
	switch {
	case !fresh:
	case missed != "":
		s.tellMissed(sub, level1.Missed{Channel: f.Channel, Gap: missed, Position: f.Position})
	default:
		s.c.queue.put(0, func() { sub.reachIfSet(f.Position) })
	}
}

// handleMissed has a target go on behind a gap.
func (s *session) handleMissed(f level1.Missed) {
	c := s.c
	c.mu.Lock()
	sub := c.subs[f.Channel]
	live := sub != nil && !sub.pending
	if live {
		sub.track.at = f.Position
	}
	c.mu.Unlock()
	if live {
		s.tellMissed(sub, f)
	}
}

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
	default:
		s.endSubscription(level1.Unsubscribed{Channel: f.Channel}, f)
	}
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
