package lineman

import (
	"slices"
	"time"

	"github.com/lineman-go/lineman/internal/poll"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// beginLeaving lets the connections go, because another process listens in this one's place, or nobody will. What was begun is
// finished: requests, half-received messages, queued output; a connection that has just come may still send its first
// message. HTTP answers say that the connection closes after them, others are told goodbye once they are at rest and their drain is over. A patient
// loop waits until its clients go by themselves. The loop stops when all that it accepted have gone, or in time to be gone within d.
//
//	         at rest, if not patient; when answered, if HTTP
//	serving ────────────────────────────────────────────────▶ goodbye ──▶ none left: beginStop
//	   └──────────────── d is nearly over ───────────────────────────────▶ beginStop
func (l *Loop) beginLeaving(code websocket.Code, d time.Duration, patient bool) {
	if l.stopping {
		return
	}
	l.leaving, l.goodbye = true, code
	for _, s := range l.sockets {
		s.ready(poll.Event{Read: true}) // a poller may have accepted ahead
	}
	l.takeAhead()
	l.closeListeners()
	for _, s := range slices.Backward(l.services) {
		if s.handler != nil {
			s.handler.server.SetKeepAlivesEnabled(false)
		}
	}
	for _, c := range l.conns {
		if c != nil {
			c.answersLast()
		}
	}
	l.beginDrain(d)
	rest := time.Duration(-1)
	if d >= 0 {
		rest = min(d/4, lastWords)
		l.After(d-rest, func() { l.beginStop(rest * 3 / 4) })
	}
	l.Every(tick, func() {
		if !patient {
			l.partAtRest()
		}
		if l.live == l.outgoing {
			l.beginStop(rest)
		}
	})
}

// lastWords is the time for goodbyes at the end of a long farewell.
const lastWords = 5 * time.Second

// farewell is the code for WebSocket peers whose connection this side ends.
func (l *Loop) farewell() websocket.Code {
	if l.goodbye != 0 {
		return l.goodbye
	}
	return websocket.GoingAway
}

// partAtRest says goodbye to the connections that have nothing under way.
func (l *Loop) partAtRest() {
	for _, c := range l.conns {
		if c != nil && !c.drains() && c.atRest() {
			c.leave()
		}
	}
}

// answersLast has the connection close after the answer to the request at hand, if there is one.
func (c *Conn) answersLast() {
	if h, ok := c.session.(*httpSession); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		h.exchange.Close = h.exchange.Close || h.waiting || h.streaming
	}
}

// young is how long a connection may take to send its first message.
const young = uint32(time.Second / tick)

// atRest reports whether an accepted connection can be told goodbye without breaking off what it does. HTTP ends with an answer.
func (c *Conn) atRest() bool {
	switch c.session.(type) {
	case *httpSession, *handlerSession:
		return false
	}
	if c.dial != nil || c.phase.get() != open || c.shaking() || c.state.arriving {
		return false
	}
	if c.in != nil || c.state.half || c.state.paused || c.held > 0 || c.session.half() {
		return false
	}
	quiet := c.loop.ticks(c.loop.now) - c.touched
	return quiet >= young || quiet > 1 && c.messagesIn > 0
}
