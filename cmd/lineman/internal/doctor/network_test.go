package doctor

import "testing"

func TestPortRange(t *testing.T) {
	with := func(text string) files { return files{"/proc/sys/net/ipv4/ip_local_port_range": text} }
	pages := func(n int) func(*Machine, *Options) { return func(_ *Machine, o *Options) { o.Connections = n } }
	try(t, portRange,
		trial{name: "just enough", change: pages(28_232), verdict: OK, found: "32768 to 60999: 28232"},
		trial{name: "too few", change: pages(28_233), verdict: Warn, found: "want 28233, if a proxy",
			fix: "net.ipv4.ip_local_port_range = 1024 65535"},
		trial{name: "more than there are", change: pages(100_000), verdict: Warn, found: "want 100000",
			fix: "127.0.0.2"},
		trial{name: "cut", files: with("32768"), verdict: Warn, found: "want 2 numbers"},
	)
}

func TestConntrack(t *testing.T) {
	const most, count = "/proc/sys/net/netfilter/nf_conntrack_max", "/proc/sys/net/netfilter/nf_conntrack_count"
	try(t, conntrack,
		trial{name: "not in use"},
		trial{name: "enough", files: files{most: "65536", count: "55536"}, verdict: OK,
			found: "65536, of which 55536 are taken"},
		trial{name: "too full", files: files{most: "65536", count: "55537"}, verdict: Fail, found: "want 10000",
			fix: "nf_conntrack_max = 75537"},
		trial{name: "not counted", files: files{most: "8192"}, verdict: Fail, found: "8192, of which 0",
			fix: "nf_conntrack_max = 20000"},
		trial{name: "forbidden", files: files{most: "forbidden"}, verdict: Warn, found: "permission"},
	)
}

func TestTCPMemory(t *testing.T) {
	with := func(text string) files { return files{"/proc/sys/net/ipv4/tcp_mem": text} }
	try(t, tcpMemory,
		trial{name: "just enough", files: with("15000 20000 30000"), verdict: OK, found: "15000 20000 30000 pages"},
		trial{name: "too little", files: with("15000 19999 40000"), verdict: Warn, found: "want 20000 for the second",
			fix: "net.ipv4.tcp_mem = 15000 20000 40000"},
		trial{name: "much too little", files: with("1 2 3"), verdict: Warn,
			fix: "net.ipv4.tcp_mem = 15000 20000 30000"},
	)
}
