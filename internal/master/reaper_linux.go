package master

import (
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// A Reaper waits for processes that have died and that nobody else will wait for: the orphans of a container whose
// first process this is. The zero value is ready for use.
type Reaper struct {
	zombies map[int]time.Time // of this process's own group, by pid, with the time they were first seen
}

// hookTime is how long a dead process of the own group is left: a hook's children are in it, and the hook waits for
// them itself.
const hookTime = 30 * time.Second

// Reap waits for dead children but those that are mine: a process has to be mine before it can die. Those of the own
// group are left for hookTime, which is what tells a hook's from an orphan of the script that has become this program.
// It returns how many it has waited for, and never blocks.
func (r *Reaper) Reap(now time.Time, mine func(pid int) bool) (n int) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0
	}
	self, group := os.Getpid(), unix.Getpgrp()
	left := make(map[int]time.Time)
	for _, file := range stats {
		p, ok := readStat(file)
		if !ok || p.state != 'Z' || p.parent != self || mine(p.pid) {
			continue
		}
		if seen, ok := r.zombies[p.pid]; p.group == group && (!ok || now.Sub(seen) < hookTime) {
			if left[p.pid] = seen; !ok {
				left[p.pid] = now
			}
			continue
		}
		if pid, err := unix.Wait4(p.pid, nil, unix.WNOHANG, nil); err == nil && pid == p.pid {
			n++
		}
	}
	r.zombies = left
	return n
}
