package lineman

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lineman-go/lineman/protocol"

	"github.com/lineman-go/lineman/protocol/http1"
)

// The reasons that OnClose gives, and what the methods of Conn return. A closed connection is net.ErrClosed, the end
// of the peer's stream io.EOF, a WebSocket peer's goodbye a *websocket.CloseError.
var (
	// ErrFull is what Send returns for a message that was refused whole because the peer does not read: see
	// Limits.MaxPending.
	ErrFull = errors.New("lineman: send queue full: wait for OnDrain or raise Limits.MaxPending")

	// ErrTooLarge ends a connection that sent, or announced, a message above Limits.MaxMessage.
	ErrTooLarge = protocol.ErrTooLarge

	// ErrIdle ends a connection that sent nothing for Limits.Idle or, between requests, for Limits.KeepAlive.
	ErrIdle = errors.New("lineman: connection idle")

	// ErrTimeout ends a connection that did not finish in time what it had begun: a handshake, a message, an answer to
	// a ping, reading what was sent before Close.
	ErrTimeout = errors.New("lineman: connection timed out")

	// ErrAnswered is what Send and Respond return on an HTTP connection when no request waits for an answer: each
	// request takes one.
	ErrAnswered = errors.New("lineman: no request waits for an answer")

	// ErrPanic ends a connection whose callback panicked. The log has the stack.
	ErrPanic = errors.New("lineman: panic in a callback")
)

// A ProtocolError ends a connection whose peer broke the protocol.
type ProtocolError struct {
	Protocol string // its name
	Err      error  // what was wrong
}

func (e *ProtocolError) Error() string {
	return fmt.Sprintf("lineman: %s: %s", e.Protocol, strings.TrimPrefix(e.Err.Error(), e.Protocol+": "))
}

func (e *ProtocolError) Unwrap() error { return e.Err }

// A RefuseError returned by OnUpgrade or OnHead answers the request with Status and Reason. Any other error, and a
// Status that is none of 400 to 599, answers 403 without saying why.
type RefuseError struct {
	Status int           // 400 to 599
	Reason string        // the body of the answer; a line feed follows it
	Type   string        // its Content-Type; "" means text/plain; charset=utf-8
	Header []http1.Field // of the answer, such as Retry-After; nothing that http1.Response makes by itself
}

func (e *RefuseError) Error() string {
	return fmt.Sprintf("lineman: refused with %d: %s", e.Status, e.Reason)
}
