//go:build unix && !linux && !darwin && !freebsd

package program

import "os"

// peerUID trusts whom the permissions of the socket's file have let in.
func peerUID(int) (int, error) { return os.Geteuid(), nil }
