package config

// NoPresence is Namespace.Presence where nobody asks who is in a channel.
const NoPresence = "none"

// KnowsPresence reports whether anybody asks who is in a channel.
func (c *Config) KnowsPresence() bool {
	for _, n := range c.Namespaces {
		if n.Presence != NoPresence {
			return true
		}
	}
	return false
}
