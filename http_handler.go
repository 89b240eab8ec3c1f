package lineman

import (
	"net/http"

	"github.com/lineman-go/lineman/internal/exchange"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// handlerSession is a connection whose requests go to an http.Handler. Its Splitter checks the head of each request and
// finds its end; net/http serves the request over an exchange, on a goroutine that ends with it. So answers keep their
// order, and net/http never sees a byte behind the request.
//
//	        a head has come                      net/http is done
//	idle ─────────────────────▶ exchange ──────────────────────────▶ idle, or closing
//	                             (body pieces go to it, at most so many ahead)
type handlerSession struct {
	plain
	split   *http1.Splitter // on the loop
	service *service
	current *exchange.Exchange // nil while idle. Written by the loop.
	piece   http1.Piece
	ends    exchange.Ends // of the connection; zero before its first request. Owned by the loop.
}

func (h *handlerSession) Decode(data []byte) (int, []byte, error) {
	if h.current != nil && h.current.Tunnels() {
		h.piece = http1.Piece{Size: len(data)}
		return len(data), data, nil
	}
	p, err := h.split.Next(data)
	if err != nil || p.Size == 0 {
		return 0, nil, err
	}
	if h.piece = p; p.Skip {
		return p.Size, nil, nil
	}
	return p.Size, data[:p.Size], nil
}

func (h *handlerSession) deliver(c *Conn, msg []byte) {
	if h.piece.Begins {
		c.in.count(c)
		c.since = c.loop.present
		if h.ends.Local == nil {
			h.ends = endsOf(c)
		}
		h.current = newExchange(c, h.ends, h.service.worker.Handler)
	}
	h.current.Feed(msg, h.piece.Ends)
	if h.piece.Ends {
		tellWhole(c, h.current)
	}
	if h.piece.Begins {
		h.service.serveHTTP(h.current)
	}
}

// takes reports whether another piece may be looked at. If not, the exchange tells when.
func (h *handlerSession) takes(c *Conn) bool {
	if h.current == nil {
		return true
	}
	switch h.current.Room(h.split.Between()) {
	case exchange.Ended:
		h.current = nil
		if h.split.Exchange().Close && c.end.hasRest(c) {
			c.Abort() // that request was the last
			return false
		}
		return true
	case exchange.Free:
		return true
	}
	return false
}

// active reports whether a request is with the handler.
func (h *handlerSession) active() bool { return h.current != nil && !h.current.Over() }

func (h *handlerSession) Append(dst, _ []byte) ([]byte, error) { return dst, ErrAnswered }
func (h *handlerSession) Kind() uint8                          { return websocket.Unshared }
func (h *handlerSession) half() bool                           { return !h.split.Between() }
func (h *handlerSession) busy(*Conn) bool                      { return h.active() }
func (h *handlerSession) partsAtRest() bool                    { return false }

func (h *handlerSession) begin(c *Conn) {
	h.plain.begin(c)
	c.watch(c.service.after.keepAlive)
}

// goOn forgets an exchange that is over, and with it what net/http held for it.
func (h *handlerSession) goOn(c *Conn) { h.takes(c) }

func (h *handlerSession) limits(c *Conn) [3]limit {
	if h.active() {
		return exchangeLimits(c, h.current)
	}
	on := h.plain.limits(c)
	if c.state&(paused|half) == 0 {
		on[0] = limit{c.since, c.service.after.keepAlive, endUnasked}
	}
	return on
}

func (h *handlerSession) written(c *Conn, _ bool) (goOn bool) {
	if h.current != nil {
		exchangeWritten(c, h.current)
	}
	return false
}

// severed tells the handler. It can read what is still to come of its request; one that has all of it has no client any
// more.
func (h *handlerSession) severed(*Conn) {
	switch x := h.current; {
	case x == nil:
	case h.split.Between() && !x.Tunnels():
		x.Cut()
	default:
		x.Wake()
	}
}

func (h *handlerSession) peerEnded(*Conn, error) bool {
	if h.current != nil {
		h.current.Cut()
	}
	return false
}

// breaksOff reads no more of a request that is with its handler, which sees its body end and may still answer; the
// connection closes then.
func (h *handlerSession) breaksOff(c *Conn, reason error) bool {
	if !h.active() {
		return false
	}
	c.mu.Lock()
	c.end.setCauseLocked(c, reason)
	c.mu.Unlock()
	c.state |= ended
	c.loop.freeInput(c)
	c.rearm()
	h.current.MakeLast()
	h.current.Cut()
	return true
}

func (h *handlerSession) leave(c *Conn, late bool) bool {
	return h.current != nil && leaveExchange(c, h.current, late)
}

// brokenLocked answers a request that could not be understood, unless its handler may have begun to.
func (h *handlerSession) brokenLocked(dst []byte, cause error) []byte {
	return refusal(dst, cause, h.service.loop)
}

// Serve lets an http.Handler, such as http.FileServer, answer the request that waits, as a worker's Handler would. The
// handler runs on a goroutine. It gets a copy of the body, without trailers. In OnRequest only. ErrAnswered means that
// no request waits.
func (c *Conn) Serve(handler http.Handler) error {
	h, ok := c.session.(*httpSession)
	if !ok || c.loop.requestOf != c || h.served != nil || !h.waits(c) {
		return ErrAnswered
	}
	x := newExchange(c, endsOf(c), handler)
	x.Hold() // the end of the exchange resumes the connection
	x.Feed(c.loop.request.AppendTo(nil), true)
	tellWhole(c, x)
	c.mu.Lock()
	h.served = x
	c.mu.Unlock()
	c.service.serveHTTP(x)
	return nil
}

// tellWhole tells an exchange that has all of its request what is known of its client: whether it has gone, and whether
// another request has come.
func tellWhole(c *Conn, x *exchange.Exchange) {
	if c.end.hasRest(c) {
		x.Cut()
	}
	if c.loop.behind > 0 {
		x.Follow()
	}
}

// exchangeLimits are those of a request with a handler: the peer has to go on with the body that the handler waits for,
// and to take what was written. The handler may take its time.
func exchangeLimits(c *Conn, x *exchange.Exchange) (on [3]limit) {
	now := c.loop.present
	after := &c.service.after
	c.since = now // keep-alive counts from the end of the exchange
	on[0] = limit{now, after.keepAlive, func(*Conn) {}}
	if since, ok := x.AwaitsBody(now); ok {
		on[1] = limit{latest(c.in.touched, since), after.message, timeOut}
	}
	if since, ok := x.Stalled(now); ok {
		on[2] = limit{since, after.answer, endOverdue}
	}
	return on
}

// exchangeWritten tells the handler that the kernel has taken something, and has the limits of the exchange looked at
// when they could be passed.
func exchangeWritten(c *Conn, x *exchange.Exchange) {
	x.Wake()
	now := c.loop.present
	if _, ok := x.Stalled(now); ok {
		c.watch(c.service.after.answer)
	}
	if _, ok := x.AwaitsBody(now); ok {
		c.watch(c.service.after.message)
	}
}

// leaveExchange has the connection end after the exchange under way, and reports whether there is one. Requests that
// have come behind it are handled before, unless it is late.
func leaveExchange(c *Conn, x *exchange.Exchange, late bool) bool {
	if !late && (!x.Over() || c.state&holding != 0) {
		return true
	}
	return x.MakeLast()
}

// serveHTTP gives an exchange to net/http.
func (s *service) serveHTTP(x *exchange.Exchange) {
	if s.handler == nil {
		s.handler = exchange.NewServer(s.log, func(c exchange.Conn, r *http.Request) {
			s.noteClient(c.(handlerConn).Conn, r)
		})
		s.loop.helpers.Go(s.handler.Run)
	}
	s.handler.Serve(x)
}
