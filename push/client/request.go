package client

import (
	"context"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/level1"
)

// History reads at most n messages that are kept of a target which the client follows; 0: as many as the server tells
// at once. With a position in since these are what came after it, from the oldest on, or there is a Gap. More says that
// there are more. A refusal is a level1.Failure. It waits for a connection while there is none.
func (c *Client) History(ctx context.Context, of push.Target, since push.Since, n int) (level1.History, error) {
	return ask[level1.History](ctx, c, level1.Request{Op: level1.OpHist, Channel: of, Since: since, N: n})
}

// Presence tells who is in a channel that the client follows. Errors are as those of History.
func (c *Client) Presence(ctx context.Context, of push.Target) (level1.Presence, error) {
	return ask[level1.Presence](ctx, c, level1.Request{Op: level1.OpPresence, Channel: of})
}

// ask waits for the answer to a request about a target. If the connection ends meanwhile, the next one is asked.
func ask[A level1.Frame](ctx context.Context, c *Client, r level1.Request) (answer A, err error) {
	if err := r.Channel.Check(); err != nil {
		return answer, err
	}
	behind, done := c.queue.hurry()
	defer done()
	for {
		s, err := c.connected(ctx)
		if err != nil {
			return answer, err
		}
		if answer, err = askOver[A](ctx, s, &r, behind); err != ErrUnanswered {
			return answer, err
		}
	}
}

// askOver waits for the answer to a request over one connection. ErrUnanswered means that this has ended.
func askOver[A level1.Frame](
	ctx context.Context, s *session, r *level1.Request, behind <-chan struct{},
) (answer A, err error) {
	got, forget := s.ask(r)
	defer forget()
	select {
	case f := <-got:
		return answerOf[A](f)
	case <-s.life.Done():
		select {
		case f := <-got: // it came just before
			return answerOf[A](f)
		default:
			return answer, ErrUnanswered
		}
	case <-ctx.Done():
		return answer, context.Cause(ctx)
	case <-behind:
		return answer, ErrBehind
	}
}

// answerOf is the answer that a frame is.
func answerOf[A level1.Frame](f level1.Frame) (answer A, err error) {
	switch f := f.(type) {
	case A:
		return f, nil
	case level1.Failure:
		return answer, f
	}
	return answer, level1.ErrFrame // it answers something else
}

// ask sends a request. got is given the answer; who does not wait for it any more calls forget.
func (s *session) ask(r *level1.Request) (got <-chan level1.Frame, forget func()) {
	s.c.mu.Lock()
	r.ID = s.c.nextNumberLocked()
	s.c.mu.Unlock()
	id, answered := r.ID, make(chan level1.Frame, 1)
	s.mu.Lock()
	s.asked[id] = answered
	s.mu.Unlock()
	_ = s.send(r) // a connection that cannot be written to ends
	return answered, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.asked, id)
	}
}

// answer gives an answer to who waits for it, and reports whether anybody does.
func (s *session) answer(id int64, f level1.Frame) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	answered, found := s.asked[id]
	if found {
		delete(s.asked, id)
		answered <- f
	}
	return found
}

// after calls f on a goroutine of its own after some time, unless life ends before.
func (c *Client) after(life context.Context, wait time.Duration, f func()) {
	c.running.Go(func() {
		select {
		case <-life.Done():
		case <-time.After(wait):
			f()
		}
	})
}
