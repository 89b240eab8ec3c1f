//go:build linux

package main

import (
	"fmt"
	"os"
	"strconv"
)

const backlogFile = "/proc/sys/net/core/netdev_max_backlog"

// raiseBacklog has so many packets of loopback wait for a core; 0 changes nothing. lower has it as it was.
func raiseBacklog(packets int) (lower func(), err error) {
	if packets == 0 {
		return func() {}, nil
	}
	before, err := os.ReadFile(backlogFile)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(backlogFile, []byte(strconv.Itoa(packets)), 0); err != nil {
		return nil, fmt.Errorf("raise the backlog: %w", err)
	}
	return func() { _ = os.WriteFile(backlogFile, before, 0) }, nil // it could be written a moment ago
}
