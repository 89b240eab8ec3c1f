package redis

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/lineman-go/lineman/push"
)

var _ push.PresenceLink = (*link)(nil)

// Enter is that of push.PresenceLink.
func (l *link) Enter(in push.Target, uid string, info json.RawMessage) {
	l.say(saying{seat: seat{in, uid}, here: true, info: info})
}

// Leave is that of push.PresenceLink.
func (l *link) Leave(in push.Target, uid string) { l.say(saying{seat: seat{in, uid}}) }

func (l *link) say(s saying) {
	if l.closed.Load() || !l.knowsPresence() {
		return
	}
	s.events = l.node.PresenceEvents(s.in)
	l.shardOf(s.in.Topic()).outbox.put(op{kind: say, sayings: []saying{s}}) // a link that is down remembers it
}

// listing is a list of who is present that was asked for. What changes while the answer is on its way may have come
// before it: it is added to the answer, which may be older.
type listing struct {
	in    push.Target
	most  int
	ahead []message // changes that have come since it was asked for
}

// changed tells the node who has come or gone.
func (l *link) changed(a arrival, m message) {
	in, ok := l.names.topicOf(a.channel)
	if !ok || !l.knowsPresence() || !l.wants([]push.Target{in}) || !l.node.PresenceEvents(in) {
		return
	}
	for r := range l.listings {
		if r.in == in {
			r.ahead = append(r.ahead, m)
		}
	}
	l.node.Presence(in, m.present)
}

// with is who is present with what has changed since a version.
func (r *listing) with(p push.Presence, version uint64) push.Presence {
	for _, m := range r.ahead {
		if m.version <= version {
			continue
		}
		e := m.present
		switch {
		case p.More:
			p.N = e.N
		case e.Here:
			p.Users[e.UID] = e.Info
		default:
			delete(p.Users, e.UID)
		}
	}
	if !p.More { // of one that was scanned, the events have another number
		p.N = len(p.Users)
	}
	if p.N > r.most {
		p.More, p.Users = true, nil
	}
	return p
}

// listingScript tells who is present: [version, number, uid, "NODES INFO", ...], without the uids if they are too many.
//
//	keys: the state, the uids of the channel
//	arguments: up to how many uids are told
const listingScript = `
local n = redis.call('HLEN', KEYS[2])
local answer = {redis.call('HGET', KEYS[1], 'version') or '0', tostring(n)}
if n <= tonumber(ARGV[1]) then
	for _, word in ipairs(redis.call('HGETALL', KEYS[2])) do answer[#answer + 1] = word end
end
return answer`

var listingOf = newScript(listingScript)

var errListing = errors.New("redis: who is present cannot be read")

// parseListing reads that.
func parseListing(words []string, most int) (p push.Presence, version uint64, err error) {
	if len(words) < 2 || len(words)%2 != 0 {
		return p, 0, errListing
	}
	if version, err = number(words[0]); err != nil {
		return p, 0, err
	}
	n, err := number(words[1])
	if err != nil || n > 1<<31-1 {
		return p, 0, errListing
	}
	if p.N = int(n); p.N > most {
		return push.Presence{N: p.N, More: true}, version, nil
	}
	if p.Users, err = parseUsers(words[2:]); err != nil || len(p.Users) != p.N {
		return push.Presence{}, 0, errListing
	}
	return p, version, nil
}

// parseUsers reads uids, each with what is noted of it.
func parseUsers(words []string) (map[string]json.RawMessage, error) {
	if len(words)%2 != 0 {
		return nil, errListing
	}
	users := make(map[string]json.RawMessage, len(words)/2)
	for i := 0; i < len(words); i += 2 {
		_, text, found := strings.Cut(words[i+1], " ")
		var info json.RawMessage
		if text != "" && text != "null" {
			info = json.RawMessage(text)
		}
		if !found || info != nil && !json.Valid(info) {
			return nil, errListing
		}
		users[words[i]] = info
	}
	return users, nil
}

// Present is that of push.PresenceLink.
func (l *link) Present(in push.Target, most int, done func(push.Presence, error)) {
	if !l.knowsPresence() {
		done(push.Presence{}, push.ErrNoPresence)
		return
	}
	r := &listing{in: in, most: most}
	l.listings[r] = struct{}{}
	end := func(p push.Presence, version uint64, err error) {
		delete(l.listings, r)
		if err != nil {
			done(push.Presence{}, err)
			return
		}
		done(r.with(p, version), nil)
	}
	most = min(most, mostAtOnce)
	l.ask(l.shardOf(in.Topic()), &query{
		command: func(p *pair) rueidis.Completed {
			keys := []string{l.names.presence(p.shard.index), l.names.who(in)}
			return p.evalSHA(listingOf, keys, []string{strconv.Itoa(most)})
		},
		answer: func(_ *pair, answered rueidis.RedisResult) (func(), error) {
			words, err := wordsOf(answered)
			if err != nil {
				return nil, err
			}
			present, version, err := parseListing(words, most)
			return func() {
				if present.More && present.N <= r.most {
					l.scan(r, 0, make(map[string]json.RawMessage), version, end)
					return
				}
				end(present, version, nil)
			}, err
		},
		failed: func(err error) { end(push.Presence{}, 0, err) },
	})
}

// mostAtOnce is how many uids an answer has: the server serves nobody while it writes one.
const mostAtOnce = 10_000

// scan reads a list that is longer than that, a part at a time. A uid that does not come or go meanwhile is in one of
// the parts, and all others are in what has changed since a version, which was there before.
func (l *link) scan(r *listing, cursor uint64, users map[string]json.RawMessage, version uint64,
	end func(push.Presence, uint64, error)) {
	l.ask(l.shardOf(r.in.Topic()), &query{
		command: func(p *pair) rueidis.Completed {
			return p.out.B().Hscan().Key(l.names.who(r.in)).Cursor(cursor).Count(mostAtOnce / 10).Build()
		},
		answer: func(_ *pair, answered rueidis.RedisResult) (func(), error) {
			part, err := answered.AsScanEntry()
			if err != nil {
				return nil, err
			}
			found, err := parseUsers(part.Elements)
			return func() {
				maps.Copy(users, found)
				if part.Cursor > 0 {
					l.scan(r, part.Cursor, users, version, end)
					return
				}
				end(push.Presence{N: len(users), Users: users}, version, nil)
			}, err
		},
		failed: func(err error) { end(push.Presence{}, 0, err) },
	})
}

// CountPresent is that of push.PresenceLink.
func (l *link) CountPresent(in []push.Target, done func([]int, error)) {
	if !l.knowsPresence() {
		done(nil, push.ErrNoPresence)
		return
	}
	in = slices.Clone(in)
	counts := make([]int, len(in))
	ended := after(len(in), func(err error) { done(counts, err) })
	for i, t := range in {
		var n int64
		l.ask(l.shardOf(t.Topic()), &query{
			command: func(p *pair) rueidis.Completed { return p.out.B().Hlen().Key(l.names.who(t)).Build() },
			answer: func(_ *pair, r rueidis.RedisResult) (tell func(), err error) {
				n, err = r.AsInt64()
				return func() {
					counts[i] = int(n)
					ended(nil)
				}, err
			},
			failed: ended,
		})
	}
}

// PresenceStats is that of push.PresenceLink.
func (l *link) PresenceStats(done func(push.PresenceStats, error)) {
	if !l.knowsPresence() {
		done(push.PresenceStats{}, push.ErrNoPresence)
		return
	}
	var all push.PresenceStats
	ended := after(len(l.shards), func(err error) { done(all, err) })
	for _, s := range l.shards {
		l.ask(s, &query{
			command: func(p *pair) rueidis.Completed {
				return p.out.B().Hmget().Key(l.names.presence(s.index)).Field("channels", "users").Build()
			},
			answer: func(_ *pair, r rueidis.RedisResult) (func(), error) {
				found, err := r.ToArray()
				if err != nil || len(found) != 2 {
					return nil, errors.Join(err, errListing)
				}
				channels, _ := found[0].AsInt64() // none yet
				users, _ := found[1].AsInt64()
				return func() {
					all.Channels += int(channels)
					all.Users += int(users)
					ended(nil)
				}, nil
			},
			failed: ended,
		})
	}
}
