//go:build unix

package handover

import (
	"errors"
	"net"
)

// A Receiver is the successor's side of a transfer. Its methods are called on one goroutine.
type Receiver struct {
	hello Hello
}

// Accept reads hello from a predecessor at the other end of conn, which it takes over. It returns an error that matches
// ErrVersion if that is of a later version.
func Accept(conn *net.UnixConn, limits Limits) (*Receiver, error) {
	conn.Close()
	return nil, errors.ErrUnsupported
}

// Hello is what the predecessor said.
func (r *Receiver) Hello() Hello { return r.hello }

// Fail tells the predecessor why the successor cannot start. Nothing else is called then.
func (r *Receiver) Fail(reason error) {}

// Receive is called once, when the successor has started. It gives what comes to sink, and returns when it is decided
// who serves. Nil means the caller, which has what the sink took and was not told to keep; inherited is true if the
// predecessor has died before it could say so. An error means that the caller closes what the sink took; an *Aborted is
// the predecessor's reason.
func (r *Receiver) Receive(sink Sink) (inherited bool, err error) {
	return false, errors.ErrUnsupported
}
