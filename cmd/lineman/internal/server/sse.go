package server

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/level1"
)

// ssePath is where a page asks for a stream of server-sent events (WHATWG HTML, 9.2). It is level 1 in one direction.
//
//	request ──▶ verifying ── good: 200 ──▶ member, at the worker streams ── bye ──▶ the answer ends
//	   └───────────┴── a status that is final, or a stream that ends at once and says when to come again
const ssePath = "/sse"

// streamRequest is what a request for a stream asks, until its answer begins.
type streamRequest struct {
	header  []http1.Field  // of the answer: who may read it
	id      string         // of the last event that the page has; empty: it is new
	places  []level1.Place // that the id tells
	lost    bool           // there is an id, and nobody knows what it tells
	pad     bool           // the answer begins with some bytes for nobody
	retries bool           // it is an EventSource: see refuseStream
}

// maxEventID is how long the id of a stream's events may be by what it asks for: browsers hand it back in a field, and
// proxies bound fields at 8 KiB or more.
const maxEventID = 4 << 10

// lostID stands for an id that nobody knows, where it is told again.
const lostID = "lost"

// endID begins the id of the event that ends a stream for good. Who comes back with it is answered 204, at which a
// browser gives up: so it does without a script.
const endID = "end:"

// streamWorker has the streams, once their answers have begun: what follows is bytes. It has no address.
func (s *Server) streamWorker() *lineman.Worker {
	w := &lineman.Worker{
		Name: "streams", Logger: s.options.Log,
		Limits: lineman.Limits{MaxPending: s.config.Limits.Pending, Drain: s.config.Drain},
	}
	if s.config.Ping > 0 { // a comment that is not acknowledged is what a ping without its pong is
		w.Limits.Unacknowledged = s.config.Ping + pongTimeout
	}
	w.OnMessage = func(c *lineman.Conn, _ []byte) { // nobody waits for it
		if !s.guard.message(&c.Value().(*page).spent) {
			s.refuse(c, "messages_per_connection", codeTooMany, retryLater)
		}
	}
	w.OnClosing, w.OnRelayEnd = s.leave, s.partRelayed
	w.OnClose = s.endSpeaking
	w.OnFull = s.tooSlow
	w.Save, w.Restore = s.savePage, s.restorePage
	return w
}

// isPreflight reports whether a browser asks whether a page may ask for a stream with fields of its own.
func isPreflight(r *http1.Request) bool {
	return r.Method() == "OPTIONS" && string(r.Path()) == ssePath
}

// openStream answers a request for a stream, now or when its credential was checked.
func (s *Server) openStream(c *lineman.Conn, r *http1.Request) {
	p, q := c.Value().(*page), &streamRequest{}
	q.retries = bytes.Contains(r.Header("Accept"), []byte(http1.EventType))
	err := s.checkStream(c, r, q)
	switch {
	case errors.As(err, new(*lineman.RefuseError)):
		s.refuseRequest(c, q, err.(*lineman.RefuseError))
	case strings.HasPrefix(q.id, endID):
		_ = c.Respond(&http1.Response{Status: http.StatusNoContent, Header: q.header, Close: true})
	case r.Method() == "OPTIONS":
		_ = c.Respond(&http1.Response{Status: http.StatusNoContent, Header: append(q.header,
			http1.Field{Name: "Access-Control-Allow-Methods", Value: "GET"},
			http1.Field{Name: "Access-Control-Allow-Headers", Value: "Authorization, Cache-Control, Last-Event-ID"},
			http1.Field{Name: "Access-Control-Max-Age", Value: "600"})})
	case r.Method() == "HEAD":
		_ = c.Respond(q.head())
	default:
		p.live = &live{greeted: true, stream: &stream{}}
		p.login.stream = q
		if p.login.credential == "" && p.login.question == nil {
			s.refuse(c, "credential", codeUnauthorized, "no credential: say it by token=, or as a bearer")
			return
		}
		s.login(c, p, p.login.credential)
	}
}

// checkStream decides whether there may be a stream, and reads what is asked. An error is a *lineman.RefuseError.
func (s *Server) checkStream(c *lineman.Conn, r *http1.Request, q *streamRequest) error {
	if why := originRefusal(c, r); why != nil {
		s.refused(c, r, why)
		return &lineman.RefuseError{Status: why.Status, Reason: "this origin may not connect: see origins"}
	}
	if origin := r.Header("Origin"); origin != nil {
		q.header = append(q.header, http1.Field{Name: "Access-Control-Allow-Origin", Value: string(origin)},
			http1.Field{Name: "Vary", Value: "Origin"})
		if s.readsCookies() {
			q.header = append(q.header, http1.Field{Name: "Access-Control-Allow-Credentials", Value: "true"})
		}
	}
	if isPreflight(r) {
		return nil
	}
	if err := q.read(r); err != nil {
		return err
	}
	if err := s.handshake(c, r); err != nil {
		return err
	}
	return q.bound(c.Value().(*page).login.channels)
}

// originRefusal tells why a page may not have a stream. A page of another site can ask without an Origin, for an image
// say: it could read nothing, but would use the cookie of its visitor.
func originRefusal(c *lineman.Conn, r *http1.Request) *websocket.HandshakeError {
	why := &websocket.HandshakeError{Status: http.StatusForbidden, Reason: "a page of another site, without an Origin"}
	err := c.CheckOrigin()
	site := string(r.Header("Sec-Fetch-Site"))
	hidden := r.Header("Origin") == nil && (site == "cross-site" || site == "same-site")
	if err == nil && !hidden {
		return nil
	}
	errors.As(err, &why)
	return why
}

// read reads what a stream is asked beside what a WebSocket is.
func (q *streamRequest) read(r *http1.Request) error {
	id, wrongID := parameter(r, "lastEventId")
	pad, wrongPad := parameter(r, "pad")
	if wrongID != nil || wrongPad != nil || pad != "" && pad != "1" {
		return &lineman.RefuseError{Status: http.StatusBadRequest, Reason: "the query is malformed: pad is pad=1"}
	}
	if later := r.Header("Last-Event-ID"); len(later) > 0 {
		id = string(later)
	}
	q.pad = pad != ""
	if id == "" || strings.HasPrefix(id, endID) {
		q.id = id
		return nil
	}
	places, err := level1.ParseEventID(id)
	if q.lost = err != nil; q.lost { // of another version, or made up: it is told that it has missed something
		q.id = lostID
		return nil
	}
	q.places, q.id = places, string(level1.AppendEventID(nil, places))
	return nil
}

// bound refuses a stream whose ids would be too long.
func (q *streamRequest) bound(channels []string) error {
	at := push.Position{Epoch: "0123456789", Offset: 1 << 40}
	places := make([]level1.Place, 0, len(channels))
	for _, name := range channels {
		places = append(places, level1.Place{Target: push.Channel(name), Position: at})
	}
	if len(level1.AppendEventID(nil, places)) > maxEventID {
		return &lineman.RefuseError{
			Status: http.StatusBadRequest, Reason: "so many channels are for a WebSocket: the ids of events would be " +
				"longer than " + strconv.Itoa(maxEventID) + " bytes",
		}
	}
	return nil
}

// since is where the stream begins with a target.
func (q *streamRequest) since(of push.Target, last int) push.Since {
	if q.lost {
		return push.Since{Position: push.Position{Epoch: "0"}} // no Broker has that: it gets a gap
	}
	for _, p := range q.places {
		if p.Target == of {
			return push.Since{Position: p.Position}
		}
	}
	return push.Since{Last: last}
}

// head is the answer that begins a stream.
func (q *streamRequest) head() *http1.Response {
	a := http1.EventStream()
	a.CloseDelimited = true
	a.Header = append(a.Header, q.header...)
	if q.pad { // there are proxies that pass nothing on before they have so much
		a.Body = append(append([]byte{':'}, bytes.Repeat([]byte{' '}, 2<<10)...), "\n\n"...)
	}
	return a
}

// comeBack is when a page comes again that was told nothing else: between this and twice this.
const comeBack = 2 * time.Second

// soon is such a time.
func soon() time.Duration { return comeBack + rand.N(comeBack) }

// statusOf is that of HTTP for the code that a page is closed with.
func statusOf(code int) int {
	switch websocket.Code(code) {
	case codeUnauthorized, codeExpired:
		return http.StatusUnauthorized
	case codeTooMany:
		return http.StatusTooManyRequests
	}
	if isFinal(code) {
		return http.StatusForbidden
	}
	return http.StatusServiceUnavailable
}

// isFinal reports whether nothing changes by coming again.
func isFinal(code int) bool { return code/100 == 40 }

// refuseStream answers the request of a page for a stream that has not begun, and reports whether that was one.
func (s *Server) refuseStream(c *lineman.Conn, code int, reason string) bool {
	p, ok := c.Value().(*page)
	if !ok || p.login == nil || p.login.stream == nil {
		return false
	}
	q := p.login.stream
	p.login.stream = nil
	p.login.leave()
	s.answerRefused(c, q, statusOf(code), byeOf(code, reason))
	return true
}

// refuseRequest answers a request for a stream that is refused by its head.
func (s *Server) refuseRequest(c *lineman.Conn, q *streamRequest, why *lineman.RefuseError) {
	code := codeRestart
	switch {
	case why.Status == http.StatusTooManyRequests:
		code = codeTooMany
	case s.ready:
		code = codeUnchecked
	}
	s.answerRefused(c, q, why.Status, level1.Bye{Code: int(code), Why: why.Reason})
}

// answerRefused says why there is no stream. A browser gives up for good at whatever is no stream: to one that should
// come again, the answer is a stream that says when.
func (s *Server) answerRefused(c *lineman.Conn, q *streamRequest, status int, bye level1.Bye) {
	a := &http1.Response{Status: status, Header: q.header, Body: []byte(bye.Why + "\n"), Close: true}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		a.Header = append(a.Header, retryAfter...)
		if q.retries {
			if bye.Retry == 0 {
				bye.Retry = soon()
			}
			a = q.head()
			a.Stream, a.CloseDelimited, a.Close = false, false, true
			a.Body = appendEvent(a.Body, []byte(q.id), bye.Retry, bye.Append(nil))
		}
	}
	_ = c.Respond(a) // it may have closed
}
