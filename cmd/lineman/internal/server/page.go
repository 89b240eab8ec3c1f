package server

import (
	_ "embed"
	"errors"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
	"github.com/lineman-go/lineman/push"
)

//go:embed page.html
var page []byte

// Codes that pages are closed with: those of 40xx are final, those of 41xx mean that the page may come again later.
const (
	codeUnauthorized websocket.Code = 4001
	codeTooSlow      websocket.Code = 4102
)

// visitor is what the server keeps with a page's connection.
//
//	              a credential that is right              it closes
//	connected ──────────────────────────────▶ member ──────────────▶ gone
//	    └── none within Config.Login, or a wrong one: 4001
type visitor struct {
	uid    string // known from the handshake; empty if not
	member *push.Member[*lineman.Conn]
	late   *lineman.Timer
}

// pageWorker speaks level 0: the first frame is the credential, unless the handshake had it; from then on nothing but what is
// published is sent, and what the page says is ignored.
func (s *Server) pageWorker() *lineman.Worker {
	w := &lineman.Worker{
		Name:     "pages",
		Addr:     "websocket://" + s.config.Listen,
		Protocol: &websocket.Protocol{Origins: s.config.Origins},
		Limits:   lineman.Limits{MaxMessage: 64 << 10},
	}
	w.OnStart = s.start
	w.OnUpgrade = s.handshake
	w.OnConnect = s.connect
	w.OnMessage = s.message
	w.OnClose = s.leave
	w.OnRequest = s.request
	w.OnFull = func(c *lineman.Conn) { closeWith(c, int(codeTooSlow), "too slow") }
	w.OnReload = func(*lineman.Loop) { s.ready = false }
	w.OnStop = func(*lineman.Loop) { s.ready = false; s.hub.Close() }
	return w
}

// handshake looks for the credential where a page can put it before it may speak: ?token=, or a cookie.
func (s *Server) handshake(c *lineman.Conn, r *http1.Request) error {
	v := &visitor{}
	c.SetValue(v)
	credential, err := s.credential(r)
	if err != nil || credential == "" {
		return err
	}
	if v.uid, err = s.config.Verify(credential); err != nil || v.uid == "" {
		return &lineman.RefuseError{Status: 401, Reason: "the credential is not valid"}
	}
	return nil
}

// credential is that of a handshake; empty if it has none.
func (s *Server) credential(r *http1.Request) (string, error) {
	request, err := r.Std()
	if err != nil {
		return "", err
	}
	if token := request.URL.Query().Get("token"); token != "" {
		return token, nil
	}
	if s.config.Cookie == "" {
		return "", nil
	}
	cookie, err := request.Cookie(s.config.Cookie)
	if err != nil {
		return "", nil // it comes by the first frame
	}
	return cookie.Value, nil
}

func (s *Server) connect(c *lineman.Conn) {
	v := c.Value().(*visitor)
	if v.uid != "" {
		s.enter(c, v, v.uid)
		return
	}
	v.late = c.After(s.config.Login, func() { closeWith(c, int(codeUnauthorized), "no credential came in time") })
}

// message takes the first one for the credential.
func (s *Server) message(c *lineman.Conn, msg []byte) {
	v := c.Value().(*visitor)
	if v.member != nil {
		return
	}
	uid, err := s.config.Verify(string(msg))
	if err != nil {
		closeWith(c, int(codeUnauthorized), "the credential is not valid")
		return
	}
	s.enter(c, v, uid)
}

// enter makes a page a member.
func (s *Server) enter(c *lineman.Conn, v *visitor, uid string) {
	m, err := s.hub.Add(c, uid)
	if err == nil && uid == "" {
		s.hub.Remove(m)
		err = errors.New("no uid")
	}
	if err != nil {
		closeWith(c, int(codeUnauthorized), "a uid has 1 to 255 bytes of text")
		return
	}
	v.member = m
	if v.late != nil {
		v.late.Stop()
		v.late = nil
	}
}

func (s *Server) leave(c *lineman.Conn, _ error) {
	if v, ok := c.Value().(*visitor); ok && v.member != nil {
		s.hub.Remove(v.member)
	}
}

// request answers what asks for no WebSocket.
func (s *Server) request(c *lineman.Conn, r *http1.Request) {
	answer := &http1.Response{Status: 404, Body: []byte("not found\n")}
	switch path := string(r.Path()); {
	case r.Method() != "GET" && r.Method() != "HEAD":
		answer = &http1.Response{Status: 405, Header: []http1.Field{{Name: "Allow", Value: "GET, HEAD"}}}
	case path == "/health":
		answer = &http1.Response{Body: []byte("ok\n")}
	case path == "/ready" && s.ready && s.hub.Linked():
		answer = &http1.Response{Body: []byte("ok\n")}
	case path == "/ready":
		answer = &http1.Response{Status: 503, Body: []byte("not ready\n")}
	case path == "/" && s.config.Dev:
		answer = &http1.Response{Type: "text/html; charset=utf-8", Body: s.page}
	}
	_ = c.Respond(answer)
}
