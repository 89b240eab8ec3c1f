package http1

import (
	"bytes"
	"iter"
	"sync"
)

// Request is one request. It is on loan until the callback returns, and so is every slice that its methods give: they
// are parts of the connection's buffer. Copy what you keep.
type Request struct {
	method   string
	target   []byte
	path     []byte
	query    []byte
	host     []byte
	body     []byte
	fields   fields
	trailers fields
	http10   bool
	close    bool // the client wants the connection closed after the answer
	expect   bool
}

var requests = sync.Pool{New: func() any { return new(Request) }}

func (r *Request) release() {
	if r == nil {
		return
	}
	r.forget()
	requests.Put(r)
}

// forget leaves nothing of a request but memory for the next one.
func (r *Request) forget() {
	r.method, r.target, r.path, r.query, r.host, r.body = "", nil, nil, nil, nil, nil
	r.fields.forget()
	r.trailers.forget()
	r.http10, r.close, r.expect = false, false, false
}

// Method is the method, such as "GET".
func (r *Request) Method() string { return r.method }

// Target is the request target as it was sent.
func (r *Request) Target() []byte { return r.target }

// Path is the target's path, not decoded: "*" for OPTIONS *.
func (r *Request) Path() []byte { return r.path }

// Query is what follows the "?" of the target, not decoded.
func (r *Request) Query() []byte { return r.query }

// Host is the host that the request is for, with its port if it has one. It may be empty in HTTP/1.0.
func (r *Request) Host() []byte { return r.host }

// HasBody reports whether the head tells of a body; one in chunks may be empty.
func (r *Request) HasBody() bool {
	f, err := r.framing()
	return err == nil && (f.chunked || f.length > 0)
}

// Body is the body; chunks are joined. It is nil as long as it has not come.
func (r *Request) Body() []byte { return r.body }

// ProtoAtLeast11 reports whether the request is of HTTP/1.1 or later.
func (r *Request) ProtoAtLeast11() bool { return !r.http10 }

// Header is the first value of a field, whose name is given in any case; nil if there is none.
func (r *Request) Header(name string) []byte {
	if line := r.fields.find(name, 0); line >= 0 {
		return r.fields.value(line)
	}
	return nil
}

// Value is the value of the i-th field of this name, in any case, counted from 0; nil if there are not so many.
func (r *Request) Value(name string, i int) []byte {
	for line := r.fields.find(name, 0); line >= 0; line = r.fields.find(name, line+1) {
		if i == 0 {
			return r.fields.value(line)
		}
		i--
	}
	return nil
}

// Values are all values of a field, in order.
func (r *Request) Values(name string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for line := r.fields.find(name, 0); line >= 0; line = r.fields.find(name, line+1) {
			if !yield(r.fields.value(line)) {
				return
			}
		}
	}
}

// Fields are the names and values of the header, in order.
func (r *Request) Fields() iter.Seq2[[]byte, []byte] { return r.fields.each() }

// Trailers are the names and values after a chunked body, in order.
func (r *Request) Trailers() iter.Seq2[[]byte, []byte] { return r.trailers.each() }

// Exchange is what an answer has to know of its request. It is a value and may be kept.
type Exchange struct {
	Head   bool // the answer has no body (RFC 9110, 9.3.2)
	HTTP10 bool // the client speaks HTTP/1.0
	Close  bool // the connection ends after the answer

	CloseDelimited bool // the answer's: see Response.CloseDelimited
}

// closeDelimited reports whether the body of a stream ends with the connection (RFC 9112, 6.3).
func (x Exchange) closeDelimited() bool { return x.HTTP10 || x.CloseDelimited }

// Exchange is what an answer has to know of the request.
func (r *Request) Exchange() Exchange {
	return Exchange{Head: r.method == "HEAD", HTTP10: r.http10, Close: r.close}
}

// equalFold compares a field name with a token in any case.
func equalFold(name []byte, token string) bool {
	if len(name) != len(token) {
		return false
	}
	for i := range name {
		if lower(name[i]) != lower(token[i]) {
			return false
		}
	}
	return true
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b | 0x20
	}
	return b
}

// hasToken looks for a token in the comma-separated values of a field, in any case (RFC 9110, 5.6.1).
func (r *Request) hasToken(name, token string) bool {
	for v := range r.Values(name) {
		for len(v) > 0 {
			var item []byte
			item, v, _ = bytes.Cut(v, []byte{','})
			if equalFold(bytes.Trim(item, " \t"), token) {
				return true
			}
		}
	}
	return false
}
