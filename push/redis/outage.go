package redis

import (
	"log/slog"
	"sync"
	"time"
)

// outage tells the log when a link breaks and when it is up again. Its methods may be called from any goroutine.
type outage struct {
	log *slog.Logger

	mu    sync.Mutex // guards the following
	since time.Time  // zero while all is well
	told  time.Time  // when the log last heard of it
}

// reminder is how often the log is told of an outage that lasts.
const reminder = time.Minute

// began notes why there is no link.
func (o *outage) began(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if o.since.IsZero() {
		o.since = now
	}
	if now.Sub(o.told) < reminder {
		return
	}
	o.told = now
	o.log.Warn("redis: the link to other nodes is down", "error", err)
}

// ended notes that the link is up.
func (o *outage) ended() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.since.IsZero() {
		o.log.Info("redis: the link to other nodes is up again", "away", time.Since(o.since).Round(time.Millisecond))
	}
	o.since, o.told = time.Time{}, time.Time{}
}

// lasts reports whether there is no link.
func (o *outage) lasts() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.since.IsZero()
}
