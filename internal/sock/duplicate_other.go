//go:build !unix

package sock

import (
	"errors"
	"net"
)

// Duplicate is another listener for the same socket. Here there is none: the error matches errors.ErrUnsupported.
func Duplicate(net.Listener) (net.Listener, error) { return nil, errors.ErrUnsupported }
