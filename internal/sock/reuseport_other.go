//go:build !unix || solaris || illumos || aix

package sock

import "errors"

func setReusePort(uintptr) error {
	return errors.New("sock: this system cannot share a port between sockets: leave ReusePort off")
}
