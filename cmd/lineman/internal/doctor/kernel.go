package doctor

import (
	"fmt"
	"strings"
)

// kernel has to be 4.5 or later, for EPOLLEXCLUSIVE, by which processes take turns on a socket.
func kernel(m *Machine, _ *Options) []Finding {
	const name = "kernel"
	release, err := m.text("/proc/sys/kernel/osrelease")
	if err != nil {
		return unreadable(name, err)
	}
	var major, minor int
	if n, _ := fmt.Sscanf(release, "%d.%d", &major, &minor); n < 2 {
		return unreadable(name, fmt.Errorf("%q is no version", release))
	}
	if major < 4 || major == 4 && minor < 5 {
		return fail(name, release+": want 4.5 or later",
			"sudo apt-get dist-upgrade, or what your distribution has in its place, and a restart")
	}
	return ok(name, release)
}

// sysctl is a setting of the kernel that has to be large enough.
type sysctl struct {
	key     string
	want    func(*Options) int
	verdict Verdict // if it is too small
	why     string
}

// storm is how many connections that come at once should find room.
const storm = 4096

func settings() []sysctl {
	all := func(o *Options) int { return o.Descriptors }
	return []sysctl{
		{"fs.nr_open", all, Fail, "no limit of open files can be above it"},
		{"fs.epoll.max_user_watches", all, Fail, "each connection takes one"},
		{"net.core.somaxconn", func(o *Options) int { return min(o.Connections, storm) }, Warn,
			"so many pages that come back at once can wait"},
		{"net.ipv4.tcp_max_syn_backlog", func(o *Options) int { return min(o.Connections, storm/4) }, Warn,
			"so many handshakes of TCP can be under way"},
	}
}

// sysctls are those that need no thought.
func sysctls(m *Machine, o *Options) (all []Finding) {
	for _, s := range settings() {
		all = append(all, s.judge(m, o)...)
	}
	return all
}

func (s *sysctl) judge(m *Machine, o *Options) []Finding {
	n, err := m.numbers("/proc/sys/"+strings.ReplaceAll(s.key, ".", "/"), 1)
	if err != nil {
		return unreadable(s.key, err)
	}
	if want := s.want(o); n[0] < want {
		return []Finding{{s.key, s.verdict, fmt.Sprintf("%d, want %d: %s", n[0], want, s.why), set(s.key, want)}}
	}
	return ok(s.key, fmt.Sprint(n[0]))
}

// set is a command that sets a kernel's setting now and from now on.
func set(key string, values ...int) string {
	text := strings.Trim(fmt.Sprint(values), "[]")
	return fmt.Sprintf("echo '%s = %s' | sudo tee -a /etc/sysctl.d/60-lineman.conf && sudo sysctl --system", key, text)
}
