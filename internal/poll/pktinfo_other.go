//go:build !linux

package poll

import "net/netip"

// control is room for what a system tells beside a datagram. This one is not asked.
type control struct{}

func (*control) bytes() []byte { return nil }

// askDestination would have the system tell where datagrams were sent to.
func askDestination(int) bool { return false }

func destinationIn([]byte) netip.Addr { return netip.Addr{} }

func putSource(*control, netip.Addr) []byte { return nil }
