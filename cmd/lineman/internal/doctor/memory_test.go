package doctor

import "testing"

func TestMemory(t *testing.T) {
	with := func(text string) files { return files{"/proc/meminfo": text} }
	try(t, memory,
		trial{name: "just enough", files: with("MemAvailable: 354912 kB"), verdict: OK, found: "346 MiB available"},
		trial{name: "without slow pages", files: with("MemAvailable: 354911 kB"), verdict: Warn,
			found: "256 MiB for what may wait", fix: "lineman start --limits-memory 255MiB"},
		trial{name: "only just without them", files: with("MemAvailable: 92768 kB"), verdict: Warn,
			fix: "--limits-memory 1MiB"},
		trial{name: "not even so", files: with("MemAvailable: 92767 kB"), verdict: Fail,
			found: "want 90 MiB for 10000 pages", fix: "--limits-connections 9999"},
		trial{name: "almost none", files: with("MemAvailable: 10 kB"), verdict: Fail, fix: "--limits-connections 0"},
		trial{name: "much", files: with("MemAvailable: 64000000 kB"), verdict: OK, found: "61.0 GiB"},
		trial{name: "not told", files: with("MemTotal: 64000000 kB"), verdict: Warn, found: "has no MemAvailable"},
	)
}

func TestOvercommit(t *testing.T) {
	with := func(meminfo string) files {
		return files{"/proc/sys/vm/overcommit_memory": "2", "/proc/meminfo": meminfo}
	}
	try(t, overcommit,
		trial{name: "always", files: files{"/proc/sys/vm/overcommit_memory": "1"}, verdict: OK, found: "1"},
		trial{name: "counted", files: with("CommitLimit: 4000000 kB\nCommitted_AS: 1000000 kB"), verdict: OK,
			found: "2.9 GiB can still be promised"},
		trial{name: "promised", files: with("CommitLimit: 1000000 kB\nCommitted_AS: 900000 kB"), verdict: Warn,
			found: "97 MiB can still be promised, want 346 MiB", fix: "vm.overcommit_memory = 0"},
		trial{name: "more than there is", files: with("CommitLimit: 1 kB\nCommitted_AS: 900000 kB"), verdict: Warn,
			found: "0 MiB"},
		trial{name: "not told", files: with("CommitLimit: 1 kB"), verdict: Warn, found: "has no Committed_AS"},
	)
}

func TestMemoryLimit(t *testing.T) {
	const two, one = "/sys/fs/cgroup/", "/sys/fs/cgroup/memory/"
	in := files{"/proc/self/cgroup": "0::/a/b"}
	old := files{"/proc/self/cgroup": "5:cpu,cpuacct:/\n4:memory:/docker/x\n0::/"}
	with := func(f files, pairs ...string) files {
		all := files{}
		for name, text := range f {
			all[name] = text
		}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i]] = pairs[i+1]
		}
		return all
	}
	try(t, memoryLimit,
		trial{name: "none", files: with(in, two+"a/b/memory.max", "max", two+"a/memory.max", "max"), verdict: OK,
			found: "none"},
		trial{name: "of the group",
			files: with(in, two+"a/b/memory.max", "1073741824", two+"a/b/memory.current", "104857600"), verdict: OK,
			found: "1.0 GiB of the control group, of which 924 MiB are free"},
		trial{name: "of a group around it",
			files: with(in, two+"a/b/memory.max", "1073741824", two+"a/memory.max", "67108864"), verdict: Fail,
			found: "64 MiB of the control group", fix: "--limits-connections 5461"},
		trial{name: "of the root of a container", files: with(in, two+"memory.max", "134217728"), verdict: Warn,
			found: "128 MiB", fix: "--limits-memory 37MiB"},
		trial{name: "used up", files: with(in, two+"a/memory.max", "134217728", two+"a/memory.current", "134217728"),
			verdict: Fail, found: "of which 0 MiB are free"},
		trial{name: "used up by what can be given back",
			files: with(in, two+"a/memory.max", "536870912", two+"a/memory.current", "536870912", two+"a/memory.stat",
				"anon 1\ninactive_file 536870000\n"), verdict: OK, found: "of which 511 MiB are free"},
		trial{name: "version 1", files: with(old, one+"docker/x/memory.limit_in_bytes", "67108864"), verdict: Fail,
			found: "64 MiB"},
		trial{name: "version 1, none", files: with(old, one+"docker/x/memory.limit_in_bytes", "9223372036854771712"),
			verdict: OK, found: "none"},
		trial{name: "no groups", files: files{"/proc/self/cgroup": "gone"}, verdict: OK, found: "none"},
		trial{name: "nonsense", files: with(files{"/proc/self/cgroup": "0\n::\n"}), verdict: OK, found: "none"},
	)
}

func TestCPULimit(t *testing.T) {
	at := func(group, file, text string) files {
		return files{"/proc/self/cgroup": group, "/sys/fs/cgroup/" + file: text}
	}
	try(t, cpuLimit,
		trial{name: "none", files: at("0::/a", "a/cpu.max", "max 100000"), verdict: OK, found: "none"},
		trial{name: "two", files: at("0::/a", "a/cpu.max", "200000 100000"), verdict: OK, found: "2 processors"},
		trial{name: "half", files: at("0::/a", "cpu.max", "50000 100000"), verdict: Warn, found: "0.5 processors",
			fix: "docker update --cpus 2"},
		trial{name: "version 1",
			files: files{
				"/proc/self/cgroup": "5:cpu,cpuacct:/x", "/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "25000",
				"/sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000",
			}, verdict: Warn, found: "0.25"},
		trial{name: "version 1, none", files: at("5:cpu,cpuacct:/x", "cpu/x/cpu.cfs_quota_us", "-1"), verdict: OK,
			found: "none"},
		trial{name: "nonsense", files: at("0::/a", "a/cpu.max", "1 0"), verdict: OK, found: "none"},
	)
}
