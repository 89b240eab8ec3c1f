package lineman

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// What follows is what a session knows of its connection, as bytes: so that it goes on in another process. It is part
// of a record, beside the unread input, which is the next that the session will decode, and the unsent output.
//
// All states are read by this version of the program and by later ones, so a form does not change: what is new gets a
// flag of its own, which an older version refuses. An empty state is that of a session that has just begun.

// stays is why a connection stays with its process, in plain words.
type stays string

func (s stays) Error() string { return string(s) }

const (
	staysAnswering stays = "a request is being answered"
	staysHandler   stays = "a handler answers a request"
	staysHandshake stays = "a handshake is under way"
	staysHeader    stays = "its PROXY header has not come"
	staysClosing   stays = "it is closing"
	staysDue       stays = "OnConnect is due"
	staysPiped     stays = "it is joined with another connection"
	staysCodec     stays = "its codec is no protocol.Movable"
	staysSession   stays = "its protocol cannot cross"
)

// errSessionState is a state that cannot be understood.
var errSessionState = errors.New("lineman: the state of a session is malformed, or a later version's")

// The kinds of sessions in records. A codec's has its protocol's name behind it.
const (
	kindRaw       = "raw"
	kindCodec     = "codec:"
	kindWebSocket = "websocket"
	kindHTTP      = "http"
)

// restoreSession makes the session of a connection that comes from another process, whose service and counters are set,
// and notes whether it is connected: what is not has had no OnConnect, and has no value. An error means that it cannot
// be made here. It goes without the lock: nobody else knows the connection yet.
func restoreSession(c *Conn, kind string, state []byte) (session, error) {
	c.phase.connect(true)
	s := c.service.newSession()
	if kind == kindWebSocket && c.service.kind == speaksWebSocket {
		s = &wsSession{Codec: *websocket.NewServerCodec(c.service.limits.MaxMessage, websocket.Accepted{})}
	}
	if err := checkKind(c, s, kind); err != nil {
		return nil, err
	}
	if err := s.restoreState(c, state); err != nil {
		return nil, err
	}
	return s, nil
}

// checkKind refuses a record of another kind than that of a session of c.
func checkKind(c *Conn, s session, kind string) error {
	if speaks := s.recordKind(c); speaks != kind {
		return fmt.Errorf("lineman: a connection of kind %q: worker %q has kind %q", kind, c.service.name, speaks)
	}
	return nil
}

// stateLocked is what the session of a connection knows. Of one that is absent only what it has sent counts.
func stateLocked(c *Conn, dst []byte) ([]byte, error) {
	state, err := c.session.appendStateLocked(c, dst)
	if err == staysCodec && isAbsentLocked(c) && c.out.queue == nil {
		return dst, nil
	}
	return state, err
}

// staysLocked is why a connection stays whatever it speaks; nil if it need not.
func staysLocked(c *Conn) error {
	switch {
	case c.phase.get() != open || c.end != 0 || c.flags&(broken|aborted) != 0:
		return staysClosing
	case c.extra != nil && c.extra.piped != nil:
		return staysPiped
	case isAbsentLocked(c):
		return nil
	case c.state&arriving != 0:
		return staysHeader
	case c.flags&opening != 0 || c.transport().shaking():
		return staysHandshake
	case c.state&fresh != 0:
		return staysDue
	}
	return nil
}

func (plain) recordKind(*Conn) string                             { return "" }
func (plain) appendStateLocked(*Conn, []byte) ([]byte, error)     { return nil, staysSession }
func (plain) restoreState(*Conn, []byte) error                    { return staysSession }
func (raw) recordKind(*Conn) string                               { return kindRaw }
func (raw) appendStateLocked(_ *Conn, dst []byte) ([]byte, error) { return dst, nil }

func (raw) restoreState(_ *Conn, state []byte) error {
	if len(state) > 0 {
		return errSessionState
	}
	return nil
}

func (p *piped) appendStateLocked(*Conn, []byte) ([]byte, error) { return nil, staysPiped }

// appendStateLocked appends nothing: what was sent before the handshake is over is whole frames.
func (g *greeting) appendStateLocked(_ *Conn, dst []byte) ([]byte, error) { return dst, nil }

func (f *framing) recordKind(c *Conn) string { return kindCodec + c.service.protocol.Name() }

func (f *framing) appendStateLocked(_ *Conn, dst []byte) (state []byte, err error) {
	m, ok := f.codec.(protocol.Movable)
	if !ok {
		return nil, staysCodec
	}
	defer failed(&err)
	return m.AppendState(dst), nil
}

func (f *framing) restoreState(_ *Conn, state []byte) (err error) {
	m, ok := f.codec.(protocol.Movable)
	if !ok {
		return staysCodec
	}
	defer failed(&err)
	return m.RestoreState(state)
}

// failed is deferred around methods of a user's codec: a panic is an error like others.
func failed(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("lineman: its codec panicked: %v", v)
	}
}

// The first byte of the state of a WebSocket; what its flags tell of follows, in this order, and then the state of the
// codec.
const (
	wsAsked     = 1 << iota // a Ping was not answered yet: its payload, and how long ago it was, in nanoseconds
	wsRoundTrip             // of the last Ping that was answered, in nanoseconds
	wsPonged                // a pong waits to be written: how many bytes go before its end
	wsOwed                  // and another one is owed: its payload
	wsAll       = 1<<iota - 1
)

func (s *wsSession) recordKind(*Conn) string { return kindWebSocket }

func (s *wsSession) appendStateLocked(c *Conn, dst []byte) ([]byte, error) {
	start := len(dst)
	dst = s.AppendState(appendPingsLocked(c, append(dst, 0)))
	if len(dst) == start+1 {
		return dst[:start], nil
	}
	return dst, nil
}

// appendPingsLocked appends what is known of pings and pongs behind the byte of flags that dst ends with.
func appendPingsLocked(c *Conn, dst []byte) []byte {
	x, at := c.extra, len(dst)-1
	if x == nil {
		return dst
	}
	if p := x.ping; p != nil && !p.at.IsZero() {
		dst[at] |= wsAsked
		dst = appendBytes(dst, p.payload)
		dst = binary.AppendUvarint(dst, uint64(max(c.loop.now.Sub(p.at), 0)))
	}
	if last := x.roundTripLocked(); last > 0 {
		dst[at] |= wsRoundTrip
		dst = binary.AppendUvarint(dst, uint64(last))
	}
	if p := x.pongs; p != nil {
		dst[at] |= wsPonged
		dst = binary.AppendUvarint(dst, p.until-min(p.until, c.out.bytes))
		if p.owed {
			dst[at] |= wsOwed
			dst = appendBytes(dst, p.payload)
		}
	}
	return dst
}

func (s *wsSession) restoreState(c *Conn, state []byte) error {
	if len(state) == 0 {
		return nil
	}
	flags, r := state[0], stateReader{rest: state[1:]}
	restorePings(c, flags, &r)
	if flags&^wsAll != 0 || r.malformed {
		return errSessionState
	}
	return s.RestoreState(r.rest)
}

// restorePings goes without the lock, as restoreSession does.
func restorePings(c *Conn, flags byte, r *stateReader) {
	if flags&(wsAsked|wsRoundTrip) != 0 {
		c.extrasLocked().ping = &pinging{}
	}
	if flags&wsAsked != 0 {
		c.extra.ping.payload = r.bytes(websocket.MaxControl)
		c.extra.ping.at = c.loop.clock().Add(-r.duration())
	}
	if flags&wsRoundTrip != 0 {
		c.extra.ping.roundTrip = r.duration()
	}
	if flags&(wsPonged|wsOwed) != 0 {
		c.extrasLocked().pongs = &pongs{}
	}
	if flags&wsPonged != 0 {
		c.extra.pongs.until = c.out.bytes + r.number()
	}
	if flags&wsOwed != 0 {
		c.extra.pongs.owed, c.extra.pongs.payload = true, r.bytes(websocket.MaxControl)
	}
}

// The first byte of the state of a connection that speaks HTTP; the state of its codec follows. The state of one with a
// Handler is of the same form, and has no flag.
const (
	httpAsked          = 1 << iota // a request has come
	httpUnconnected                // OnConnect follows a handshake that has not come
	httpAdmitted                   // the head of the request that is half received was decided about
	httpStreams                    // the body of an answer goes on; the following are about it:
	httpOld                        // the client speaks HTTP/1.0
	httpClose                      // the connection ends after it
	httpCloseDelimited             // or with it
	httpAll            = 1<<iota - 1
)

func (h *httpSession) recordKind(*Conn) string { return kindHTTP }

func (h *httpSession) appendStateLocked(c *Conn, dst []byte) ([]byte, error) {
	switch {
	case h.served != nil:
		return nil, staysHandler
	case h.waitsLocked():
		return nil, staysAnswering
	case h.from != nil || h.acceptance != nil:
		return nil, staysHandshake
	}
	return appendHTTPState(dst, h.flagsLocked(c), h.Codec), nil
}

func (h *httpSession) flagsLocked(c *Conn) (flags byte) {
	set := func(on bool, flag byte) {
		if on {
			flags |= flag
		}
	}
	set(h.asked, httpAsked)
	set(!c.phase.connected(), httpUnconnected)
	set(h.admitted, httpAdmitted)
	if h.streaming {
		flags |= httpStreams
		set(h.exchange.HTTP10, httpOld)
		set(h.exchange.Close, httpClose)
		set(h.exchange.CloseDelimited, httpCloseDelimited)
	}
	return flags
}

// appendHTTPState appends nothing for a connection on which nothing has come.
func appendHTTPState(dst []byte, flags byte, codec interface{ AppendState(dst []byte) []byte }) []byte {
	start := len(dst)
	dst = codec.AppendState(append(dst, flags))
	if flags == 0 && len(dst) == start+1 {
		return dst[:start]
	}
	return dst
}

// restoreState goes without the lock, as restoreSession does.
func (h *httpSession) restoreState(c *Conn, state []byte) error {
	if len(state) == 0 {
		return nil
	}
	flags := state[0]
	h.asked, h.admitted = flags&httpAsked != 0, flags&httpAdmitted != 0
	h.streaming = flags&httpStreams != 0
	c.phase.connect(flags&httpUnconnected == 0)
	h.awaits = h.streaming
	h.exchange = http1.Exchange{
		HTTP10: flags&httpOld != 0, Close: flags&httpClose != 0, CloseDelimited: flags&httpCloseDelimited != 0,
	}
	if flags&^httpAll != 0 || !h.streaming && h.exchange != (http1.Exchange{}) {
		return errSessionState
	}
	return h.RestoreState(state[1:])
}

func (h *handlerSession) recordKind(*Conn) string { return kindHTTP }

func (h *handlerSession) appendStateLocked(_ *Conn, dst []byte) ([]byte, error) {
	if h.active() || !h.split.Between() {
		return nil, staysHandler
	}
	return appendHTTPState(dst, 0, h.split), nil
}

func (h *handlerSession) restoreState(_ *Conn, state []byte) error {
	switch {
	case len(state) == 0:
		return nil
	case state[0]&^httpAsked != 0:
		return errSessionState // half a request, or an answer, of a worker that had no Handler
	}
	return h.split.RestoreState(state[1:])
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// stateReader reads a state from the left.
type stateReader struct {
	rest      []byte
	malformed bool
}

func (r *stateReader) number() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.malformed, n, v = true, 0, 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *stateReader) duration() time.Duration { return time.Duration(min(r.number(), math.MaxInt64)) }

// bytes is a copy of the next ones, of which there may be so many.
func (r *stateReader) bytes(most int) []byte {
	n := r.number()
	if n > uint64(min(len(r.rest), most)) {
		r.malformed = true
		return nil
	}
	b := bytes.Clone(r.rest[:n])
	r.rest = r.rest[n:]
	return b
}
