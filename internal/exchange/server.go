package exchange

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
)

// A Server is net/http's server for exchanges.
type Server struct {
	http    http.Server
	accept  listener
	spares  spares
	prepare func(Conn, *http.Request)
}

// NewServer makes a server that tells log of panics in handlers. prepare is called for each request before its handler
// is, on the same goroutine.
func NewServer(log *slog.Logger, prepare func(Conn, *http.Request)) *Server {
	s := &Server{prepare: prepare}
	s.accept = listener{conns: make(chan *serverConn, 64), ended: make(chan struct{})}
	s.http = http.Server{
		Handler:     http.HandlerFunc(s.handle),
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelError),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, key{}, c) },
		ConnState: func(c net.Conn, state http.ConnState) {
			if state == http.StateIdle {
				c.(*serverConn).idle()
			}
		},
		MaxHeaderBytes: 1 << 20, // the loop has checked the head, more strictly
	}
	return s
}

// Run serves until Close. Handlers under way go on.
func (s *Server) Run() { _ = s.http.Serve(&s.accept) } // it ends with what Accept says at the end

// Serve has an exchange served. It returns at once; after Close the exchange may never begin.
func (s *Server) Serve(x *Exchange) {
	if c := s.spares.take(); c != nil {
		c.next <- x
		return
	}
	select {
	case s.accept.conns <- newServerConn(s, x):
	case <-s.accept.ended: // nobody accepts any more
	}
}

// Close ends Run.
func (s *Server) Close() {
	_ = s.accept.Close() // which has no error
	s.spares.end()
}

// handle has the handler of an exchange answer its request.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	c := r.Context().Value(key{}).(*serverConn)
	x := c.current.Load()
	if c.answered { // net/http has found another request in the bytes of one
		x.MakeLast()
		panic(http.ErrAbortHandler)
	}
	r.RemoteAddr, r.TLS = x.ends.Peer, x.tls
	x.context = requestContext{r.Context(), x}
	*r = *r.WithContext(&x.context)
	s.prepare(x.conn, r)
	x.answer = responder{Response: w.(Response), exchange: x}
	defer s.logPanic(x.ends.Peer)
	x.handler.ServeHTTP(&x.answer, r)
	x.answer.begin()
	x.returned.Store(true)
}

// logPanic tells of a panic in a handler as net/http does, which does not know the peer.
func (s *Server) logPanic(peer string) {
	switch v := recover(); v {
	case nil:
	case http.ErrAbortHandler:
		panic(v)
	default:
		s.http.ErrorLog.Printf("http: panic serving %s: %v\n%s", peer, v, debug.Stack())
		panic(http.ErrAbortHandler) // it closes the connection, and says nothing
	}
}

// requestContext is the context of a request: net/http's, with what is its exchange's own.
type requestContext struct {
	context.Context
	exchange *Exchange
}

// key is the key of a request's exchange in its context, and that of the serverConn in net/http's.
type key struct{}

func (c *requestContext) Value(k any) any {
	switch k {
	case key{}:
		return c.exchange
	case http.LocalAddrContextKey:
		return c.exchange.ends.Local
	}
	return c.Context.Value(k)
}

// Response is net/http's own ResponseWriter, below that of the handler. In the handler only.
func (x *Exchange) Response() Response { return x.answer.Response }

// Of is the exchange that a request came on; nil if it came in another way.
func Of(r *http.Request) *Exchange {
	x, _ := r.Context().Value(key{}).(*Exchange)
	return x
}

// listener is the net.Listener whose connections are the serverConns.
type listener struct {
	conns chan *serverConn
	ended chan struct{} // closed by Close
	once  sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l *listener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *listener) Close() error {
	l.once.Do(func() { close(l.ended) })
	return nil
}
