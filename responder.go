package lineman

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
)

// response is what net/http's own ResponseWriter for HTTP/1.1 can do, so that middleware finds all of it.
type response interface {
	http.ResponseWriter
	http.Flusher
	http.Hijacker
	io.ReaderFrom
	io.StringWriter
	CloseNotify() <-chan bool
}

// responder is the ResponseWriter of a handler. It differs from net/http's in Hijack.
type responder struct {
	response
	exchange *exchange
}

// Unwrap is for http.ResponseController.
func (r *responder) Unwrap() http.ResponseWriter { return r.response }

// Hijack gives the connection away: below TLS and on a Unix socket as a net.Conn of the loop's, else as a *net.TCPConn that
// the loop no longer knows. OnClose is not called for it.
func (r *responder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	_, rw, err := r.response.Hijack()
	if err != nil {
		return nil, nil, err
	}
	c, unread, err := r.exchange.hijack()
	if err != nil {
		return nil, nil, err
	}
	buffered, _ := rw.Reader.Peek(rw.Reader.Buffered()) // what is buffered is there
	unread = append(bytes.Clone(buffered), unread...)
	in := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(unread), c), max(4<<10, len(unread)))
	_, _ = in.Peek(len(unread)) // as it is in net/http: Buffered tells
	return c, bufio.NewReadWriter(in, bufio.NewWriter(c)), nil
}
