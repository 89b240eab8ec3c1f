package config

import "fmt"

// Shares are how many connections each port of a process may have: together no more than descriptors allow, so that
// pages cannot take those of back ends, operators and health checks. 0 means any number.
type Shares struct {
	Pages, Waiting int // of which so many have not said who they are
	Text, API      int
	Admin          int
	Spare          int // connections that are told that there is no room, on all ports
}

const (
	ownFiles     = 32 // descriptors that a process has beside connections: listeners, the log, files that are read
	loopFiles    = 5  // and those of each loop: its poller, and the listeners
	linkFiles    = 4  // and those of its links to Redis, for each partition
	mostBackends = 10_000
	mostSpare    = 64
)

// Share shares the descriptors of a process out; 0 means that nobody knows how many there are. What is set holds as far
// as there is room, and warning tells where there is none.
func (c *Config) Share(files int) (s Shares, warning string, err error) {
	if files == 0 {
		s = c.said()
		s.Spare = mostSpare
		return s, "", nil
	}
	s, left := c.leave(files)
	switch {
	case left < 1:
		return s, "", fmt.Errorf("the limit of open files, %d, leaves none for pages beside text.connections %d, "+
			"api.connections %d and admin.connections %d: raise it (ulimit -n, LimitNOFILE=), or lower those",
			files, s.Text, s.API, s.Admin)
	case s.Pages == 0:
		s.Pages, s.Waiting = left, atMost(s.Waiting, max(1, left/2))
	case s.Pages > left:
		warning = fmt.Sprintf("limits.connections is %d, and the limit of open files, %d, has room for %d pages: "+
			"further ones get 429; raise it (ulimit -n, LimitNOFILE=), or lower limits.connections",
			s.Pages, files, left)
		s.Pages = left
	}
	return s, warning, nil
}

// said are the shares that settings name.
func (c *Config) said() Shares {
	return Shares{
		Pages: c.Limits.Connections, Waiting: c.Limits.Waiting,
		Text: c.Text.Connections, API: c.API.Connections, Admin: c.Admin.Connections,
	}
}

// leave is what all but pages get of so many descriptors, and what is left.
func (c *Config) leave(files int) (s Shares, left int) {
	s = c.said()
	if s.Text == 0 {
		s.Text = min(files/16, mostBackends)
	}
	if s.API == 0 {
		s.API = min(files/16, mostBackends)
	}
	if s.Admin == 0 {
		s.Admin = min(files/16, 100)
	}
	s.Spare = min(max(files/16, 4), mostSpare)
	left = files - ownFiles - loopFiles*(c.EventLoops()-1) - s.Spare - s.Text - s.API - s.Admin
	if len(c.Redis.Addresses) > 0 {
		left -= linkFiles * (c.Redis.Partitions + 1)
	}
	for _, h := range c.Hooks {
		left -= h.Files()
	}
	return s, left
}

// Files is how many descriptors a process needs for so many pages.
func (c *Config) Files(pages int) (files int) {
	for files = pages; ; {
		_, left := c.leave(files)
		if left >= pages {
			return files
		}
		files += pages - left
	}
}

// atMost is the lower of two limits, of which 0 is none.
func atMost(a, b int) int {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}
