package lineman

import (
	"io"
	"math"
)

// Hold has the connection stay open when its peer's stream has ended, until Release has been called as often: for
// answers that are on their way, from a goroutine or from elsewhere, to a peer that has said all and waits (nc -N).
// Limits.Answer bounds the waiting; OnClose has ErrTimeout then. More than 65,535 at a time are not counted. A
// connection that breaks, or is closed, ends at once all the same.
func (c *Conn) Hold() {
	if c.held < math.MaxUint16 {
		c.held++
	}
}

// Release takes one Hold back, after the answer was sent. Without a Hold it does nothing.
func (c *Conn) Release() {
	if c.held == 0 {
		return
	}
	if c.held--; c.held == 0 && c.state.ended && c.phase.get() == open && !c.end.isBusy(c) {
		c.end.depart(c, io.EOF)
	}
}

// awaitAnswers begins the time that answers may take after the end of the peer's stream.
func (e *ending) awaitAnswers(c *Conn) {
	if e.outlasts(c) {
		c.since = c.loop.ticks(c.loop.now)
		c.watch(c.service.after.answer)
	}
}

// outlasts reports whether the end of the peer's stream is not the end, as answers are on their way.
func (e *ending) outlasts(c *Conn) bool { return c.held > 0 && c.state.ended && c.phase.get() == open }
