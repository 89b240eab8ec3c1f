package config

import (
	"fmt"
	"time"
)

// history wants what is kept to be said whole, and something that keeps it.
func (c *Config) history(p *problems) {
	c.retention(p, "history.uids", &c.History.UIDs)
	c.retention(p, "history.groups", &c.History.Groups)
	c.journal(p)
	if len(c.Redis.Addresses) > 0 && c.History.Memory != Default().History.Memory {
		p.addf("history.memory", "means nothing with redis.addresses, which keep the history: leave it out")
	}
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
	case len(c.Redis.Addresses) > 0:
		if r.Keeps() && r.TTL == 0 {
			p.addf(at+".ttl", "is 0, and Redis would keep it for good: say for how long, such as 24h")
		}
	case r.Bytes > c.History.Memory:
		p.addf(at+".bytes", "%v is more than history.memory, %v, which all targets have together",
			sizeText(int64(r.Bytes)), sizeText(int64(c.History.Memory)))
	}
}

// journal wants a place for it, and a time that somebody waits for.
func (c *Config) journal(p *problems) {
	h := &c.History
	switch {
	case h.Journal == "":
		p.addf("history.journal", "is empty: want a folder, or %s", NoJournal)
	case len(c.Redis.Addresses) > 0 && h.Journal != defaultJournal && h.Journal != NoJournal:
		p.addf("history.journal", "%s: history is kept by Redis: leave it out, or redis.addresses",
			quote(h.Journal))
	}
	if _, err := h.SyncTime(); err != nil {
		p.add("history.journal_sync", err)
	}
}

// Values of SyncTime that are no time.
const (
	SyncAlways time.Duration = -1
	SyncNever  time.Duration = -2
)

// longestSync is how long what was published may be in the memory of the system alone.
const longestSync = time.Minute

// SyncTime is what JournalSync says.
func (h *History) SyncTime() (time.Duration, error) {
	switch h.JournalSync {
	case "always":
		return SyncAlways, nil
	case "never":
		return SyncNever, nil
	}
	d, err := time.ParseDuration(h.JournalSync)
	if err != nil || d <= 0 || d > longestSync {
		return 0, fmt.Errorf("%s: want always, never, or a duration of at most %v, such as 50ms", quote(h.JournalSync),
			longestSync)
	}
	return d, nil
}
