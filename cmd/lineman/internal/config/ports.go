package config

import (
	"net"
	"net/netip"
	"strconv"
)

// At is the address of a process, of which the first is 0.
func (a Admin) At(process int) string {
	host, port, err := net.SplitHostPort(a.Listen)
	first, _ := strconv.Atoi(port)
	if err != nil || first == 0 { // any port
		return a.Listen
	}
	return net.JoinHostPort(host, strconv.Itoa(first+process))
}

// portRange is where a port is, or ports in a row.
type portRange struct {
	key, host   string
	first, last int
}

// checkPorts wants an address of its own for each port.
func (c *Config) checkPorts(p *problems) {
	var before []portRange
	for _, d := range []portRange{
		{key: "listen", host: c.Listen}, {key: "text.listen", host: c.Text.Listen},
		{key: "api.listen", host: c.API.Listen},
		{key: "admin.listen", host: c.Admin.Listen, last: c.Count - 1},
	} {
		host, port, _ := net.SplitHostPort(d.host)
		first, _ := strconv.Atoi(port)
		if first == 0 || checkAddress(d.host) != nil { // none, any, or told to be wrong
			continue
		}
		d = portRange{d.key, host, first, first + d.last}
		for _, b := range before {
			if d.collides(b) {
				p.addf(d.key, "%s is that of %s: want %s",
					net.JoinHostPort(d.host, strconv.Itoa(max(d.first, b.first))), b.key, d.wanted())
				break
			}
		}
		if d.last > maxPort {
			p.addf(d.key, "%s: the last of %d ports would be above %d: want %s", net.JoinHostPort(d.host, port),
				c.Count, maxPort, d.wanted())
		}
		before = append(before, d)
	}
}

const maxPort = 1<<16 - 1

func (d portRange) collides(e portRange) bool {
	return d.first <= e.last && e.first <= d.last && (d.host == e.host || d.everywhere() || e.everywhere())
}

// everywhere reports whether the port is one of all addresses.
func (d portRange) everywhere() bool {
	addr, err := netip.ParseAddr(d.host)
	return d.host == "" || err == nil && addr.IsUnspecified()
}

func (d portRange) wanted() string {
	if d.first == d.last {
		return "another port"
	}
	return strconv.Itoa(d.last-d.first+1) + " ports in a row, one for each process"
}
