package server

import (
	"bytes"
	"iter"
	"mime"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/command"
	"github.com/lineman-go/lineman/push/pusher"
)

// apiWorker is the HTTP API: POST /v1/COMMAND with a JSON object, or with several, one a line.
func (s *Server) apiWorker() *lineman.Worker {
	w := &lineman.Worker{
		Name: "api", Addr: "http://" + s.config.API.Listen, ReusePort: s.config.Count > 1, Logger: s.options.Log,
		Limits: lineman.Limits{MaxMessage: s.config.Limits.Body},
	}
	w.OnAccept = func(c *lineman.Conn) error {
		p, ok := s.guard.acquire(&s.guard.api, c)
		if !ok {
			return errNoSlot
		}
		c.SetValue(&caller{admission: admission{conn: c, slot: p}})
		return nil
	}
	w.OnConnect = func(c *lineman.Conn) {
		if one := c.Value().(*caller); one.slot.why == "" && !s.openAPI {
			s.awaitKey(&s.guard.keylessCalls, &one.admission)
		}
	}
	w.OnGone = func(c *lineman.Conn) {
		one := c.Value().(*caller)
		s.guard.keylessCalls.remove(&one.admission)
		s.guard.release(&s.guard.api, one.slot)
	}
	w.OnHead = s.callHead
	w.OnRequest = s.call
	w.Save, w.Restore = saveCaller, s.restoreCaller
	return w
}

// statuses are those of HTTP for what can go wrong.
var statuses = map[command.Code]int{
	command.Invalid: 400, command.UnknownCommand: 404, command.Unauthorized: 401, command.Denied: 403,
	command.TooMany:     429,
	command.Unavailable: 503,
	command.NotKept:     507,
}

// caller is a connection to the HTTP API.
type caller struct {
	admission
	call   *apiCall            // the request at hand; nil before the first
	answer func(command.Reply) // to that, unless it is several; nil before the first
	app    *appCall            // the request at hand; nil: it is none to the Pusher API
	host   string              // that its last request was for, and may be for; empty before the first
}

// apiCall is what the head of a request to the HTTP API asks for. Immutable: requests of a connection that ask for the
// same share it.
type apiCall struct {
	name    string // of the command
	several bool   // the body is lines, of which each is one, or has its own name if this one is empty
	permit  *command.Permit
	from    push.Source
}

// asks reports whether another head asks for the same.
func (a *apiCall) asks(name []byte, several bool, permit *command.Permit) bool {
	return a != nil && a.name == string(name) && a.several == several && a.permit == permit
}

// caller is who gives its commands.
func (a *apiCall) caller() command.Caller { return command.Caller{Permit: a.permit, From: &a.from} }

// describes reports whether a request is for the description of the API.
func describes(r *http1.Request) bool {
	return string(r.Path()) == "/v1/openapi.json" && isSafe(r.Method())
}

// callHead decides about a request before its body is read: without a key, no body is kept in memory.
func (s *Server) callHead(c *lineman.Conn, r *http1.Request) error {
	one := c.Value().(*caller)
	if why := one.slot.why; why != "" {
		s.guard.refuse(why, "a back end was turned away: there are too many", "remote", c.RemoteAddr())
		return &lineman.RefuseError{Status: 429, Reason: "too many connections: " + why, Header: retryAfter}
	}
	if isPage(r) || !s.mayBeFor(one, r.Host()) {
		s.guard.refuse("page", "a page, or a host that is not in api.hosts, asked the HTTP API", "remote",
			c.RemoteAddr())
		return refused(&command.Error{
			Code: command.Denied, Text: "pages and host names that are not in api.hosts cannot use this port",
		})
	}
	if one.app = nil; s.apps != nil && pusher.IsAPIPath(string(r.Path())) {
		return s.appHead(c, one, r)
	}
	if describes(r) {
		return refuseBody(r)
	}
	if r.Method() != "POST" {
		return &lineman.RefuseError{
			Status: 405, Reason: "commands are POST requests", Header: []http1.Field{{Name: "Allow", Value: "POST"}},
		}
	}
	permit, err := s.permit(c, r)
	if err != nil {
		return refused(err)
	}
	s.guard.keylessCalls.remove(&one.admission)
	name, ok := bytes.CutPrefix(r.Path(), []byte("/v1/"))
	if !ok {
		return refused(&command.Error{
			Code: command.UnknownCommand, Text: "commands are at /v1/NAME: GET /v1/openapi.json describes them",
		})
	}
	if isEncoded(r.Values("Content-Encoding")) {
		return encodedBody
	}
	isBatch := string(name) == "batch"
	kind := mediaType(r.Header("Content-Type"))
	several := kind == "application/x-ndjson"
	if !several && (kind != "application/json" || isBatch) {
		return &lineman.RefuseError{
			Status: 415,
			Reason: "want Content-Type: application/json, or application/x-ndjson for several objects, one a line",
		}
	}
	if isBatch {
		name = nil
	}
	if !one.call.asks(name, several, permit) {
		one.call = &apiCall{string(name), several, permit, push.Source{Via: "http", Peer: peer{c}}}
		if permit != nil {
			one.call.from.Key = permit.Name
		}
	}
	return nil
}

// mediaType is that of a value of Content-Type, without its parameters; empty if there is none.
func mediaType(value []byte) string {
	const usual = "application/json"
	if string(value) == usual {
		return usual
	}
	kind, _, _ := mime.ParseMediaType(string(value))
	return kind
}

// call answers a request whose head was found right.
func (s *Server) call(c *lineman.Conn, r *http1.Request) {
	if describes(r) {
		_ = c.Respond(&http1.Response{Type: "application/json", Body: s.description})
		return
	}
	one := c.Value().(*caller)
	if one.app != nil {
		s.callApp(c, one.app, r.Body())
		return
	}
	call := one.call
	s.slice.begin(c, len(r.Body()))
	s.lag.begin(s.loop, s.slice.began)
	if call.several {
		s.batch(c, r.Body(), call)
		return
	}
	if !s.mayAsk(call.permit) {
		s.respond(c, &tooManyCommands)
		return
	}
	if one.answer == nil {
		one.answer = func(reply command.Reply) { s.slice.answered(s.respond(c, &reply)) }
	}
	s.table.Do(r.Body(), call.name, call.caller(), one.answer)
	if s.slice.isOver() { // others have the loop before the connection's next request
		c.Pause()
		s.slice.next(c.Resume)
	}
}

// tooManyCommands is the answer to a key that has to wait.
var tooManyCommands = command.Failed(&command.Error{Code: command.TooMany, Text: "too many commands: try again later"})

// mayAsk reports whether a key may be used once more.
func (s *Server) mayAsk(p *command.Permit) bool { return p == nil || s.guard.command(p.Name) }

// refused is the answer to a request that is refused by its head, as respond gives it.
func refused(err error) error {
	r := command.Failed(err)
	status := statuses[r.Error.Code]
	return &lineman.RefuseError{
		Status: status, Reason: string(r.JSON()), Type: "application/json", Header: fieldsFor(status),
	}
}

// encodedBody refuses a body that isEncoded. Immutable.
var encodedBody = &lineman.RefuseError{
	Status: 415, Reason: "want a body without Content-Encoding",
	Header: []http1.Field{{Name: "Accept-Encoding", Value: "identity"}},
}

// refuseBody refuses a body where none is wanted.
func refuseBody(r *http1.Request) error {
	if r.HasBody() {
		return &lineman.RefuseError{Status: 413, Reason: "want a request without a body"}
	}
	return nil
}

// respond answers a request, and returns how many bytes the reply has.
func (s *Server) respond(c *lineman.Conn, r *command.Reply) int {
	body := append(r.AppendJSON(s.answer[:0]), '\n')
	if cap(body) <= keptAnswer {
		s.answer = body
	}
	answer := &http1.Response{Type: "application/json", Body: body}
	if !r.OK {
		answer.Status = statuses[r.Error.Code]
		answer.Header = fieldsFor(answer.Status)
	}
	_ = c.Respond(answer) // it may have closed
	return len(answer.Body)
}

// keptAnswer is for how many bytes of an answer there is always room.
const keptAnswer = 4 << 10

// fieldsFor are those that an answer of some status needs.
func fieldsFor(status int) []http1.Field {
	switch status {
	case 401:
		return []http1.Field{{Name: "WWW-Authenticate", Value: "Bearer"}}
	case 429:
		return []http1.Field{{Name: "Retry-After", Value: "1"}}
	}
	return nil
}

// isSafe reports whether a method only reads.
func isSafe(method string) bool { return method == "GET" || method == "HEAD" }

// isPage reports whether a request was made by a page in a browser. A page of another site does not see the answer, but
// what it asks for would be done. A person who types an address, or follows a link of what this port answers, is no
// page, and only reads.
func isPage(r *http1.Request) bool {
	switch from := r.Header("Sec-Fetch-Site"); {
	case len(r.Header("Origin")) > 0:
		return true
	case string(from) == "none" || string(from) == "same-origin":
		return !isSafe(r.Method())
	default:
		return len(from) > 0
	}
}

// isEncoded reports whether a value of Content-Encoding says that a body is not what it is (RFC 9110, 8.4).
func isEncoded[T string | []byte](codings iter.Seq[T]) bool {
	for coding := range codings {
		if len(coding) > 0 && !strings.EqualFold(string(coding), "identity") {
			return true
		}
	}
	return false
}

// mayBeFor is knowsHost, which is asked once for a connection whose requests name the same host.
func (s *Server) mayBeFor(one *caller, host []byte) bool {
	if one.host != "" && one.host == string(host) {
		return true
	}
	if !s.knowsHost(string(host)) {
		return false
	}
	one.host = string(host)
	return true
}

// knowsHost reports whether a request may be for a host. A page could give this machine's address a name of its own
// (DNS rebinding).
func (s *Server) knowsHost(host string) bool {
	if strings.Contains(host, ":") { // to find none makes an error, which is garbage
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
	}
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, "localhost") ||
		slices.ContainsFunc(s.config.API.Hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
		return true
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

// permit is what the key of a request allows.
func (s *Server) permit(c *lineman.Conn, r *http1.Request) (*command.Permit, error) {
	if s.openAPI {
		return nil, nil
	}
	scheme, key, _ := bytes.Cut(r.Header("Authorization"), []byte(" "))
	permit := s.keys.find(key)
	if !bytes.EqualFold(scheme, []byte("Bearer")) || permit == nil {
		s.guard.refuse("key", "a back end was turned away: it has no key", "remote", c.RemoteAddr())
		return nil, &command.Error{
			Code: command.Unauthorized, Text: "want Authorization: Bearer KEY, with a key of api.keys",
		}
	}
	return permit, nil
}
