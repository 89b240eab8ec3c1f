package server

import (
	"bytes"
	"mime"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/push/command"
)

// apiWorker is the HTTP API: POST /v1/COMMAND with a JSON object, or with several, one a line.
func (s *Server) apiWorker() *lineman.Worker {
	w := &lineman.Worker{
		Name: "api", Addr: "http://" + s.config.API.Listen, ReusePort: s.config.Count > 1, Logger: s.options.Log,
		Limits: lineman.Limits{MaxMessage: s.config.Limits.Body},
	}
	w.OnRequest = s.call
	return w
}

// statuses are those of HTTP for what can go wrong.
var statuses = map[command.Code]int{
	command.Invalid: 400, command.UnknownCommand: 404, command.Unauthorized: 401, command.Denied: 403, command.TooMany: 429,
	command.Unavailable: 503,
}

// call answers a request.
func (s *Server) call(c *lineman.Conn, r *http1.Request) {
	field := func(name string) string { return string(r.Header(name)) }
	if isPage(field) || !s.knowsHost(string(r.Host())) {
		s.guard.refuse("page", "a page, or a host that is not in api.hosts, asked the HTTP API", "remote", c.RemoteAddr())
		respond(c, command.Failed(&command.Error{Code: command.Denied, Text: "pages and host names that are not in api.hosts cannot use this port"}))
		return
	}
	path := string(r.Path())
	switch {
	case path == "/v1/openapi.json" && (r.Method() == "GET" || r.Method() == "HEAD"):
		_ = c.Respond(&http1.Response{Type: "application/json", Body: s.table.OpenAPI(lineman.Version())})
		return
	case r.Method() != "POST":
		_ = c.Respond(&http1.Response{Status: 405, Header: []http1.Field{{Name: "Allow", Value: "POST"}}})
		return
	}
	permit, err := s.permit(c, r)
	if err != nil {
		respond(c, command.Failed(err))
		return
	}
	name, ok := strings.CutPrefix(path, "/v1/")
	if !ok {
		respond(c, command.Failed(&command.Error{Code: command.UnknownCommand, Text: "commands are at /v1/NAME: GET /v1/openapi.json describes them"}))
		return
	}
	s.lag.begin(s.loop)
	kind, _, _ := mime.ParseMediaType(string(r.Header("Content-Type")))
	switch {
	case kind == "application/json" && name != "batch":
		s.table.Do(r.Body(), name, permit, func(reply command.Reply) { respond(c, reply) })
	case kind == "application/x-ndjson":
		if name == "batch" {
			name = ""
		}
		s.batch(c, r.Body(), name, permit)
	default:
		_ = c.Respond(&http1.Response{Status: 415, Body: []byte("want Content-Type: application/json, or application/x-ndjson for several objects, one a line\n")})
	}
}

func respond(c *lineman.Conn, r command.Reply) {
	answer := &http1.Response{Type: "application/json", Body: append(r.JSON(), '\n')}
	if !r.OK {
		answer.Status = statuses[r.Error.Code]
	}
	switch answer.Status {
	case 401:
		answer.Header = []http1.Field{{Name: "WWW-Authenticate", Value: "Bearer"}}
	case 429:
		answer.Header = []http1.Field{{Name: "Retry-After", Value: "1"}}
	}
	_ = c.Respond(answer) // it may have closed
}

// isPage reports whether a request was made by a browser's page: one of another site does not see the answer, but what it asks would be
// done. field is a field of the request's head.
func isPage(field func(name string) string) bool {
	return field("Origin") != "" || field("Sec-Fetch-Site") != ""
}

// knowsHost reports whether a request may be for a host: a page could give a name of its own to this machine's address.
func (s *Server) knowsHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	_, err := netip.ParseAddr(host)
	return err == nil || strings.EqualFold(host, "localhost") ||
		slices.ContainsFunc(s.config.API.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// permit is what the key of a request allows.
func (s *Server) permit(c *lineman.Conn, r *http1.Request) (*command.Permit, error) {
	if len(s.keys) == 0 && config.Loopback(s.config.API.Listen) {
		return nil, nil
	}
	scheme, key, _ := strings.Cut(string(r.Header("Authorization")), " ")
	permit := s.keys.find(key)
	if !strings.EqualFold(scheme, "Bearer") || permit == nil {
		s.guard.refuse("key", "a back end was turned away: it has no key", "remote", c.RemoteAddr())
		return nil, &command.Error{Code: command.Unauthorized, Text: "want Authorization: Bearer KEY, with a key of api.keys"}
	}
	if !s.guard.command(permit.Name) {
		return nil, &command.Error{Code: command.TooMany, Text: "too many commands: try again later"}
	}
	return permit, nil
}

// batch is some commands of one request, one a line, and their answers.
type batch struct {
	server  *Server
	conn    *lineman.Conn
	name    string // of the command; empty if each line has it
	permit  *command.Permit
	lines   [][]byte
	next    int // line to run
	replies [][]byte
	left    int // lines that are not answered
}

// batch runs the commands of some lines in order, and answers when all are done.
func (s *Server) batch(c *lineman.Conn, body []byte, name string, permit *command.Permit) {
	b := &batch{server: s, conn: c, name: name, permit: permit}
	for _, line := range bytes.Split(bytes.Clone(body), []byte("\n")) { // the body is on loan
		if line = bytes.TrimSpace(line); len(line) > 0 {
			b.lines = append(b.lines, line)
		}
	}
	b.replies, b.left = make([][]byte, len(b.lines)), len(b.lines)
	if b.left == 0 {
		b.respond()
	}
	b.run()
}

// run runs lines up to the first that changes who gets what and is not answered at once: the next goes by its change.
func (b *batch) run() {
	for changing := false; b.next < len(b.lines) && !changing; {
		i := b.next
		b.next++
		changing = b.server.table.Do(b.lines[i], b.name, b.permit, func(r command.Reply) {
			b.replies[i] = append(r.JSON(), '\n')
			if b.left--; b.left == 0 {
				b.respond()
			} else if changing {
				b.run()
			}
		})
	}
}

func (b *batch) respond() {
	_ = b.conn.Respond(&http1.Response{Type: "application/x-ndjson", Body: bytes.Join(b.replies, nil)}) // it may have closed
}
