//go:build !linux

package sock

// setDestination does nothing where the poller would not ask which address a datagram was sent to.
func setDestination(uintptr, string, string) {}
