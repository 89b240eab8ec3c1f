package redis

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/lineman-go/lineman/push"
)

// revokeScript sets fields of a hash to numbers, unless they have greater ones. What is no instant is as nothing.
const revokeScript = `for i = 1, #ARGV, 2 do
	local known = string.match(redis.call('HGET', KEYS[1], ARGV[i]) or '', '^%d+$')
	if not known or #known > 12 or tonumber(known) > 253402300799 or tonumber(ARGV[i + 1]) > tonumber(known) then
		redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
	end
end`

// lastInstant is the last second of the year 9999.
const lastInstant = 253402300799

// Revoke notes that credentials of a uid that were issued up to an instant are no longer good. Nodes that are cut off
// now, or start later, read it. Instants are cut to seconds; one that is earlier than the known one changes nothing. An
// error matches push.ErrUnlinked if no node of this Broker has connected: then nothing was done. After any other error
// it is not known whether the revocation took effect: revoke again.
func (b *Broker) Revoke(ctx context.Context, uid string, at time.Time) error {
	return b.Restore(ctx, map[string]int64{uid: at.Unix()})
}

// atOnce is how many revocations are noted by one command.
const atOnce = 500

// Restore notes many revocations, by uid, in seconds since 1970, as Revoke does: those that a node knows and the server
// has lost.
func (b *Broker) Restore(ctx context.Context, revoked map[string]int64) error {
	c, err := b.client()
	if err != nil {
		return err
	}
	arguments := make([]string, 0, 2*min(len(revoked), atOnce))
	note := func() error {
		cmd := c.B().Eval().Script(revokeScript).Numkeys(1).Key(b.names.revoked()).Arg(arguments...).Build()
		arguments = arguments[:0]
		if err := c.Do(ctx, cmd).Error(); err != nil && !rueidis.IsRedisNil(err) {
			return fmt.Errorf("redis: revoke: %w", err)
		}
		return nil
	}
	for uid, seconds := range revoked {
		arguments = append(arguments, uid, strconv.FormatInt(seconds, 10))
		if len(arguments) == 2*atOnce {
			if err := note(); err != nil {
				return err
			}
		}
	}
	if len(arguments) == 0 {
		return nil
	}
	return note()
}

// Revocations are those that were noted, by uid, in seconds since 1970. A node reads them when its link is up, as it
// may have missed what the others were told. What cannot be read is left out, and the log names it. An error matches
// push.ErrUnlinked if no node of this Broker has connected.
func (b *Broker) Revocations(ctx context.Context) (map[string]int64, error) {
	c, err := b.client()
	if err != nil {
		return nil, err
	}
	revoked, unread := make(map[string]int64), 0
	for cursor := uint64(0); ; {
		page, err := c.Do(ctx, c.B().Hscan().Key(b.names.revoked()).Cursor(cursor).Count(1000).Build()).AsScanEntry()
		if err != nil {
			return nil, fmt.Errorf("redis: revocations: %w", err)
		}
		for i := 0; i+1 < len(page.Elements); i += 2 {
			seconds, err := strconv.ParseInt(page.Elements[i+1], 10, 64)
			if err != nil || seconds < 0 || seconds > lastInstant {
				if unread++; unread == 1 {
					b.log().Error("redis: a revocation cannot be read, and is passed over: revoke that uid again",
						"key", b.names.revoked(), "uid", page.Elements[i], "value", page.Elements[i+1])
				}
				continue
			}
			revoked[page.Elements[i]] = seconds
		}
		if cursor = page.Cursor; cursor == 0 {
			if unread > 1 {
				b.log().Error("redis: revocations cannot be read, and are passed over", "count", unread)
			}
			return revoked, nil
		}
	}
}

func (b *Broker) log() *slog.Logger {
	if b.options.Log != nil {
		return b.options.Log
	}
	return slog.Default()
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
