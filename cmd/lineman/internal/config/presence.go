package config

// NoPresence is Namespace.Presence where nobody asks who is in a channel.
const NoPresence = "none"

// presence wants something that knows who is there.
func (c *Config) presence(p *problems) {
	for name, n := range c.Namespaces {
		if n.Presence != NoPresence && len(c.Redis.Addresses) > 0 {
			p.addf(join("namespaces", name)+".presence",
				"who is present is known by one process without redis yet: leave it out, or redis.addresses")
		}
	}
}
