package config

// history wants what is kept to be said whole, and something that keeps it.
func (c *Config) history(p *problems) {
	c.retention(p, "history.uids", &c.History.UIDs)
	c.retention(p, "history.groups", &c.History.Groups)
	for name, n := range c.Namespaces {
		c.retention(p, join(join("namespaces", name), "history"), &n.History)
	}
}

func (c *Config) retention(p *problems, at string, r *Retention) {
	switch {
	case r.Class == "latest" && r.Size > 1:
		p.addf(at+".size", "%d: the class latest keeps one message of each target: leave size out", r.Size)
	case !r.Keeps() && (r.TTL > 0 || r.Bytes > 0):
		p.addf(at+".size", "is 0, so nothing is kept: say how many messages are, or leave ttl and bytes out")
	case r.Keeps() && len(c.Redis.Addresses) > 0:
		key := at + ".size"
		if r.Class == "latest" {
			key = at + ".class"
		}
		p.addf(key, "history is kept by one process without redis yet: leave it out, or redis.addresses")
	case r.Bytes > c.History.Memory:
		p.addf(at+".bytes", "%v is more than history.memory, %v, which all targets have together",
			sizeText(int64(r.Bytes)), sizeText(int64(c.History.Memory)))
	}
}
