package lineman

import (
	"errors"
	"fmt"

	"github.com/lineman-go/lineman/internal/exchange"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// httpSession is a connection that speaks HTTP: one request at a time is with the application, so that answers keep
// their order. It is also how every WebSocket begins.
//
//	        request                    answer
//	idle ─────────────▶ waiting ─────────────────────▶ idle, or closing
//	                       │ the callback returned       ▲
//	                       └──▶ awaited ─────────────────┤
//	                            (no request is looked at; Limits.Answer runs)
//	                                │ answer with Stream    │ EndStream
//	                                └──▶ streaming ─────────┤
//	                                │ Serve                 │ net/http is done
//	                                └──▶ served ────────────┘
type httpSession struct {
	plain
	*http1.Codec // used by Decode, on the loop

	// Owned by the loop.
	of         *service    // the one that the Codec was made for
	from       *service    // whose it was before SetWorker, and is if the handshake fails
	acceptance *acceptance // of the handshake at hand; nil for an ordinary one
	asked      bool        // a request has come
	admitted   bool        // the head of the request at hand was decided about

	turn turn

	// Guarded by the connection's lock.
	service   *service           // changed by the loop
	served    *exchange.Exchange // the request at hand is with an http.Handler; nil if it is not. Changed by the loop.
	exchange  http1.Exchange     // of the request at hand. The loop changes it while none waits, and none streams
	awaits    bool               // a request waits, and its callback has returned
	answering bool               // an answer, or the end of one that streams, is on its way to the output
	streaming bool               // the answer's body goes on
}

func newHTTPSession(s *service) *httpSession {
	if n := len(s.handshakes); n > 0 {
		h := s.handshakes[n-1]
		s.handshakes = s.handshakes[:n-1]
		return h
	}
	p, ok := s.protocol.(*http1.Protocol)
	if !ok {
		p = &http1.Protocol{} // the handshake of a WebSocket
	}
	codec := p.NewCodec(s.limits.MaxMessage).(*http1.Codec)
	codec.Share(&s.loop.spareRequest)
	return &httpSession{Codec: codec, service: s, of: s}
}

// change has the session be of another service, with the request at hand, where that is one of HTTP too.
func (h *httpSession) change(c *Conn, to *service) (stays bool, _ error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case to.kind == speaksWebSocket:
		h.from = h.service
	case to.kind == speaksHTTP && to.worker.Handler == nil:
	case h.waitsLocked():
		return false, fmt.Errorf("lineman: answer the request before the connection goes to worker %q", to.name)
	default:
		c.state.put(fresh, h.isUnconnected(c))
		return false, nil
	}
	c.state.put(fresh, to.kind == speaksHTTP && h.isUnconnected(c))
	h.service = to
	return true, nil
}

// isUnconnected reports whether the connection speaks, but had no OnConnect: of a WebSocket worker, before a handshake.
func (h *httpSession) isUnconnected(c *Conn) bool { return h.asked && !c.phase.connected() }

// freeHTTP keeps the session of a finished handshake for another connection.
func (s *service) freeHTTP(h *httpSession) {
	if len(s.handshakes) < 64 { // fewer leave garbage, and holes that stay
		*h = httpSession{Codec: h.Codec, service: s, of: s}
		s.handshakes = append(s.handshakes, h)
	}
}

// Append answers 200 with msg as plain text, or adds it to the body of a stream. As every session's, it is called under
// the connection's lock.
func (h *httpSession) Append(dst, msg []byte) ([]byte, error) {
	if h.streaming {
		return http1.AppendChunk(dst, h.exchange, msg), nil
	}
	if !h.answersLocked() || h.exchange != (http1.Exchange{}) || len(msg) == 0 {
		return h.respondLocked(dst, &http1.Response{Body: msg})
	}
	h.answering = true
	l := h.service.loop
	return l.date.AppendPlain(dst, msg, l.dateSecond()), nil
}

// answerLocked appends an answer of the application's, with the connection's lock held.
func answerLocked(s session, dst []byte, r *http1.Response) ([]byte, error) {
	h, ok := s.(*httpSession)
	if !ok {
		return dst, ErrAnswered
	}
	return h.respondLocked(dst, r)
}

// respondLocked appends the answer to the request that waits, with the connection's lock held.
func (h *httpSession) respondLocked(dst []byte, r *http1.Response) ([]byte, error) {
	if !h.answersLocked() {
		return dst, ErrAnswered
	}
	b, err := r.Append(dst, h.exchange, h.service.loop.dateField())
	if err != nil {
		return dst, fmt.Errorf("lineman: %w", err)
	}
	h.exchange.Close = h.exchange.Close || r.Close || r.CloseDelimited
	h.exchange.CloseDelimited = r.CloseDelimited
	h.answering = true
	h.streaming = r.Streams(h.exchange)
	return b, nil
}

// headLocked is respondLocked without the body of r, and says how many bytes that is: -1, and nothing was appended, if
// the body does not follow as it is.
func headLocked(s session, dst []byte, r *http1.Response) (head []byte, before int, err error) {
	h, ok := s.(*httpSession)
	if !ok || !h.waitsLocked() || h.exchange.Head || r.Stream || r.Status == 204 || r.Status == 304 {
		return dst, -1, nil
	}
	h.exchange.Head = true // as if nobody wanted the body
	head, err = h.respondLocked(dst, r)
	h.exchange.Head = false
	return head, len(head) - len(dst), err
}

// endStreamLocked ends the body of a stream, with lock held.
func (h *httpSession) endStreamLocked(dst []byte) ([]byte, error) {
	if !h.streaming {
		return dst, ErrAnswered
	}
	h.streaming, h.answering = false, true
	dst = http1.AppendLast(dst, h.exchange)
	h.exchange.Close = h.exchange.Close || h.exchange.HTTP10
	return dst, nil
}

func (h *httpSession) deliver(c *Conn, msg []byte) {
	h.asked = true
	c.since = c.loop.present // KeepAlive counts from here, or from the answer if that comes later
	r := h.lend(c)
	defer h.release(c)
	if h.asksUpgrade(c, r) {
		h.expectAnswer(r)
		h.upgradeTo(c, r)
		return
	}
	if !h.admits(c, r) {
		return
	}
	h.admitted = false
	h.expectAnswer(r)
	h.call(c, r, msg)
	if c.service.kind == speaksWebSocket && h.waits(c) && websocket.IsUpgrade(r) { // SetWorker in the callback
		h.upgradeTo(c, r)
		return
	}
	h.await(c)
}

// lend lends the request at hand to the application.
func (h *httpSession) lend(c *Conn) *http1.Request {
	r := h.Request()
	c.loop.request, c.loop.requestOf = r, c
	if len(c.service.proxies) > 0 {
		h.noteClient(c, r)
	}
	return r
}

// asksUpgrade reports whether a request is for OnUpgrade.
func (h *httpSession) asksUpgrade(c *Conn, r *http1.Request) bool {
	return c.service.kind == speaksWebSocket && (websocket.IsUpgrade(r) || c.service.worker.OnRequest == nil)
}

// admits asks the application about the head of a request, once, and answers one that is refused.
func (h *httpSession) admits(c *Conn, r *http1.Request) bool {
	f := c.service.worker.OnHead
	if f == nil || h.admitted {
		return true
	}
	c.loop.enters(c.service.request)
	err := f(c, r)
	switch rest := c.end.hasRest(c); {
	case c.phase.get() != open && !rest:
		return false
	case err != nil && rest:
		c.Abort() // nobody is there to be told, and it would have been the last
		return false
	case err != nil:
		h.expectAnswer(r)
		h.refuse(c, err)
		return false
	}
	h.admitted = true
	return true
}

// endLoan takes back what lend has lent.
func (h *httpSession) endLoan(c *Conn) { c.loop.request, c.loop.requestOf = nil, nil }

// release ends the loan of a request that was handled. One that follows at once is read into the same memory.
func (h *httpSession) release(c *Conn) {
	h.endLoan(c)
	h.acceptance = nil
	stays := c.session == session(h) && h.of == h.service
	if c.loop.behind == 0 || !stays {
		h.Release()
	}
	switch {
	case stays:
	case c.session != session(h):
		h.of.freeHTTP(h) // a WebSocket now
	case h.of != h.service:
		h.Codec, h.of = newHTTPSession(h.service).Codec, h.service
	}
}

func (h *httpSession) call(c *Conn, r *http1.Request, msg []byte) {
	w := c.service.worker
	if c.loop.parting.Load() {
		h.lastAnswer(c)
	}
	switch {
	case w.OnRequest != nil:
		c.in.count(c)
		c.loop.enters(c.service.request)
		w.OnRequest(c, r)
	case w.OnMessage != nil:
		c.in.message(c, msg)
	default:
		_ = c.Respond(&http1.Response{Status: 404})
	}
}

// await starts the limit of an answer that the callback did not give. If it gave one, the next request may follow.
func (h *httpSession) await(c *Conn) {
	if h.turn.is(over) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if (h.waitsLocked() || h.streaming) && c.phase.get() == open {
		h.awaits = true
		c.since = c.loop.present
		c.watch(c.service.after.answer)
		c.markLocked(0)
	}
}

// upgradeTo is upgrade of a client that is there.
func (h *httpSession) upgradeTo(c *Conn, r *http1.Request) {
	if c.phase.get() == open {
		h.upgrade(c, r)
	} else if c.end.hasRest(c) {
		c.Abort() // nobody is there to be upgraded
	}
}

// upgrade finishes the handshake of a WebSocket, or refuses it.
func (h *httpSession) upgrade(c *Conn, r *http1.Request) {
	p := c.service.protocol.(*websocket.Protocol)
	accepted, err := p.Check(handshakeOf(c, r))
	if err != nil {
		var why *websocket.HandshakeError
		if f := c.service.worker.OnRefuse; f != nil && errors.As(err, &why) {
			c.loop.enters(inOnRefuse)
			f(c, r, why)
		}
		h.refuse(c, err)
		return
	}
	if f := c.service.worker.OnUpgrade; f != nil {
		c.loop.enters(inOnUpgrade)
		if err := f(c, r); err != nil {
			h.refuse(c, err)
			return
		}
	}
	if c.phase.get() != open {
		h.comeBack(c)
		return
	}
	c.mu.Lock()
	header := h.acceptance.accept(&accepted)
	c.out.sayLocked(c, func(dst []byte) []byte { return websocket.AppendAccept(dst, accepted, header...) })
	codec := websocket.NewServerCodec(c.service.limits.MaxMessage, accepted)
	c.session = &wsSession{Codec: *codec}
	c.remote.settleLocked(c)
	c.markLocked(0)
	c.mu.Unlock()
	c.watch(c.service.after.ping)
	c.watch(c.service.after.idle)
	c.connect()
}

// refuse answers a request that is refused by its head, such as a handshake that does not become a WebSocket.
func (h *httpSession) refuse(c *Conn, err error) {
	h.comeBack(c)
	answer := &http1.Response{Status: 403, Body: []byte("forbidden\n"), Close: true}
	var bad *websocket.HandshakeError
	var refused *RefuseError
	switch {
	case errors.As(err, &bad):
		answer.Status, answer.Body = bad.Status, []byte(bad.Reason+"\n")
		for _, f := range bad.Fields() {
			answer.Header = append(answer.Header, http1.Field{Name: f[0], Value: f[1]})
		}
	case errors.As(err, &refused) && refused.Status >= 400 && refused.Status <= 599:
		answer.Status, answer.Header, answer.Type = refused.Status, refused.Header, refused.Type
		answer.Body = []byte(refused.Reason + "\n")
	}
	answer.Header = append(h.acceptance.fields(), answer.Header...)
	if c.Respond(answer) != nil {
		// A field of the application's cannot be sent.
		_ = c.Respond(&http1.Response{Status: answer.Status, Close: true})
	}
}

// comeBack gives the connection to the service that it had: the other one has not heard of it.
func (h *httpSession) comeBack(c *Conn) {
	if h.from != nil {
		c.mu.Lock()
		h.service, h.from = h.from, nil
		c.mu.Unlock()
		h.acceptance.exchange(c)
		c.move(h.service)
	}
}

func (h *httpSession) size(data []byte) int { return h.Size(data) }

// more decides about a request whose body has still to come, and has its sender go on.
func (h *httpSession) more(c *Conn) {
	if h.Request() != nil && !h.awaitsBody(c) || !h.WantsContinue() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.sayLocked(c, func(dst []byte) []byte { return append(dst, http1.Continue...) })
	c.markLocked(0)
}

// awaitsBody decides by the head whether the body of a request is waited for. A handshake has none.
func (h *httpSession) awaitsBody(c *Conn) bool {
	r := h.lend(c)
	defer h.Release()
	defer h.endLoan(c)
	if h.asksUpgrade(c, r) {
		h.expectAnswer(r)
		h.upgrade(c, r)
		return false
	}
	return h.admits(c, r)
}
