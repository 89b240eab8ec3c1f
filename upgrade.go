package lineman

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/lineman-go/lineman/internal/exchange"
)

// Upgrade makes the request of a handler the handshake of a WebSocket of worker, which need not listen anywhere and
// becomes known to the loop by this. The handshake is checked and OnUpgrade of worker asked on the loop, which answers,
// also if it refuses. The handler should return after it. It works behind middleware, for requests of a Worker's
// Handler only.
//
// What is set in w's header by then goes with the answer, such as Set-Cookie, but for what is for one hop or about a
// body. Sec-WebSocket-Protocol chooses the subprotocol, which must be one that the client offers. A value, one at the
// most, is what Conn.Value is from OnUpgrade on: who has signed in, for example, as middleware has put it into the
// request's context.
//
// The error says that a field cannot be sent, or a subprotocol was not offered: the handler can still answer then; or
// that the connection has ended.
func Upgrade(w http.ResponseWriter, r *http.Request, worker *Worker, value ...any) error {
	x := exchange.Of(r)
	switch {
	case x == nil:
		return errors.New("lineman: upgrade: the request is none of a Worker's Handler")
	case len(value) > 1:
		return fmt.Errorf("lineman: upgrade: %d values: a connection has one", len(value))
	}
	a, err := acceptanceOf(w, x.Response(), r)
	if err != nil {
		return fmt.Errorf("lineman: upgrade: %w", err)
	}
	if a.valued = len(value) == 1; a.valued {
		a.value = value[0]
	}
	if _, _, err := x.Response().Hijack(); err != nil {
		return fmt.Errorf("lineman: upgrade: %w", err)
	}
	c := connOf(x)
	refused, err := Ask(context.Background(), c.loop, func() error { return c.upgrade(x.Head(), worker, a) })
	if err != nil {
		return fmt.Errorf("lineman: upgrade: %w", net.ErrClosed)
	}
	return refused
}

// upgrade gives the connection to a WebSocket worker, beginning with the head of the request at hand.
func (c *Conn) upgrade(head []byte, w *Worker, a *acceptance) error {
	if c.phase.get() != open {
		return fmt.Errorf("lineman: upgrade: %w", net.ErrClosed)
	}
	s, err := c.loop.serviceOf(w)
	if err != nil {
		return err
	}
	if s.kind != speaksWebSocket {
		return fmt.Errorf("lineman: upgrade: worker %q does not speak WebSocket", s.name)
	}
	from := c.service
	if err := c.SetWorker(w); err != nil {
		return err
	}
	h := newHTTPSession(s) // also after Serve
	h.from, h.acceptance = from, a
	a.exchange(c)
	c.mu.Lock()
	c.session = h
	c.markLocked(resume)
	c.mu.Unlock()
	in := c.loop.newInput()
	in.bytes = append(in.bytes, head...)
	if c.in.rest != nil {
		in.bytes = append(in.bytes, c.in.rest.bytes...)
		c.loop.freeInput(c)
	}
	c.in.rest = in
	return nil
}
