package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/level1"
)

// Errors of what a client says.
var (
	// ErrUnanswered means that the connection has ended before the answer came: what was said may have been heard.
	ErrUnanswered = errors.New("client: the connection has ended before the answer: it may have been heard")

	// ErrDown means that no connection is there, and that nobody was to wait for one.
	ErrDown = errors.New("client: no connection is there")

	// ErrTooLarge matches what is longer than the server takes.
	ErrTooLarge = errors.New("client: it is longer than the server takes")

	errNoJSON = errors.New("client: what is said has to be JSON")
)

// PublishOptions are how Publish publishes. The zero value waits for the answer.
type PublishOptions struct {
	// NoEcho: this connection does not get the message itself.
	NoEcho bool

	// NoWait: it is sent over the connection that is there, or is ErrDown. Nobody hears what becomes of it.
	NoWait bool
}

// Publish publishes data, any JSON, on a channel whose namespace lets clients do so. It waits for a connection while
// there is none, and for the answer: the position of the message, which is zero if no history is kept. A refusal is a
// level1.Failure. It is never sent twice: if the connection ends before the answer, the error is ErrUnanswered.
func (c *Client) Publish(
	ctx context.Context, channel push.Target, data json.RawMessage, o PublishOptions,
) (push.Position, error) {
	if err := channel.Check(); err != nil {
		return push.Position{}, err
	}
	r := level1.Request{Op: level1.OpPub, Channel: channel, Data: data, NoEcho: o.NoEcho}
	if o.NoWait {
		return push.Position{}, c.sayOnce(&r)
	}
	answer, err := sayOver[level1.Published](ctx, c, &r)
	return answer.Position, err
}

// SayOptions are how Say says something. The zero value waits for the answer.
type SayOptions struct {
	// NoWait: it is sent over the connection that is there, or is ErrDown. Nobody hears what becomes of it.
	NoWait bool
}

// Say tells the back ends that listen something, any JSON, and returns nil when all of them have it. Until then it says
// it again, over the next connection or when they can take it again, as long as ctx lasts: they may have it more than
// once, which they are told. A refusal that would not change is a level1.Failure. Who calls it from one goroutine is
// heard in order.
func (c *Client) Say(ctx context.Context, data json.RawMessage, o SayOptions) error {
	r := level1.Request{Op: level1.OpSay, Data: data}
	if o.NoWait {
		return c.sayOnce(&r)
	}
	for {
		_, err := sayOver[level1.Said](ctx, c, &r)
		var no level1.Failure
		switch {
		case err == ErrUnanswered:
			r.Again = true
			continue
		case !errors.As(err, &no) || no.Code != level1.CodeUnavailable && no.Code != level1.CodeTooMany:
			return err
		}
		r.Again = r.Again || no.Code == level1.CodeUnavailable // some of them may have it
		select {
		case <-time.After(againAfter + rand.N(againAfter)):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), no)
		case <-c.life.Done():
			return context.Cause(c.life)
		}
	}
}

// RPC asks the back end something, and returns what it answers, which is JSON, or nil if it says nothing. data is any
// JSON, or nil. A refusal, or an error that the back end answers, is a level1.Failure. It is never sent twice: if the
// connection ends before the answer, the error is ErrUnanswered. It waits for a connection while there is none.
func (c *Client) RPC(ctx context.Context, method string, data json.RawMessage) (json.RawMessage, error) {
	answer, err := sayOver[level1.Replied](ctx, c, &level1.Request{Op: level1.OpRPC, Method: method, Data: data})
	return answer.Data, err
}

// sayOver says something over the connection that is there, or the next one, and waits for the answer.
func sayOver[A level1.Frame](ctx context.Context, c *Client, r *level1.Request) (answer A, err error) {
	behind, done := c.queue.hurry()
	defer done()
	s, err := c.connected(ctx)
	if err == nil {
		err = s.checkSaying(r)
	}
	if err != nil {
		return answer, err
	}
	return askOver[A](ctx, s, r, behind)
}

// sayOnce says something over the connection that is there, and waits for nothing.
func (c *Client) sayOnce(r *level1.Request) error {
	c.mu.Lock()
	s := c.session
	c.mu.Unlock()
	switch {
	case c.life.Err() != nil:
		return context.Cause(c.life)
	case s == nil:
		return ErrDown
	}
	if err := s.checkSaying(r); err != nil {
		return err
	}
	if s.send(r) != nil {
		return ErrDown
	}
	return nil
}

// aroundData is what a request may have around its data and names, in bytes.
const aroundData = 256

// checkSaying tells what is wrong with what is to be said: who sends more than the server takes is cut off.
func (s *session) checkSaying(r *level1.Request) error {
	if (r.Data != nil || r.Op != level1.OpRPC) && !json.Valid(r.Data) {
		return errNoJSON
	}
	if size := len(r.Data) + len(r.Method) + len(r.Channel) + aroundData; s.welcome.Max > 0 && size > s.welcome.Max {
		return fmt.Errorf("%w: %d bytes, of at most %d with what is around them", ErrTooLarge, size-aroundData,
			s.welcome.Max)
	}
	return nil
}
