package master

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ReapStrangers waits for processes that have died and that nobody else will wait for: the orphans of a container whose first
// process this is. Those of this process's own group are left, for they are a hook's, which waits for them itself; processes of
// the master have groups of their own, and are left because they are mine. A process has to be mine before it can die. It returns
// how many it has waited for, and never blocks.
func ReapStrangers(mine func(pid int) bool) (n int) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0
	}
	self, group := os.Getpid(), unix.Getpgrp()
	for _, file := range stats {
		p, ok := readStat(file)
		if !ok || p.state != 'Z' || p.parent != self || p.group == group || mine(p.pid) {
			continue
		}
		if pid, err := unix.Wait4(p.pid, nil, unix.WNOHANG, nil); err == nil && pid == p.pid {
			n++
		}
	}
	return n
}
