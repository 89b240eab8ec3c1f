package http1

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// Response is an answer. Content-Type is Type; Content-Length, Transfer-Encoding, Connection and Date are made by
// Append: none of them may be among the fields.
type Response struct {
	Status int     // 200 to 599; 0 means 200
	Header []Field // further fields, in order
	Type   string  // Content-Type; "" means text/plain; charset=utf-8 if there is a body
	Body   []byte
	Close  bool // end the connection after this answer

	// Stream means that the body goes on: AppendChunk adds to it, and AppendLast ends it. To HTTP/1.0 it ends with the
	// connection (RFC 9112, 6.3).
	Stream bool

	// CloseDelimited has the body of a stream end with the connection to HTTP/1.1 as well: it is not chunked. So its
	// pieces are the same for everybody, and the connection may be given to a worker that knows nothing of HTTP. A
	// client cannot tell its end from a cut, unless the body says so itself.
	CloseDelimited bool
}

// Streams reports whether a body can follow this answer: not to HEAD, and not with 204 or 304.
func (r *Response) Streams(x Exchange) bool {
	return r.Stream && !x.Head && r.Status != 204 && r.Status != 304
}

// AppendChunk appends a piece of the body of a stream (RFC 9112, 7.1). An empty one would end it and adds nothing.
func AppendChunk(dst []byte, x Exchange, piece []byte) []byte {
	if len(piece) == 0 || x.closeDelimited() {
		return append(dst, piece...)
	}
	dst = append(strconv.AppendInt(dst, int64(len(piece)), 16), crlf...)
	return append(append(dst, piece...), crlf...)
}

// AppendLast appends what ends the body of a stream.
func AppendLast(dst []byte, x Exchange) []byte {
	if x.closeDelimited() {
		return dst
	}
	return append(dst, "0\r\n\r\n"...)
}

// Field is a field of an answer.
type Field struct{ Name, Value string }

// Append appends the whole answer. date is the value of the Date field. An error means a status or a field that cannot
// be sent; nothing is appended then.
func (r *Response) Append(dst []byte, x Exchange, date []byte) ([]byte, error) {
	if r.isPlain() && x == (Exchange{}) {
		return r.appendPlain(dst, date), nil
	}
	x.CloseDelimited = r.CloseDelimited
	status := r.Status
	if status == 0 {
		status = 200
	}
	if status < 200 || status > 599 {
		return dst, fmt.Errorf("http1: status %d: want 200 to 599", status)
	}
	for _, f := range r.Header {
		if err := f.check(); err != nil {
			return dst, err
		}
	}
	if r.Type != "" && !isValue([]byte(r.Type)) {
		return dst, fmt.Errorf("http1: Content-Type %q has a control character", r.Type)
	}
	b := append(append(append(appendStatus(dst, status), "Date: "...), date...), crlf...)
	if status == 205 && len(r.Body) > 0 {
		return dst, errors.New("http1: status 205 has no body: leave it out") // RFC 9110, 15.3.6
	}
	bodiless := status == 204 || status == 304 // RFC 9110, 15.3.5 and 15.4.5
	if !bodiless {
		b = r.appendFraming(b, x)
	}
	for _, f := range r.Header {
		b = append(append(append(append(b, f.Name...), ": "...), f.Value...), crlf...)
	}
	switch closes := r.Close || x.Close || r.Stream && x.closeDelimited(); {
	case len(r.Header) == 0 && !closes && !x.HTTP10: // nearly always
	case r.upgrades() && closes:
		b = append(b, "Connection: close, Upgrade\r\n"...) // RFC 9110, 7.8
	case r.upgrades():
		b = append(b, "Connection: Upgrade\r\n"...)
	case closes:
		b = append(b, "Connection: close\r\n"...)
	case x.HTTP10:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	b = append(b, crlf...)
	switch {
	case bodiless || x.Head:
	case r.Stream:
		b = AppendChunk(b, x, r.Body)
	default:
		b = append(b, r.Body...)
	}
	return b, nil
}

// isPlain reports whether nothing but a body and its type is said.
func (r *Response) isPlain() bool {
	return r.Status == 0 && len(r.Header) == 0 && len(r.Body) > 0 && !r.Close && !r.Stream && !r.CloseDelimited &&
		(r.Type == "" || isValue([]byte(r.Type)))
}

// appendPlain is Append for most answers: a plain one to a client that stays.
func (r *Response) appendPlain(b, date []byte) []byte {
	b = append(append(b, plainStatus...), date...)
	if r.Type == "" {
		b = append(b, plainType...)
	} else {
		b = append(append(append(b, "\r\nContent-Type: "...), r.Type...), "\r\nContent-Length: "...)
	}
	b = append(strconv.AppendInt(b, int64(len(r.Body)), 10), "\r\n\r\n"...)
	return append(b, r.Body...)
}

const (
	plainStatus = "HTTP/1.1 200 OK\r\nDate: "
	plainType   = "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "
)

// upgrades reports whether the answer names a protocol to change to.
func (r *Response) upgrades() bool {
	for _, f := range r.Header {
		if equalFold([]byte(f.Name), "Upgrade") {
			return true
		}
	}
	return false
}

// appendFraming says what the body is and where it ends.
func (r *Response) appendFraming(b []byte, x Exchange) []byte {
	switch {
	case !r.Stream:
		return r.appendLength(b)
	case x.closeDelimited():
		return r.appendType(b)
	}
	return append(r.appendType(b), "Transfer-Encoding: chunked\r\n"...)
}

func (r *Response) appendType(b []byte) []byte {
	if r.Type != "" || len(r.Body) > 0 {
		b = append(b, "Content-Type: "...)
		if r.Type == "" {
			b = append(b, "text/plain; charset=utf-8"...)
		}
		b = append(append(b, r.Type...), crlf...)
	}
	return b
}

func (r *Response) appendLength(b []byte) []byte {
	if r.Type == "" && len(r.Body) > 0 {
		b = append(b, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: "...)
	} else {
		b = append(r.appendType(b), "Content-Length: "...)
	}
	return append(strconv.AppendInt(b, int64(len(r.Body)), 10), crlf...)
}

// check refuses a field that would not arrive as it is meant.
func (f Field) check() error {
	for _, own := range [...]string{"Content-Type", "Content-Length", "Transfer-Encoding", "Connection", "Date"} {
		if equalFold([]byte(f.Name), own) {
			return fmt.Errorf("http1: field %s is not for Header: Type is Content-Type, the others are made by the "+
				"server", f.Name)
		}
	}
	if !isToken([]byte(f.Name)) || !isValue([]byte(f.Value)) {
		return fmt.Errorf("http1: field %q: %q cannot be sent", f.Name, f.Value)
	}
	return nil
}

func appendStatus(b []byte, status int) []byte {
	if status == 200 {
		return append(b, "HTTP/1.1 200 OK\r\n"...)
	}
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	return append(append(append(b, ' '), http.StatusText(status)...), crlf...)
}

// Append appends a plain 200 answer without a Date: the two-method form of the protocol.
func (c *Codec) Append(dst, msg []byte) ([]byte, error) {
	r := Response{Body: msg}
	dst = r.appendLength(append(dst, "HTTP/1.1 200 OK\r\n"...))
	return append(append(dst, crlf...), msg...), nil
}

// AppendError appends the answer to a request that cannot be handled, after which the connection ends.
func AppendError(dst []byte, e *Error, date []byte) []byte {
	r := Response{Status: e.Status, Body: []byte(e.Reason + "\n"), Close: true}
	b, err := r.Append(dst, Exchange{Head: e.Head}, date)
	if err != nil {
		return dst
	}
	return b
}
