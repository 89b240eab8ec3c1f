package lineman

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"

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
	current *exchange // nil while idle. Written by the loop.
	piece   http1.Piece
}

func (h *handlerSession) Decode(data []byte) (int, []byte, error) {
	if h.current != nil && h.current.tunnels() {
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
		c.count()
		c.since = c.loop.ticks(c.loop.now)
		h.current = newExchange(c, h.service.worker.Handler)
	}
	h.current.feed(msg, h.piece.Ends)
	if h.piece.Ends && c.hasRest() {
		h.current.cut()
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
	switch h.current.room(h.split.Between()) {
	case exchangeOver:
		h.current = nil
		if h.split.Exchange().Close && c.hasRest() {
			c.Abort() // that request was the last
			return false
		}
		return true
	case exchangeHasRoom:
		return true
	}
	return false
}

// active reports whether a request is with the handler.
func (h *handlerSession) active() bool { return h.current != nil && !h.current.over() }

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
	if !c.state.paused && !c.state.half {
		on[0] = limit{c.since, c.service.after.keepAlive, (*Conn).unasked}
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
	if h.current != nil {
		h.current.unanswerable(h.split.Between() && !h.current.tunnels())
	}
}

func (h *handlerSession) peerEnded(*Conn, error) bool {
	if h.current != nil {
		h.current.cut()
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
	c.setCauseLocked(reason)
	c.mu.Unlock()
	c.state.ended = true
	c.loop.freeInput(c)
	c.rearm()
	h.current.leave()
	h.current.cut()
	return true
}

func (h *handlerSession) leave(c *Conn, late bool) bool {
	return h.current != nil && leaveExchange(c, h.current, late)
}

// broken answers a request that could not be understood, unless its handler may have begun to.
func (h *handlerSession) brokenLocked(dst []byte, cause error) []byte {
	return refusal(dst, cause, h.service.loop)
}

// Serve has an http.Handler answer the request that waits, as a worker's Handler would: by http.FileServer, for
// example. The handler runs on a goroutine; the body that came is copied for it, without trailers. In OnRequest only.
// ErrAnswered means that no request waits.
func (c *Conn) Serve(handler http.Handler) error {
	h, ok := c.session.(*httpSession)
	if !ok || c.loop.requestOf != c || h.served != nil || !h.waits(c) {
		return ErrAnswered
	}
	x := newExchange(c, handler)
	x.held = true // the end of the exchange wakes the loop
	x.feed(c.loop.request.AppendTo(nil), true)
	if c.hasRest() {
		x.cut()
	}
	c.mu.Lock()
	h.served = x
	c.mu.Unlock()
	c.service.serveHTTP(x)
	return nil
}

// exchangeLimits are those of a request with a handler: the peer has to go on with the body that the handler waits for,
// and to take what was written. The handler may take its time.
func exchangeLimits(c *Conn, x *exchange) (on [3]limit) {
	now := c.loop.ticks(c.loop.now)
	after := &c.service.after
	c.since = now // keep-alive counts from the end of the exchange
	on[0] = limit{now, after.keepAlive, func(*Conn) {}}
	if x.waitsForBody() {
		on[1] = limit{max(c.touched, x.asked), after.message, (*Conn).late}
	}
	if x.stuck(now) {
		on[2] = limit{x.progress, after.answer, (*Conn).overdue}
	}
	return on
}

// exchangeWritten tells the handler that the kernel has taken something, and has the limits of the exchange looked at
// when they could be passed.
func exchangeWritten(c *Conn, x *exchange) {
	x.drained()
	now := c.loop.ticks(c.loop.now)
	if x.stuck(now) {
		c.watch(c.service.after.answer)
	}
	if x.waitsForBody() {
		if !x.asks {
			x.asks, x.asked = true, now
		}
		c.watch(c.service.after.message)
	} else {
		x.asks = false
	}
}

// leaveExchange has the connection end after the exchange under way, and reports whether there is one. Requests that
// have come behind it are handled before, unless it is late.
func leaveExchange(c *Conn, x *exchange, late bool) bool {
	if !late && (!x.over() || c.state.holding) {
		return true
	}
	return x.leave()
}

// serveHTTP gives an exchange to net/http.
func (s *service) serveHTTP(x *exchange) {
	if s.handler == nil {
		s.handler = newHandlerServer(s)
	}
	s.handler.conns <- x
}

// handlerServer is net/http's server for a service: a listener whose connections are exchanges.
type handlerServer struct {
	server http.Server
	addr   net.Addr
	conns  chan *exchange
	ended  chan struct{} // closed by Close
	once   sync.Once
}

func newHandlerServer(s *service) *handlerServer {
	h := &handlerServer{conns: make(chan *exchange, 64), ended: make(chan struct{}), addr: &net.TCPAddr{}}
	h.server = http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			x := exchangeOf(r)
			r.TLS, x.inner = x.tls, w.(response)
			s.noteClient(x.conn.remote.Addr(), r)
			answer := &responder{response: x.inner, exchange: x}
			x.handler.ServeHTTP(answer, r)
			answer.begin()
		}),
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelError),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, exchangeKey{}, c) },
		ConnState: func(c net.Conn, state http.ConnState) {
			if state == http.StateIdle {
				c.(*exchange).keepAlive()
			}
		},
		MaxHeaderBytes: 1 << 20, // the Splitter is stricter
	}
	s.loop.helpers.Add(1)
	go func() {
		defer s.loop.helpers.Done()
		_ = h.server.Serve(h) // http.ErrServerClosed, or what Accept says at the end
	}()
	return h
}

func (h *handlerServer) Accept() (net.Conn, error) {
	select {
	case x := <-h.conns:
		return x, nil
	case <-h.ended:
		return nil, net.ErrClosed
	}
}

func (h *handlerServer) Addr() net.Addr { return h.addr }

func (h *handlerServer) Close() error {
	h.once.Do(func() { close(h.ended) })
	return nil
}

// exchangeKey is the key of a request's exchange in its context.
type exchangeKey struct{}

func exchangeOf(r *http.Request) *exchange {
	x, _ := r.Context().Value(exchangeKey{}).(*exchange)
	return x
}
