package http1_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/protocol/http1"
)

const date = "Mon, 23 Nov 2026 12:00:00 GMT"

func TestResponse(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer http1.Response
		to     http1.Exchange
		want   string
	}{
		{"plain", http1.Response{Body: []byte("hi")}, http1.Exchange{},
			"HTTP/1.1 200 OK\r\nDate: " + date + "\r\nContent-Type: text/plain; charset=utf-8\r\n" +
				"Content-Length: 2\r\n\r\nhi"},
		{"no body", http1.Response{Status: 404}, http1.Exchange{},
			"HTTP/1.1 404 Not Found\r\nDate: " + date + "\r\nContent-Length: 0\r\n\r\n"},
		{"a type and fields",
			http1.Response{Type: "text/html",
				Header: []http1.Field{{Name: "X-A", Value: "1"}, {Name: "X-A", Value: "2"}}, Body: []byte("x")},
			http1.Exchange{},
			"HTTP/1.1 200 OK\r\nDate: " + date + "\r\nContent-Type: text/html\r\nContent-Length: 1\r\nX-A: 1\r\n" +
				"X-A: 2\r\n\r\nx"},
		{"to HEAD", http1.Response{Body: []byte("hi")}, http1.Exchange{Head: true},
			"HTTP/1.1 200 OK\r\nDate: " + date + "\r\nContent-Type: text/plain; charset=utf-8\r\n" +
				"Content-Length: 2\r\n\r\n"},
		{"204", http1.Response{Status: 204}, http1.Exchange{}, "HTTP/1.1 204 No Content\r\nDate: " + date + "\r\n\r\n"},
		{"304", http1.Response{Status: 304, Body: []byte("left out")}, http1.Exchange{},
			"HTTP/1.1 304 Not Modified\r\nDate: " + date + "\r\n\r\n"},
		{"closing", http1.Response{Status: 500, Close: true}, http1.Exchange{},
			"HTTP/1.1 500 Internal Server Error\r\nDate: " + date + "\r\nContent-Length: 0\r\n" +
				"Connection: close\r\n\r\n"},
		{"to a client that closes", http1.Response{}, http1.Exchange{Close: true, HTTP10: true},
			"HTTP/1.1 200 OK\r\nDate: " + date + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
		{"to HTTP/1.0 that stays", http1.Response{}, http1.Exchange{HTTP10: true},
			"HTTP/1.1 200 OK\r\nDate: " + date + "\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"},
		{"an upgrade that is wanted",
			http1.Response{Status: 426, Header: []http1.Field{{Name: "Upgrade", Value: "websocket"}}, Close: true},
			http1.Exchange{},
			"HTTP/1.1 426 Upgrade Required\r\nDate: " + date + "\r\nContent-Length: 0\r\nUpgrade: websocket\r\n" +
				"Connection: close, Upgrade\r\n\r\n"},
		{"an upgrade that is offered", http1.Response{Header: []http1.Field{{Name: "upgrade", Value: "h2c"}}},
			http1.Exchange{},
			"HTTP/1.1 200 OK\r\nDate: " + date + "\r\nContent-Length: 0\r\nupgrade: h2c\r\n" +
				"Connection: Upgrade\r\n\r\n"},
		{"a stream that ends with the connection",
			http1.Response{Stream: true, CloseDelimited: true, Body: []byte("hi")}, http1.Exchange{},
			"HTTP/1.1 200 OK\r\nDate: " + date + "\r\nContent-Type: text/plain; charset=utf-8\r\n" +
				"Connection: close\r\n\r\nhi"},
		{"a status without a name", http1.Response{Status: 299}, http1.Exchange{},
			"HTTP/1.1 299 \r\nDate: " + date + "\r\nContent-Length: 0\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.answer.Append([]byte("before "), tt.to, []byte(date))
			if err != nil || string(got) != "before "+tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
			method := "GET"
			if tt.to.Head {
				method = "HEAD"
			}
			std, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(got[len("before "):])),
				&http.Request{Method: method})
			if err != nil {
				t.Fatalf("net/http does not understand it: %v", err)
			}
			if _, err := io.ReadAll(std.Body); err != nil {
				t.Errorf("net/http reads the body: %v", err)
			}
		})
	}
}

// TestBadResponses has an answer that would not arrive as it is meant refused, with nothing appended.
func TestBadResponses(t *testing.T) {
	field := func(name, value string) http1.Response {
		return http1.Response{Header: []http1.Field{{Name: name, Value: value}}}
	}
	for name, answer := range map[string]http1.Response{
		"an interim status": {Status: 100}, "a status of four digits": {Status: 1000},
		"a negative status": {Status: -1}, "a line break in a value": field("X", "a\r\nY: b"),
		"LF in a value": field("X", "a\nb"), "NUL in a value": field("X", "\x00"),
		"a line break in a name": field("X\r\nY", "a"), "a colon in a name": field("X:", "a"),
		"an empty name": field("", "a"), "a space in a name": field("X Y", "a"),
		"its own Content-Length":    field("content-length", "1"),
		"its own Transfer-Encoding": field("Transfer-Encoding", "chunked"),
		"its own Connection":        field("Connection", "close"), "its own Date": field("Date", date),
		"Content-Type as a field":  field("Content-Type", "text/html"),
		"a line break in the type": {Type: "text/html\r\nX: y"},
	} {
		got, err := answer.Append([]byte("before"), http1.Exchange{}, []byte(date))
		if err == nil || string(got) != "before" || !strings.HasPrefix(err.Error(), "http1: ") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestAppendError(t *testing.T) {
	got := string(http1.AppendError(nil, &http1.Error{Status: 431, Reason: "too large"}, []byte(date)))
	want := "HTTP/1.1 431 Request Header Fields Too Large\r\nDate: " + date + "\r\n" +
		"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 10\r\nConnection: close\r\n\r\ntoo large\n"
	if got != want {
		t.Errorf("got %q", got)
	}
}

// TestAppendErrorHead has no content in the answer to HEAD (RFC 9110, 9.3.2).
func TestAppendErrorHead(t *testing.T) {
	_, _, err := (&http1.Protocol{}).NewCodec(10).
		Decode([]byte("HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n"))
	var e *http1.Error
	if !errors.As(err, &e) || e.Status != 413 {
		t.Fatal(err)
	}
	if got := string(http1.AppendError(nil, e, []byte(date))); !strings.HasSuffix(got, "\r\n\r\n") ||
		!strings.Contains(got, "Content-Length: 20\r\n") {
		t.Errorf("%q", got)
	}
}

// TestIsValue has each byte at each place of values of several lengths.
func TestIsValue(t *testing.T) {
	for n := 1; n < 20; n++ {
		for at := range n {
			for b := range 256 {
				value := bytes.Repeat([]byte{'a'}, n)
				value[at] = byte(b)
				r := http1.Response{Header: []http1.Field{{Name: "X", Value: string(value)}}}
				_, err := r.Append(nil, http1.Exchange{}, nil)
				if want := b >= ' ' && b != 0x7f || b == '\t'; (err == nil) != want {
					t.Fatalf("%q: %v", value, err)
				}
			}
		}
	}
}
