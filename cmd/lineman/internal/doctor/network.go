package doctor

import (
	"errors"
	"fmt"
	"io/fs"
)

// portRange has the ports that a proxy on this machine needs, one for each page.
func portRange(m *Machine, o *Options) []Finding {
	const name = "net.ipv4.ip_local_port_range"
	n, err := m.numbers("/proc/sys/net/ipv4/ip_local_port_range", 2)
	if err != nil {
		return unreadable(name, err)
	}
	there := n[1] - n[0] + 1
	found := fmt.Sprintf("%d to %d: %d", n[0], n[1], there)
	switch {
	case there >= o.Connections:
		return ok(name, found)
	case o.Connections > 65535-1024:
		return warn(name, fmt.Sprintf("%s, want %d, if a proxy of this machine is in front", found, o.Connections),
			"listen on several addresses in the proxy's upstream, such as 127.0.0.1 and 127.0.0.2, or pass the "+
				"connections on without it")
	}
	return warn(name, fmt.Sprintf("%s, want %d, if a proxy of this machine is in front", found, o.Connections),
		set(name, 1024, 65535))
}

// conntrack is a table of the firewall's in which each connection has a place, if it is in use. Without one, packets
// are dropped.
func conntrack(m *Machine, o *Options) []Finding {
	const name, folder = "net.netfilter.nf_conntrack_max", "/proc/sys/net/netfilter/"
	most, err := m.numbers(folder+"nf_conntrack_max", 1)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unreadable(name, err)
	}
	taken := []int{0}
	if n, err := m.numbers(folder+"nf_conntrack_count", 1); err == nil {
		taken = n
	}
	found := fmt.Sprintf("%d, of which %d are taken", most[0], taken[0])
	if most[0]-taken[0] < o.Connections {
		return fail(name, fmt.Sprintf("%s, want %d: packets of others are dropped", found, o.Connections),
			set(name, taken[0]+2*o.Connections))
	}
	return ok(name, found)
}

// pagesPerConnection are those of memory that a connection takes of TCP while it has something in each direction.
const pagesPerConnection = 2

// tcpMemory bounds what all sockets hold together. From its second number on, the kernel is sparing.
func tcpMemory(m *Machine, o *Options) []Finding {
	const name = "net.ipv4.tcp_mem"
	n, err := m.numbers("/proc/sys/net/ipv4/tcp_mem", 3)
	if err != nil {
		return unreadable(name, err)
	}
	found := fmt.Sprintf("%d %d %d pages", n[0], n[1], n[2])
	if want := o.Connections * pagesPerConnection; n[1] < want {
		return warn(name,
			fmt.Sprintf("%s, want %d for the second: a publication for all makes the kernel slow down", found, want),
			set(name, want*3/4, want, max(n[2], want*3/2)))
	}
	return ok(name, found)
}
