package lineman

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/lineman-go/lineman/internal/exchange"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// Upgrade makes the request of a handler the handshake of a WebSocket of worker. That worker need not listen anywhere:
// the loop knows it from then on. The loop checks the handshake, calls OnUpgrade of worker, and answers, also if it
// refuses. The handler should return after it. Upgrade works behind middleware, and only for requests of a Worker's
// Handler.
//
// The answer has the fields that are set in w's header, such as Set-Cookie, except those for one hop or about a body.
// Sec-WebSocket-Protocol chooses the subprotocol, which must be one that the client offers. At most one value may be
// given: it is Conn.Value from OnUpgrade on. It can be the user, for example, whom middleware has put into the
// request's context.
//
// The error says that a field cannot be sent or that a subprotocol was not offered: then the handler can still answer.
// Or it says that the connection has ended.
func Upgrade(w http.ResponseWriter, r *http.Request, worker *Worker, value ...any) error {
	x := exchange.Of(r)
	switch {
	case x == nil:
		return errors.New("lineman: upgrade: the request is none of a Worker's Handler")
	case len(value) > 1:
		return fmt.Errorf("lineman: upgrade: %d values: a connection has one", len(value))
	}
	a, err := acceptanceOf(w, x.Response(), r)
	if err != nil {
		return fmt.Errorf("lineman: upgrade: %w", err)
	}
	if a.valued = len(value) == 1; a.valued {
		a.value = value[0]
	}
	if _, _, err := x.Response().Hijack(); err != nil {
		return fmt.Errorf("lineman: upgrade: %w", err)
	}
	c := connOf(x)
	refused, err := Ask(context.Background(), c.loop, func() error { return c.upgrade(x.Head(), worker, a) })
	if err != nil {
		return fmt.Errorf("lineman: upgrade: %w", net.ErrClosed)
	}
	return refused
}

// upgrade gives the connection to a WebSocket worker, beginning with the head of the request at hand.
func (c *Conn) upgrade(head []byte, w *Worker, a *acceptance) error {
	if c.phase.get() != open {
		return fmt.Errorf("lineman: upgrade: %w", net.ErrClosed)
	}
	s, err := c.loop.serviceOf(w)
	if err != nil {
		return err
	}
	if s.kind != speaksWebSocket {
		return fmt.Errorf("lineman: upgrade: worker %q does not speak WebSocket", s.name)
	}
	from := c.service
	if err := c.SetWorker(w); err != nil {
		return err
	}
	h := newHTTPSession(s) // also after Serve
	h.from, h.acceptance = from, a
	a.exchange(c)
	c.mu.Lock()
	c.session = h
	c.markLocked(resume)
	c.mu.Unlock()
	in := c.loop.newInput()
	in.bytes = append(in.bytes, head...)
	if c.in.rest != nil {
		in.bytes = append(in.bytes, c.in.rest.bytes...)
		c.loop.freeInput(c)
	}
	c.in.rest = in
	return nil
}

// An Acceptance is what the answer to the handshake of a WebSocket has beside what every such answer has: see
// Conn.Accept.
type Acceptance struct {
	// Header is further fields of the answer, such as Set-Cookie, in this order; a name may come several times. Those
	// that the handshake is made of, and those that are for one hop, are refused.
	Header []http1.Field

	// Subprotocol is the one that is agreed on, in place of the one that the Subprotocols of the websocket.Protocol
	// give. It must be among those that the client offers: see websocket.Offered. "" leaves it.
	Subprotocol string
}

// Accept adds to the answer of the present handshake: in OnUpgrade, or in OnRequest for a request that SetWorker makes
// a handshake. Several calls add up, and the last subprotocol counts. If the handshake is refused later, the refusal
// has the fields, too. The error says what cannot be sent, or that there is no handshake: then nothing of a is sent.
func (c *Conn) Accept(a Acceptance) error {
	h, ok := c.session.(*httpSession)
	if !ok || c.loop.requestOf != c {
		return errors.New("lineman: accept: no handshake is at hand: call it in OnUpgrade, or in OnRequest")
	}
	if h.acceptance == nil {
		h.acceptance = &acceptance{}
	}
	if err := h.acceptance.add(a, websocket.Offered(c.loop.request)); err != nil {
		return fmt.Errorf("lineman: accept: %w", err)
	}
	return nil
}

// CheckOrigin checks the Origin of the present request by the rules for the handshake of a WebSocket. Use it for
// answers of a websocket worker that give a page as much as a WebSocket does. The error is a *websocket.HandshakeError,
// or says that there is no such request. On the loop only.
func (c *Conn) CheckOrigin() error {
	p, ok := c.service.protocol.(*websocket.Protocol)
	if !ok || c.loop.requestOf != c {
		return errors.New("lineman: check origin: no request of a websocket worker is at hand: call it in OnRequest")
	}
	return p.CheckOrigin(handshakeOf(c, c.loop.request))
}

// acceptance is what the application wants of the handshake at hand.
type acceptance struct {
	header      [][2]string
	subprotocol string

	valued bool // by Upgrade
	value  any  // of the connection: the one to come, and once that has taken its place the one before
}

// add takes in what can be sent.
func (a *acceptance) add(more Acceptance, offered []string) error {
	if s := more.Subprotocol; s != "" && !slices.Contains(offered, s) {
		return fmt.Errorf("the client does not offer the subprotocol %q", s) // RFC 6455, 4.2.2
	}
	for _, f := range more.Header {
		if forOneHop(f.Name) {
			return fmt.Errorf("field %q is for one hop, or about a body", f.Name)
		}
		if err := websocket.CheckField(f.Name, f.Value); err != nil {
			return err
		}
	}
	for _, f := range more.Header {
		a.header = append(a.header, [2]string{f.Name, f.Value})
	}
	if more.Subprotocol != "" {
		a.subprotocol = more.Subprotocol
	}
	return nil
}

// exchange has the connection's value and the one that Upgrade gave change places. On the loop.
func (a *acceptance) exchange(c *Conn) {
	if a != nil && a.valued {
		c.value, a.value = a.value, c.value
	}
}

// accept is the answer to a handshake, as far as it is not the handshake's own.
func (a *acceptance) accept(accepted *websocket.Accepted) (header [][2]string) {
	if a == nil {
		return nil
	}
	if a.subprotocol != "" {
		accepted.Subprotocol = a.subprotocol
	}
	return a.header
}

// fields are those of an answer that refuses the handshake.
func (a *acceptance) fields() (header []http1.Field) {
	if a == nil {
		return nil
	}
	for _, f := range a.header {
		header = append(header, http1.Field{Name: f[0], Value: f[1]})
	}
	return header
}

// forOneHop reports whether a field does not belong to an answer that is passed on and has no body (RFC 9110, 7.6.1 and
// 8), or is made for each answer.
func forOneHop(name string) bool {
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Date",
		"Content-Encoding", "Content-Language", "Content-Length", "Content-Location", "Content-Range", "Content-Type":
		return true
	}
	return false
}

// acceptanceOf is what middleware and the handler have set for the answer to a request: outer has what did not pass
// through w.
func acceptanceOf(w, outer http.ResponseWriter, r *http.Request) (*acceptance, error) {
	header := maps.Clone(outer.Header())
	maps.Copy(header, w.Header())
	named := http.Header{}
	for _, list := range header["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			named.Set(strings.TrimSpace(name), "")
		}
	}
	a, set := &acceptance{}, Acceptance{Subprotocol: header.Get("Sec-WebSocket-Protocol")}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		_, dropped := named[textproto.CanonicalMIMEHeaderKey(name)]
		if dropped || forOneHop(name) || strings.HasPrefix(name, http.TrailerPrefix) || ofHandshake(name) {
			continue
		}
		for _, value := range header[name] {
			set.Header = append(set.Header, http1.Field{Name: name, Value: value})
		}
	}
	return a, a.add(set, websocket.Offered(requestFields(r.Header)))
}

func ofHandshake(name string) bool {
	return strings.HasPrefix(strings.ToLower(name), "sec-websocket-")
}

// requestFields are the fields of a request as package websocket reads them.
type requestFields http.Header

func (f requestFields) Value(name string, i int) []byte {
	if values := http.Header(f).Values(name); i < len(values) {
		return []byte(values[i])
	}
	return nil
}
