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

func (h *handlerSession) Append(dst, msg []byte) ([]byte, error) { return dst, ErrAnswered }
func (h *handlerSession) more(*Conn)                             {}
func (h *handlerSession) half() bool                             { return !h.split.Between() }
func (h *handlerSession) Kind() uint8                            { return websocket.Unshared }

// broken answers a request that could not be understood, unless its handler may have begun to.
func (h *handlerSession) broken(dst []byte, cause error) []byte {
	return refusal(dst, cause, h.service.loop)
}

func (h *handlerSession) goodbye(dst []byte, _ websocket.Code, _ string) []byte { return dst }

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

// goOn goes on when the handler of Serve is done.
func (h *httpSession) goOn(c *Conn) {
	if h.served == nil || !h.served.over() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h.served = nil
	h.waiting, h.awaits = false, false
	h.lastOfRestLocked(c)
}

// serving is the exchange under way, or nil. On the loop.
func (c *Conn) serving() *exchange {
	switch h := c.session.(type) {
	case *httpSession:
		return h.served
	case *handlerSession:
		return h.current
	}
	return nil
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
