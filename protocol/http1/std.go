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
	var head bytes.Buffer
	version := "HTTP/1.1"
	if r.http10 {
		version = "HTTP/1.0"
	}
	fmt.Fprintf(&head, "%s %s %s\r\n", r.method, r.target, version)
	for name, value := range r.Fields() {
		if !equalFold(name, "Content-Length") && !equalFold(name, "Transfer-Encoding") {
			fmt.Fprintf(&head, "%s: %s\r\n", name, value)
		}
	}
	head.Write(crlf)
	std, err := http.ReadRequest(bufio.NewReader(&head))
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
