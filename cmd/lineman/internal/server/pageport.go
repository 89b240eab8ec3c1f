package server

import (
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/devpage"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

//go:embed icon.svg
var icon []byte // for the tab of a browser, which asks for it wherever it is

// pongTimeout is how long a page has to say that it is there.
const pongTimeout = 10 * time.Second

// handshakeTime is how long a connection has for the handshakes of TLS and of WebSocket, and for another request after
// an answer.
const handshakeTime = 5 * time.Second

// refusalTime is how long a connection that was refused may take to read why.
const refusalTime = time.Second

// retryAfter is told to who comes at the wrong time.
var retryAfter = []http1.Field{{Name: "Retry-After", Value: "5"}}

// pageWorker is the port for pages. At level 0 the first frame of a page is its credential, unless the handshake had
// it. From then on it is sent what is published, and nothing else but the hello that the handshake may have asked for.
// What the page says is ignored, or told to back ends where settings say so. At level 1 it says what it wants, and gets
// everything in frames of package level1.
func (s *Server) pageWorker() *lineman.Worker {
	limits := s.config.Limits
	w := &lineman.Worker{
		Name:  "pages",
		Addr:  "websocket://" + s.config.Listen,
		Count: s.config.Count,
		Protocol: &websocket.Protocol{
			Origins: s.origins(), SamePort: s.readsCookies(), Subprotocols: s.subprotocols(),
			PingInterval: s.config.Ping, PongTimeout: pongTimeout, MoreOrigins: s.appOrigins,
		},
		Proxies: s.config.Proxies,
		TLS:     s.options.TLS,
		Logger:  s.options.Log,
		Limits: lineman.Limits{
			MaxMessage: limits.Message, MaxPending: limits.Pending, Handshake: handshakeTime, KeepAlive: handshakeTime,
			Answer: limits.Login + handshakeTime, Drain: s.config.Drain,
		},
	}
	w.OnStart = s.start
	w.Report = func(*lineman.Loop) any { return s.figuring.recorder.Now() }
	w.OnAccept = s.accept
	w.OnGone = s.gone
	w.OnUpgrade = s.handshake
	w.OnRefuse = s.refused
	w.OnConnect = s.connect
	w.OnMessage = s.message
	w.OnClosing, w.OnRelayEnd = s.leave, s.partRelayed
	w.OnClose = s.endSpeaking
	w.OnHead = s.requestHead
	w.OnRequest = s.request
	w.OnFull = s.tooSlow
	w.OnReload = func(l *lineman.Loop) { s.drain(l, true) }
	s.handsOver(w)
	w.OnStop = s.stop
	return w
}

// readsCookies reports whether a page is known by what its browser sends by itself.
func (s *Server) readsCookies() bool { return s.config.Cookie != "" || s.config.PassesCookies() }

// origins are those of pages that may connect. In dev mode a page may be opened from a file, unless some are listed, or
// a hook tells pages by their cookies: its origin is null, which a page of any site can have in a sandboxed frame.
func (s *Server) origins() []string {
	if s.opensFiles() {
		return []string{"null"}
	}
	return s.config.Origins
}

// opensFiles reports whether pages that were opened from a file may connect, though no setting says so.
func (s *Server) opensFiles() bool {
	return s.config.Dev && len(s.config.Origins) == 0 && !s.config.AsksWho()
}

// accept finds a slot for a connection that was accepted.
func (s *Server) accept(c *lineman.Conn) error {
	p := &page{login: &login{}}
	if !s.guard.accept(p, c.RemoteAddrPort()) {
		return errNoSlot
	}
	c.SetValue(p)
	if p.login.refusal != "" {
		c.After(refusalTime, func() {
			if p.login != nil && p.login.refusal != "" { // no proxy has told of somebody for whom there is a slot
				c.Abort()
			}
		})
	}
	return nil
}

// spareTime is how long a connection may take to read that there is no slot for it. It is 0 where more connections are
// told so than there are spare slots: behind a proxy this is found out only when a slot was taken.
func (s *Server) spareTime() time.Duration {
	if s.guard.crowded() {
		return 0
	}
	return refusalTime
}

// errNoSlot refuses a connection. The guard has counted and logged why.
var errNoSlot = errors.New("server: no connection slot")

// gone gives back the slot of a connection.
func (s *Server) gone(c *lineman.Conn) {
	if left := s.guard.leave(pageOf(c)); s.stopping && left == 0 {
		s.first().loop.Do(s.first().endIfDue)
	}
}

// handshake decides whether a page may open its WebSocket, and keeps what the request says of its login.
func (s *Server) handshake(c *lineman.Conn, r *http1.Request) error {
	if !s.ready {
		return &lineman.RefuseError{Status: 503, Reason: "the server is stopping", Header: retryAfter}
	}
	if !s.informed && s.late { // a proxy goes to the next node by that
		return &lineman.RefuseError{Status: 503, Reason: "it is not known yet what was revoked", Header: retryAfter}
	}
	if s.foreignHost(r) {
		s.guard.refuse("page", "a page of a foreign host name was refused", "remote", c.RemoteAddr())
		return &lineman.RefuseError{Status: 403, Reason: foreignHostText}
	}
	if s.isPusherPath(r.Path()) {
		return s.handshakePusher(c, r)
	}
	e, err := s.loginOf(r)
	if err != nil {
		return err
	}
	p := pageOf(c)
	if why := s.guard.readmit(p, c.RemoteAddrPort()); why != "" {
		c.After(s.spareTime(), c.Abort)
		return &lineman.RefuseError{Status: 429, Reason: "too many connections: " + why, Header: retryAfter}
	}
	if s.decides.connect != nil {
		e.question = s.connectQuestion(r)
	}
	*p.login = e
	return nil
}

// foreignHost reports whether a request of dev mode, in which everybody is believed, is for a host name that somebody
// may have given to this machine's address (DNS rebinding): a page of that name would be of the same origin.
func (s *Server) foreignHost(r *http1.Request) bool {
	return s.config.Dev && !s.knowsHost(string(r.Host()))
}

const foreignHostText = "in dev mode the server is asked by an address, as localhost, or by a name of api.hosts"

// refused counts and logs a handshake that is wrong, or of a page of another origin.
func (s *Server) refused(c *lineman.Conn, r *http1.Request, why *websocket.HandshakeError) {
	reason := "handshake"
	if why.Status == http.StatusForbidden {
		reason = "origin"
	}
	s.guard.refuse(reason, "a connection was refused", "remote", c.RemoteAddr(), "error", fmt.Sprintf("%.200v", why))
}

func (s *Server) connect(c *lineman.Conn) {
	if p, is := c.Value().(*pusherPage); is {
		s.connectPusher(c, p)
		return
	}
	p := pageOf(c)
	if speaksLevel1(c) {
		p.live = &live{}
	} else if p.login.credential != "" || p.login.question != nil && p.login.question.TellsWho() {
		s.login(c, p, p.login.credential)
		return
	}
	s.awaitCredential(c, p)
}

// awaitCredential gives a page some time to say who it is.
func (s *Server) awaitCredential(c *lineman.Conn, p *page) {
	p.login.late = c.After(s.config.Limits.Login, func() {
		s.refuse(c, "late", codeLate, "no credential came in time")
		c.After(refusalTime, c.Abort) // who has said nothing may not answer the goodbye either
	})
}

// message takes the first one for the credential, at level 0.
func (s *Server) message(c *lineman.Conn, msg []byte) {
	p := pageOf(c)
	switch {
	case !s.guard.message(&p.spent):
		s.refuse(c, "messages_per_connection", codeTooMany, retryLater)
	case s.apps != nil && s.speaksPusher(c):
		if p.login == nil {
			s.pusher.Receive(c, msg)
		}
	case p.live != nil:
		s.asks(c, p, msg)
	case p.login != nil && !p.login.verifying && !p.login.left:
		s.login(c, p, trimmed(string(msg)))
	case p.login == nil && s.hearsPlain():
		s.sayPlain(c, msg)
	}
}

// leave forgets a page that gets nothing any more. A page that is told to go, or no longer answers, does not count as
// online while the closing handshake lasts.
func (s *Server) leave(c *lineman.Conn) {
	p := pageOf(c)
	if p.login != nil {
		p.login.leave()
		s.guard.logout(p.login)
		c.Resume() // it may wait for its login
	}
	delete(s.speaking.upstreams, c.ID())
	delete(s.renewals, c.ID())
	if m := s.member(c); m != nil {
		if sp := s.hearing.speakers[c.ID()]; sp != nil {
			s.noteEnd(c, sp)
		}
		s.hub.Remove(m)
	}
	if p.end != 0 {
		s.expiries.remove(c.ID(), p.end)
	}
	if p.live != nil {
		s.leaveLive(p)
	}
	if one, is := c.Value().(*pusherPage); is {
		s.leavePusher(one)
	}
}

// refuse closes a page's connection, and counts and logs why. args are for the log alone.
func (s *Server) refuse(c *lineman.Conn, why string, code websocket.Code, reason string, args ...any) {
	about := []any{"remote", c.RemoteAddr(), "code", int(code)}
	if m := s.member(c); m != nil {
		about = append(about, "conn", string(m.Target()), "uid", m.UID())
	}
	s.guard.refuse(why, "a page was closed", append(about, args...)...)
	s.closeWith(c, int(code), reason)
}

// tooSlow cuts a page that does not read.
func (s *Server) tooSlow(c *lineman.Conn) { s.refuse(c, "slow", codeTooSlow, "too slow") }

// closeWith closes a page's connection.
func (s *Server) closeWith(c *lineman.Conn, code int, reason string) {
	if s.refuseStream(c, code, reason) {
		return
	}
	if s.speaksPusher(c) {
		code, reason = pusherCode(code, reason)
	}
	s.noteClosing(c, code, reason)
	s.sayGoodbye(c, code, reason)
	_ = c.CloseWith(websocket.Code(code), reason) // it may have closed
}

// isReady reports whether pages may come.
func (s *Server) isReady() bool { return s.ready && s.informed && s.hub.Linked() }

// requestHead refuses a request for no WebSocket that has a body, before the body is read, or that comes too often.
func (s *Server) requestHead(c *lineman.Conn, r *http1.Request) error {
	p := pageOf(c)
	if s.guard.address(c.RemoteAddrPort().Addr()) != p.ip { // by a proxy, which tells who it is
		s.guard.readmit(p, c.RemoteAddrPort())
	}
	if !s.guard.message(&p.spent) {
		s.guard.refuse("messages_per_connection", "a connection was refused", "remote", c.RemoteAddr())
		return &lineman.RefuseError{
			Status: 429, Reason: "too many requests: messages_per_connection", Header: retryAfter,
		}
	}
	if s.devPage != nil && devpage.IsCommand(r) {
		return s.devHead(c, r)
	}
	if !isSafe(r.Method()) && !isPreflight(r) {
		return &lineman.RefuseError{
			Status: 405, Reason: "want GET", Header: []http1.Field{{Name: "Allow", Value: "GET, HEAD"}},
		}
	}
	return refuseBody(r)
}

// request answers a request for no WebSocket.
func (s *Server) request(c *lineman.Conn, r *http1.Request) {
	answer := &http1.Response{Status: 404, Body: []byte("not found\n")}
	switch path := string(r.Path()); {
	case path == ssePath:
		s.openStream(c, r)
		return
	case path == "/health":
		answer = &http1.Response{Body: []byte("ok\n")}
	case path == "/ready" && s.isReady():
		answer = &http1.Response{Body: []byte("ok\n")}
	case path == "/ready":
		answer = &http1.Response{Status: 503, Body: []byte("not ready\n")}
	case scripts[path].body != nil:
		answer = scripts[path].answer(r)
	case path == "/favicon.ico":
		answer = &http1.Response{Type: "image/svg+xml", Body: icon}
	case s.devPage != nil && devpage.Has(path):
		if answer = s.devAnswer(c, r); answer == nil {
			return
		}
	}
	if pageOf(c).login.refusal != "" { // its spare slot is for others who are to be told as well
		answer.Close = true
		c.After(s.spareTime(), c.Abort)
	}
	_ = c.Respond(answer)
}
