package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/lineman-go/lineman/push"
)

// revokeScript sets a field of a hash to a number, unless it has a greater one.
const revokeScript = `if tonumber(ARGV[2]) > tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or -1) then
	redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end`

// Revoke notes that credentials of a uid that were issued up to an instant are no longer good, for nodes that are cut off now or come
// later. Instants are cut to seconds; an earlier one than that which is known changes nothing. An error matches push.ErrUnlinked if
// no node of this Broker has connected.
func (b *Broker) Revoke(ctx context.Context, uid string, at time.Time) error {
	c, err := b.client()
	if err != nil {
		return err
	}
	seconds := strconv.FormatInt(at.Unix(), 10)
	if err := c.Do(ctx, c.B().Eval().Script(revokeScript).Numkeys(1).Key(b.names.revoked()).Arg(uid, seconds).Build()).Error(); err != nil && !rueidis.IsRedisNil(err) {
		return fmt.Errorf("redis: revoke: %w", err)
	}
	return nil
}

// Revocations are those that were noted, by uid, in seconds since 1970. A node asks for them when its link is up, as it may have missed
// what the others were told. Errors are as those of Revoke.
func (b *Broker) Revocations(ctx context.Context) (map[string]int64, error) {
	c, err := b.client()
	if err != nil {
		return nil, err
	}
	revoked := make(map[string]int64)
	for cursor := uint64(0); ; {
		page, err := c.Do(ctx, c.B().Hscan().Key(b.names.revoked()).Cursor(cursor).Count(1000).Build()).AsScanEntry()
		if err != nil {
			return nil, fmt.Errorf("redis: revocations: %w", err)
		}
		for i := 0; i+1 < len(page.Elements); i += 2 {
			seconds, err := strconv.ParseInt(page.Elements[i+1], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("redis: revocations: that of %q: %w", page.Elements[i], err)
			}
			revoked[page.Elements[i]] = seconds
		}
		if cursor = page.Cursor; cursor == 0 {
			return revoked, nil
		}
	}
}

// client is that of a link.
func (b *Broker) client() (rueidis.Client, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.links {
		select {
		case <-l.dialed:
			return l.client, nil
		default:
		}
	}
	return nil, fmt.Errorf("redis: no node has connected yet: %w", push.ErrUnlinked)
}
