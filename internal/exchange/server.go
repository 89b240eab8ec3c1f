package exchange

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
)

// A Server is net/http's server for exchanges. Its goroutine for one ends with it.
type Server struct {
	http   http.Server
	accept listener
}

// NewServer makes a server that tells log of panics in handlers. prepare is called for each request before its handler
// is, on the same goroutine.
func NewServer(log *slog.Logger, prepare func(Conn, *http.Request)) *Server {
	s := &Server{accept: listener{exchanges: make(chan *Exchange, 64), ended: make(chan struct{})}}
	s.http = http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			x := Of(r)
			prepare(x.conn, r)
			x.handle(w.(Response), r)
		}),
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelError),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, key{}, c) },
		ConnState: func(c net.Conn, state http.ConnState) {
			if state == http.StateIdle {
				c.(*Exchange).keepAlive()
			}
		},
		MaxHeaderBytes: 1 << 20, // the loop has checked the head, more strictly
	}
	return s
}

// Run serves until Close. Handlers under way go on.
func (s *Server) Run() { _ = s.http.Serve(&s.accept) } // it ends with what Accept says at the end

// Serve has an exchange served. It returns at once; after Close the exchange may never begin.
func (s *Server) Serve(x *Exchange) { s.accept.exchanges <- x }

// Close ends Run.
func (s *Server) Close() { _ = s.accept.Close() } // which has no error

// handle has the handler answer a request.
func (x *Exchange) handle(w Response, r *http.Request) {
	r.TLS, x.response = x.tls, w
	answer := &responder{Response: w, exchange: x}
	x.handler.ServeHTTP(answer, r)
	answer.begin()
}

// Response is net/http's own ResponseWriter, below that of the handler. In the handler only.
func (x *Exchange) Response() Response { return x.response }

// key is the key of a request's exchange in its context.
type key struct{}

// Of is the exchange that a request came on; nil if it came in another way.
func Of(r *http.Request) *Exchange {
	x, _ := r.Context().Value(key{}).(*Exchange)
	return x
}

// listener is the net.Listener whose connections are the exchanges.
type listener struct {
	exchanges chan *Exchange
	ended     chan struct{} // closed by Close
	once      sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case x := <-l.exchanges:
		return x, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l *listener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *listener) Close() error {
	l.once.Do(func() { close(l.ended) })
	return nil
}
