package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// Std is the request as net/http has it, for forms, cookies and multipart. It is a copy and may be kept.
func (r *Request) Std() (*http.Request, error) {
	std, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(append(r.appendHead(nil), crlf...))))
	if err != nil {
		return nil, fmt.Errorf("http1: %w", err)
	}
	std.ContentLength = int64(len(r.body))
	std.Body = io.NopCloser(bytes.NewReader(bytes.Clone(r.body)))
	for name, value := range r.Trailers() {
		if std.Trailer == nil {
			std.Trailer = make(http.Header)
		}
		std.Trailer.Add(string(name), string(value))
	}
	return std, nil
}

// AppendTo appends the request as it can be sent on: its body has a known length, and trailers are left out.
func (r *Request) AppendTo(dst []byte) []byte {
	dst = r.appendHead(dst)
	if len(r.body) > 0 {
		dst = fmt.Appendf(dst, "Content-Length: %d\r\n", len(r.body))
	}
	return append(append(dst, crlf...), r.body...)
}

// appendHead appends the request line and the fields, but for those that tell how the body comes.
func (r *Request) appendHead(dst []byte) []byte {
	version := "HTTP/1.1"
	if r.http10 {
		version = "HTTP/1.0"
	}
	dst = fmt.Appendf(dst, "%s %s %s\r\n", r.method, r.target, version)
	for name, value := range r.Fields() {
		if !equalFold(name, "Content-Length") && !equalFold(name, "Transfer-Encoding") && !equalFold(name, "Expect") {
			dst = fmt.Appendf(dst, "%s: %s\r\n", name, value)
		}
	}
	return dst
}
