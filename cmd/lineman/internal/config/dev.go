package config

import "time"

// DevNamespace is the name of a namespace that dev mode has beside those of the settings: so that people see history,
// presence and what pages publish before they have written any settings. Other channels are as everywhere.
const DevNamespace = "dev"

// DevSpace is what it allows.
func DevSpace() Namespace {
	return Namespace{
		Subscribe: "all", Publish: "all", PublishRate: 50,
		History:  Retention{Size: 50, TTL: time.Hour, Class: "stream"},
		Presence: "events", MaxPresent: 1000,
	}
}

// addDevNamespace adds it, unless the settings have one of that name, or nodes meet in Redis, where it would want more
// rights.
func (c *Config) addDevNamespace() {
	if _, taken := c.Namespaces[DevNamespace]; !taken && c.Dev && len(c.Redis.Addresses) == 0 {
		c.Namespaces[DevNamespace] = DevSpace()
	}
}
