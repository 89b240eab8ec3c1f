package server

import "time"

// rateLimiter is a rate limit by name: a token bucket for each name that has done something of late. Owned by the loop.
type rateLimiter struct {
	perSecond float32 // 0 means no limit
	by        map[string]tokenBucket
}

func newRateLimiter(perSecond float64) rateLimiter {
	return rateLimiter{float32(perSecond), map[string]tokenBucket{}}
}

// allow reports whether something may happen once more, and counts it then.
func (r rateLimiter) allow(name string, now time.Time) bool {
	if r.perSecond <= 0 {
		return true
	}
	b := r.by[name]
	allowed := b.allow(r.perSecond, now)
	r.by[name] = b
	return allowed
}

// forget drops the buckets that are as good as new. A map that was once large keeps its memory: an empty one takes its
// place.
func (r *rateLimiter) forget(now time.Time) {
	for name, b := range r.by {
		if b.leak(r.perSecond, now); b.level == 0 {
			delete(r.by, name)
		}
	}
	if len(r.by) == 0 {
		r.by = map[string]tokenBucket{}
	}
}

// burstTime is how many seconds' worth of a rate may come at once.
const burstTime = 5

// tokenBucket is a token bucket, kept as the leaky bucket that is its mirror: what was taken of late, which leaks away
// at the rate that is allowed. It is small, for there is one for each connection, and for each uid that has just come.
type tokenBucket struct {
	level float32 // taken, and not leaked away yet
	at    uint32  // Unix time
}

// allow reports whether one more may be taken, and takes it then.
func (b *tokenBucket) allow(perSecond float32, now time.Time) bool {
	b.leak(perSecond, now)
	if b.level+1 > max(1, perSecond*burstTime) {
		return false
	}
	b.level++
	return true
}

func (b *tokenBucket) leak(perSecond float32, now time.Time) {
	second := uint32(now.Unix())
	passed := max(0, int32(second-b.at)) // a clock that was set back has nothing leak
	b.level = max(0, b.level-float32(passed)*perSecond)
	b.at = second
}
