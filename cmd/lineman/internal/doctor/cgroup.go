package doctor

import (
	"fmt"
	"path"
	"strings"
)

// folders are those of the control group that this process is in, and of the groups around it, of a controller of
// version 1; empty is version 2.
func (m *Machine) folders(controller string) (all []string) {
	text, err := m.text("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	for _, line := range strings.Split(text, "\n") {
		part := strings.SplitN(line, ":", 3) // id:controllers:path
		if len(part) < 3 || !has(part[1], controller) {
			continue
		}
		mount := path.Join("/sys/fs/cgroup", controller)
		for in := path.Clean("/" + part[2]); ; in = path.Dir(in) {
			all = append(all, path.Join(mount, in))
			if in == "/" {
				break
			}
		}
	}
	return all
}

func has(list, name string) bool {
	return name == "" && list == "" || name != "" && strings.Contains(","+list+",", ","+name+",")
}

// first is the first number of a file; most if there is none.
func (m *Machine) first(name string, most int) int {
	n, err := m.numbers(name, 1)
	if err != nil {
		return most
	}
	return n[0]
}

// memoryFiles are where a version of control groups says how much there may be, how much there is, and how much of it
// can be given back.
var memoryFiles = []struct{ controller, most, taken, cache string }{
	{"", "memory.max", "memory.current", "inactive_file"},
	{"memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"},
}

// memoryLimit is that of the control group: of a container, or a service.
func memoryLimit(m *Machine, o *Options) []Finding {
	const name = "memory limit"
	limit, free := unlimited, unlimited
	for _, f := range memoryFiles {
		for _, folder := range m.folders(f.controller) {
			most := m.first(path.Join(folder, f.most), unlimited)
			if most >= noLimit {
				continue
			}
			stat, _ := m.text(path.Join(folder, "memory.stat")) // without it, nothing can be given back
			cache, _ := field(stat, f.cache)
			if left := most - m.first(path.Join(folder, f.taken), 0) + cache; left < free {
				limit, free = most, left
			}
		}
	}
	if limit == unlimited {
		return ok(name, "none")
	}
	return fits(name,
		fmt.Sprintf("%s of the control group, of which %s are free", bytes(limit), bytes(max(0, free))), free, o)
}

// noLimit is what no machine has: version 1 writes the largest number of whole pages where there is no limit.
const noLimit = unlimited >> 1

// cpuLimit is that of the control group. Each process has one loop, which wants one processor.
func cpuLimit(m *Machine, o *Options) []Finding {
	const name = "cpu limit"
	least, want := float64(unlimited), o.Processes
	for _, folder := range m.folders("") {
		if n, err := m.numbers(path.Join(folder, "cpu.max"), 2); err == nil && n[1] > 0 && n[0] < unlimited {
			least = min(least, float64(n[0])/float64(n[1]))
		}
	}
	for _, folder := range m.folders("cpu") {
		quota, period := m.first(path.Join(folder, "cpu.cfs_quota_us"), -1),
			m.first(path.Join(folder, "cpu.cfs_period_us"), 0)
		if quota > 0 && period > 0 {
			least = min(least, float64(quota)/float64(period))
		}
	}
	switch {
	case least == float64(unlimited):
		return ok(name, "none")
	case least < float64(want):
		return warn(name,
			fmt.Sprintf("%.2g processors of the control group, want %d: everybody waits while it is used up", least,
				want),
			fmt.Sprintf("for a container: docker update --cpus %d NAME; for a service: sudo systemctl set-property "+
				"lineman CPUQuota=%d00%%", want+1, want+1))
	}
	return ok(name, fmt.Sprintf("%.2g processors of the control group", least))
}
