package http1

import (
	"fmt"
	"net/http"

	"github.com/lineman-go/lineman/protocol"
)

// Error is a request that cannot be handled. The connection ends with an answer of this status.
type Error struct {
	Status int
	Reason string
	Head   bool // the answer has no content, because the request is HEAD (RFC 9110, 9.3.2)
}

func (e *Error) Error() string {
	return fmt.Sprintf("http1: %d %s: %s", e.Status, http.StatusText(e.Status), e.Reason)
}

// Is makes 413 match protocol.ErrTooLarge.
func (e *Error) Is(target error) bool { return e.Status == 413 && target == protocol.ErrTooLarge }

func tooLarge(most int) *Error {
	return &Error{Status: 413, Reason: fmt.Sprintf("body above %d bytes", most)}
}

func bad(reason string) *Error { return &Error{Status: 400, Reason: reason} }
