package exchange

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"time"
)

// Response is what net/http's own ResponseWriter for HTTP/1.1 can do, so that middleware finds all of it.
type Response interface {
	http.ResponseWriter
	http.Flusher
	http.Hijacker
	io.ReaderFrom
	io.StringWriter
	CloseNotify() <-chan bool
}

// responder is the ResponseWriter of a handler. It differs from net/http's in Hijack, and in that an answer says by
// itself when it is the last of its connection.
type responder struct {
	Response
	exchange *Exchange
	begun    bool
}

// begin is called before the head of the answer is made up. On a loop that lets its connections go, it has the answer
// say that the connection closes, if nobody has asked for more.
func (r *responder) begin() {
	if !r.begun && r.exchange.conn.IsLast() {
		r.Header().Set("Connection", "close")
	}
	r.begun = true
}

func (r *responder) WriteHeader(status int) {
	if status >= http.StatusOK {
		r.begin()
	}
	r.Response.WriteHeader(status)
}

func (r *responder) Write(p []byte) (int, error) {
	r.begin()
	return r.Response.Write(p)
}

func (r *responder) WriteString(s string) (int, error) {
	r.begin()
	return r.Response.WriteString(s)
}

func (r *responder) ReadFrom(src io.Reader) (int64, error) {
	r.begin()
	return r.Response.ReadFrom(src)
}

func (r *responder) Flush() {
	r.begin()
	r.Response.Flush()
}

// SetReadDeadline and SetWriteDeadline are for http.ResponseController, and for this request only.
func (r *responder) SetReadDeadline(t time.Time) error  { return r.exchange.SetReadDeadline(t) }
func (r *responder) SetWriteDeadline(t time.Time) error { return r.exchange.SetWriteDeadline(t) }

// Unwrap is for http.ResponseController, as the two above.
func (r *responder) Unwrap() http.ResponseWriter { return r.Response }

// Hijack gives the connection away: below TLS and on a Unix socket as a net.Conn of the loop's, else as a *net.TCPConn
// that the loop no longer knows.
func (r *responder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	_, rw, err := r.Response.Hijack()
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
