package doctor

import (
	"fmt"
	"strings"
)

// What an idle page takes, as docs/service.md says, and what a process takes without any.
const (
	processPerPage = 2 << 10
	kernelPerPage  = 4 << 10
	perProcess     = 32 << 20
)

// baseline are the bytes that the processes take without any page.
func baseline(o *Options) int { return o.Processes * perProcess }

// needs are the bytes that so many idle pages take.
func needs(o *Options) int { return baseline(o) + o.Connections*(processPerPage+kernelPerPage) }

// fits judges whether the pages have room in so many bytes, and what may wait for slow ones as well.
func fits(name, found string, free int, o *Options) []Finding {
	need := needs(o)
	switch {
	case free < need:
		most := max(0, (free-baseline(o))/(processPerPage+kernelPerPage))
		return fail(name, fmt.Sprintf("%s, want %s for %d pages", found, bytes(need), o.Connections),
			fmt.Sprintf("more memory, or fewer pages: lineman start --limits-connections %d", most/o.Processes))
	case free < need+o.Queued:
		return warn(name,
			fmt.Sprintf("%s, want %s for %d pages, and %s for what may wait for slow ones", found, bytes(need),
				o.Connections, bytes(o.Queued)),
			fmt.Sprintf("lineman start --limits-memory %dMiB", max(1, (free-need)>>20/o.Processes)))
	}
	return ok(name, found)
}

func memory(m *Machine, o *Options) []Finding {
	const name = "memory"
	free, err := m.info("MemAvailable")
	if err != nil {
		return unreadable(name, err)
	}
	return fits(name, bytes(free)+" available", free, o)
}

// overcommit 2 has the kernel refuse memory that it might not have in the end.
func overcommit(m *Machine, o *Options) []Finding {
	const name = "vm.overcommit_memory"
	n, err := m.numbers("/proc/sys/vm/overcommit_memory", 1)
	if err != nil {
		return unreadable(name, err)
	}
	if n[0] != 2 {
		return ok(name, fmt.Sprint(n[0]))
	}
	limit, err := m.info("CommitLimit")
	if err != nil {
		return unreadable(name, err)
	}
	promised, err := m.info("Committed_AS")
	if err != nil {
		return unreadable(name, err)
	}
	free, need := limit-promised, needs(o)+o.Queued
	if free < need {
		return warn(name,
			fmt.Sprintf("2, and %s can still be promised, want %s", bytes(max(0, free)), bytes(need)), set(name, 0))
	}
	return ok(name, fmt.Sprintf("2, and %s can still be promised", bytes(free)))
}

// info is a line of /proc/meminfo, in bytes.
func (m *Machine) info(key string) (int, error) {
	text, err := m.text("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	n, found := field(text, key+":")
	if !found {
		return 0, fmt.Errorf("/proc/meminfo has no %s", key)
	}
	return n << 10, nil
}

// field is the number behind a key in lines of keys and numbers.
func field(text, key string) (n int, found bool) {
	for _, line := range strings.Split(text, "\n") {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == key {
			return number(f[1]), true
		}
	}
	return 0, false
}
