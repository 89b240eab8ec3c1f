//go:build unix

package handover

import (
	"errors"
	"net"
)

// Send hands over what a source has to the successor at the other end of conn, which it takes over, and returns when
// that is decided. Nil means that the successor has what was sent, but for what was refused and kept: the caller closes
// its descriptors, without a shutdown. An error means that the caller has all of it still, and serves on; a *Failed is
// the successor's reason.
//
// After an error a goroutine may go on telling the successor, until it has read that or has gone.
func Send(conn *net.UnixConn, source Source, limits Limits) error {
	conn.Close()
	return errors.ErrUnsupported
}
