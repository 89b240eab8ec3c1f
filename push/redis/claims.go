package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// claimScript notes when a name came first, by the clock of the server, and tells for how many ms it was known.
const claimScript = `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local first = redis.call('HGET', KEYS[1], ARGV[1])
if first then
	return math.max(1, now - (tonumber(first) or 0))
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 0`

// Claim notes a name among those of a group, for all nodes, and tells for how long it was known before: 0 says that it
// is new. A group is forgotten when nothing new has come to it for so long as keep says. An error matches
// push.ErrUnlinked if no node of this Broker has connected: then nothing was noted.
func (b *Broker) Claim(ctx context.Context, group, name string, keep time.Duration) (known time.Duration, err error) {
	c, err := b.client()
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, b.options.Answer)
	defer cancel()
	ms, err := c.Do(ctx, c.B().Eval().Script(claimScript).Numkeys(1).Key(b.names.claims(group)).
		Arg(name, strconv.FormatInt(keep.Milliseconds(), 10)).Build()).AsInt64()
	if err != nil {
		return 0, fmt.Errorf("redis: claim: %w", err)
	}
	return time.Duration(ms) * time.Millisecond, nil
}
