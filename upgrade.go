package lineman

import (
	"errors"
	"fmt"
	"net"
	"net/http"
)

// Upgrade makes the request of a handler the handshake of a WebSocket of worker, which need not listen anywhere and becomes
// known to the loop by this. The handshake is checked and OnUpgrade of worker asked on the loop, which answers, also if it
// refuses; what the handler has set in w's header is not sent. The handler should return after it. It works behind
// middleware, for requests of a Worker's Handler only: the error says so, or that the connection has ended.
func Upgrade(_ http.ResponseWriter, r *http.Request, worker *Worker) error {
	x := exchangeOf(r)
	if x == nil {
		return errors.New("lineman: upgrade: the request is none of a Worker's Handler")
	}
	if _, _, err := x.inner.Hijack(); err != nil {
		return fmt.Errorf("lineman: upgrade: %w", err)
	}
	var err error
	if !x.conn.loop.await(func() { err = x.conn.upgrade(x.head, worker) }) {
		return fmt.Errorf("lineman: upgrade: %w", net.ErrClosed)
	}
	return err
}

// upgrade gives the connection to a WebSocket worker, beginning with the head of the request at hand.
func (c *Conn) upgrade(head []byte, w *Worker) error {
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
	h.from = from
	c.mu.Lock()
	c.session = h
	c.mark(resume)
	c.mu.Unlock()
	in := c.loop.newInput()
	in.bytes = append(in.bytes, head...)
	if c.in != nil {
		in.bytes = append(in.bytes, c.in.bytes...)
		c.loop.freeInput(c)
	}
	c.in = in
	return nil
}
