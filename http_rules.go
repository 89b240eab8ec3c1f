package lineman

import (
	"errors"
	"sync/atomic"

	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// What follows are the rules of HTTP about limits, answers and endings: see session.

func (h *httpSession) Kind() uint8                  { return websocket.Unshared }
func (h *httpSession) protocolName(*service) string { return (&http1.Protocol{}).Name() }
func (h *httpSession) half() bool                   { return !h.Idle() }
func (h *httpSession) busy(c *Conn) bool            { return h.waits(c) }
func (h *httpSession) partsAtRest() bool            { return false }

// turn says who has the exchange. The loop gives it to the application, without the lock, as it is nobody else's then.
// Who answers gives it back, with the lock held and last of all: the loop may go on before the lock is free.
type turn struct{ v atomic.Uint32 }

const (
	resting = iota // no request waits; whether the next may be looked at is known with the lock held
	waiting        // one waits for its answer
	over           // none waits: the last answer was queued whole, for a peer that reads
)

func (t *turn) is(v uint32) bool { return t.v.Load() == v }
func (t *turn) give(v uint32)    { t.v.Store(v) }

// expectAnswer has a request wait for its answer. It goes without the lock: no other one waits, so what belongs to the
// request is the loop's until turn tells of it.
func (h *httpSession) expectAnswer(r *http1.Request) {
	h.exchange = r.Exchange()
	h.turn.give(waiting)
}

// answersLocked reports whether a request waits for an answer of the application's own.
func (h *httpSession) answersLocked() bool { return h.waitsLocked() && h.served == nil }

// waitsLocked reports whether a request waits for its answer.
func (h *httpSession) waitsLocked() bool { return h.turn.is(waiting) && !h.answering }

// takes lets no request in while its peer does not read the answers to those before: they would pile up. What else was
// written since the last answer may have stalled just now, and the loop does not know it: that is soon enough.
func (h *httpSession) takes(c *Conn) bool {
	if h.turn.is(over) && c.state&blocked == 0 {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return !h.waitsLocked() && !h.streaming && c.flags&(full|stalled) == 0
}

func (h *httpSession) waits(c *Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return h.waitsLocked()
}

func (h *httpSession) streams(c *Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return h.streaming
}

// begin has OnConnect called, but for one that is to become a WebSocket.
func (h *httpSession) begin(c *Conn) {
	after := &c.service.after
	if c.service.kind == speaksWebSocket {
		c.watch(after.handshake)
		return
	}
	h.plain.begin(c)
	c.watch(after.keepAlive)
}

// mayUpgrade reports whether the connection is a WebSocket worker's: its next request may be the handshake.
func (h *httpSession) mayUpgrade(c *Conn) bool { return c.service.kind == speaksWebSocket }

// halfReceived leaves the time of the first request of a WebSocket worker's connection what it was.
func (h *httpSession) halfReceived(c *Conn) {
	if h.mayUpgrade(c) && !h.asked {
		return
	}
	h.plain.halfReceived(c)
	if h.mayUpgrade(c) {
		c.watch(c.service.after.handshake)
	}
}

func (h *httpSession) limits(c *Conn) (on [3]limit) {
	after := &c.service.after
	switch {
	case h.served != nil:
		return exchangeLimits(c, h.served)
	case h.streams(c):
		return on // its client has nothing to say
	case h.waits(c):
		on[0] = limit{c.since, after.answer, h.giveUp}
		return on
	}
	if on = h.plain.limits(c); c.state&paused != 0 {
		return on
	}
	switch {
	case h.mayUpgrade(c) && (!h.asked || c.state&half != 0 && after.handshake != 0):
		on[0] = limit{c.since, after.handshake, expel}
	case c.state&half == 0:
		on[0] = limit{c.since, after.keepAlive, endUnasked}
	}
	return on
}

// giveUp answers for an application that did not.
func (h *httpSession) giveUp(c *Conn) {
	c.service.log.Warn("lineman: a request was not answered in time", "limit", c.service.limits.Answer)
	if err := c.Respond(&http1.Response{Status: 503, Close: true}); err != nil {
		c.end.finish(c, ErrTimeout) // the peer does not read: it cannot be told
	}
}

// goOn forgets an exchange whose handler is done. KeepAlive counts from here.
func (h *httpSession) goOn(c *Conn) {
	c.watch(c.service.after.keepAlive)
	if h.served == nil || !h.served.Over() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h.served = nil
	h.awaits = false
	h.turn.give(resting)
	h.lastOfRestLocked(c)
}

// sentLocked moves the connection on after an answer was queued, with lock held.
func (h *httpSession) sentLocked(c *Conn) {
	if !h.answering {
		return
	}
	h.answering = false
	if h.streaming || c.phase.get() != open {
		h.turn.give(resting)
		return
	}
	awaited := h.awaits
	h.awaits = false
	switch {
	case h.exchange.Close:
		c.end.closeLocked(c)
	case awaited:
		c.markLocked(resume)
	case c.flags&(full|stalled) == 0:
		h.turn.give(over)
		return
	}
	h.turn.give(resting)
}

// written goes on when its peer has read answers, to which those to the requests that wait would have been added.
func (h *httpSession) written(c *Conn, _ bool) (goOn bool) {
	if h.served != nil {
		exchangeWritten(c, h.served)
	}
	return c.state&holding != 0 && h.takes(c)
}

// unsentLocked has the next request of a broken connection not wait for the answer to the one before.
func (h *httpSession) unsentLocked(c *Conn) {
	if c.flags&broken == 0 || !h.waitsLocked() || h.served != nil {
		return
	}
	h.turn.give(resting)
	c.markLocked(resume)
	h.lastOfRestLocked(c)
}

// lastOfRestLocked ends a broken connection with the request at hand, if that was to be its last.
func (h *httpSession) lastOfRestLocked(c *Conn) {
	if h.exchange.Close && c.flags&broken != 0 {
		c.markLocked(aborted)
	}
}

func (h *httpSession) severed(c *Conn) {
	if h.served != nil {
		h.served.Cut() // it has no client any more
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.streaming {
		h.streaming = false
		h.lastOfRestLocked(c)
	}
}

func (h *httpSession) peerEnded(*Conn, error) bool {
	if h.served != nil {
		h.served.Cut()
	}
	return false
}

// lastAnswer has the connection close after the answer to the request at hand, if there is one and no further one was
// read.
func (h *httpSession) lastAnswer(c *Conn) {
	if c.in.hasMore(c) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.waitsLocked() || h.streaming {
		h.exchange.Close = true
	}
}

// leave has a request that waits get its answer first, and further ones be asked before.
func (h *httpSession) leave(c *Conn, late bool) bool {
	if h.served != nil && leaveExchange(c, h.served, late) {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase.get() != open || !h.waitsLocked() {
		return false
	}
	h.exchange.Close = h.exchange.Close || !c.in.hasMore(c)
	return true
}

// brokenLocked answers a request that could not be understood, or did not come to its end in time.
func (h *httpSession) brokenLocked(dst []byte, cause error) []byte {
	return refusal(dst, cause, h.service.loop)
}

// goodbyeLocked ends a stream as it should be, so that its client does not take it for cut.
func (h *httpSession) goodbyeLocked(dst []byte, _ websocket.Code, _ string) []byte {
	dst, _ = h.endStreamLocked(dst) // ErrAnswered: there is none
	return dst
}

// refusal appends the answer to a request that cannot be handled.
func refusal(dst []byte, cause error, l *Loop) []byte {
	var e *http1.Error
	switch {
	case errors.As(cause, &e):
	case errors.Is(cause, ErrTimeout):
		e = &http1.Error{Status: 408, Reason: "the request took too long"}
	default:
		e = &http1.Error{Status: 400, Reason: cause.Error()}
	}
	return http1.AppendError(dst, e, l.dateField())
}

// aroundLocked is the head of the answer to the request that waits, where msg follows as its body.
func (h *httpSession) aroundLocked(dst, msg []byte, _ bool) (head []byte, before int, err error) {
	return headLocked(h, dst, &http1.Response{Body: msg})
}
