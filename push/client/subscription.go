package client

import (
	"context"
	"errors"

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
	repaired  push.Position // after which a hole was seen, and the server was asked once more
	dormant   bool          // nobody has asked for it, and the server no longer has the client in it
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
// The server is told; it may be away. A client is in its uid and its groups in any case: Options.Handler is told what
// comes.
func (sub *Subscription) Unsubscribe() {
	c := sub.c
	c.mu.Lock()
	s, r := c.session, sub.leaveLocked()
	c.mu.Unlock()
	if s != nil && r != nil {
		_ = s.send(r) // a connection that cannot be written to ends, and the next one does not ask for it
	}
}

// leaveLocked has the subscription be over, and says what to tell the server; nil: nothing.
func (sub *Subscription) leaveLocked() *level1.Request {
	c := sub.c
	sub.over = true
	if c.subs[sub.target] != sub {
		return nil // it was over before
	}
	delete(c.subs, sub.target)
	if kind, _ := sub.target.Split(); kind == push.ToChannel {
		return &level1.Request{Op: level1.OpUnsub, ID: c.nextNumberLocked(), Channel: sub.target}
	}
	rest := c.newSubscription(sub.target, push.Since{}, c.options.Handler)
	rest.track, rest.isSettled = sub.track, true
	rest.session, rest.number, rest.pending = sub.session, sub.number, sub.pending
	c.subs[sub.target] = rest
	return nil
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
