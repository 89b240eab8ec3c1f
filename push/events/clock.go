package events

import "time"

// clock gives the Seqs: microseconds since 1970, but each greater than the one before (a hybrid logical clock). So they
// go on growing over a restart, and nothing has to be kept for a uid.
type clock struct{ last uint64 }

func (c *clock) next(now time.Time) uint64 {
	c.last = max(c.last+1, uint64(max(0, now.UnixMicro())))
	return c.last
}
