package http1

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// EventType is the Content-Type of a stream of events.
const EventType = "text/event-stream"

// EventStream is the answer that begins a stream of server-sent events (WHATWG HTML, 9.2), which no cache keeps, and no
// proxy in front holds up or compresses. Each Send on its connection adds to it: Events, as Append makes them.
func EventStream() *Response {
	return &Response{
		Type:   EventType,
		Header: []Field{{"Cache-Control", "no-store, no-transform"}, {"X-Accel-Buffering", "no"}},
		Stream: true,
	}
}

// Event is one server-sent event (WHATWG HTML, 9.2.5). A field that is empty is not sent.
type Event struct {
	Comment string        // nobody sees it: a heartbeat, so that nothing on the way thinks the connection dead
	ID      string        // what the client says as Last-Event-ID when it comes back
	Name    string        // "" means message
	Retry   time.Duration // how long the client waits before it comes back, to a millisecond; 0 or less: not sent
	Data    []byte        // lines, in UTF-8. An event without any is not dispatched by clients
}

// Append appends the event. The error means an ID, a Name or a Comment with a line break in it, or an ID with a NUL.
func (e *Event) Append(dst []byte) ([]byte, error) {
	if strings.ContainsAny(e.ID, "\r\n\x00") || strings.ContainsAny(e.Name+e.Comment, "\r\n") {
		return dst, fmt.Errorf("http1: event: ID, Name and Comment are one line each")
	}
	for _, f := range [...]struct{ name, value string }{{"", e.Comment}, {"id", e.ID}, {"event", e.Name}} {
		if f.value != "" {
			dst = append(append(append(append(dst, f.name...), ": "...), f.value...), '\n')
		}
	}
	if e.Retry > 0 {
		dst = append(strconv.AppendInt(append(dst, "retry: "...), e.Retry.Milliseconds(), 10), '\n')
	}
	for rest, more := e.Data, len(e.Data) > 0; more; {
		var line []byte
		line, rest, more = cutLine(rest)
		dst = append(append(append(dst, "data: "...), line...), '\n')
	}
	return append(dst, '\n'), nil
}

// cutLine cuts at the first line break: CRLF, LF or CR.
func cutLine(b []byte) (line, rest []byte, found bool) {
	i := bytes.IndexAny(b, "\r\n")
	if i < 0 {
		return b, nil, false
	}
	rest = b[i+1:]
	if b[i] == '\r' && len(rest) > 0 && rest[0] == '\n' {
		rest = rest[1:]
	}
	return b[:i], rest, true
}
