package redis

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/lineman-go/lineman/push"
)

// seat is a uid in a channel.
type seat struct {
	in  push.Target
	uid string
}

// saying is that a node has a uid in a channel, or no longer.
type saying struct {
	seat
	here   bool
	events bool // others are told of it
	info   json.RawMessage

	// Guarded by the outbox's lock.
	fresh  bool // the server may not know this info
	number uint64
}

// seatScript notes who is present, and publishes what that changes for others. It answers the numbers of the sayings by
// which a uid has come, and, negative, of those by which one has gone.
//
//	keys: the state, a hash of channels, users and version; the nodes that have said something; what this one has
//	said, a set of seats; for each saying the channel, and the uids that are there, a hash of "NODES INFO"
//	arguments: command that publishes, name of what the node has said; for each saying the seat, the uid, enter or
//	leave, whether the info replaces what there is, the info, whether others are told, whether it is a channel, which
//	the state counts
const seatScript = `
local call, state, seats = redis.call, KEYS[1], KEYS[3]
local function shown(info) return info == 'null' and '' or info end
local moved = {}
for i = 1, (#ARGV - 2) / 7 do
	local channel, who = KEYS[2 + 2 * i], KEYS[3 + 2 * i]
	local member, uid, what, replace, info, events, counts = unpack(ARGV, 7 * i - 4, 7 * i + 2)
	local function count(field, n)
		if counts == '1' then call('HINCRBY', state, field, n) end
	end
	local known = call('HGET', who, uid)
	local nodes, was = 0, ''
	if known then nodes, was = string.match(known, '^(%d+) (.*)$') end
	nodes = tonumber(nodes)
	local here
	if what == 'enter' then
		nodes = math.max(nodes + call('SADD', seats, member), 1)
		if replace == '0' and was ~= '' then info = was end
		call('HSET', who, uid, nodes .. ' ' .. info)
		if not known then
			count('users', 1)
			if call('HLEN', who) == 1 then count('channels', 1) end
			moved[#moved + 1] = i
		end
		info = shown(info)
		if not known or info ~= shown(was) then here = '1' end
	elseif call('SREM', seats, member) == 1 and known then
		info = ''
		if nodes > 1 then
			call('HSET', who, uid, nodes - 1 .. ' ' .. was)
		else
			call('HDEL', who, uid)
			count('users', -1)
			if call('HLEN', who) == 0 then count('channels', -1) end
			here = '0'
			moved[#moved + 1] = -i
		end
	end
	if here then
		local version = call('HINCRBY', state, 'version', 1)
		if events == '1' then
			local n = call('HLEN', who)
			call(ARGV[1], channel, '\1\7' .. version .. ' ' .. n .. ' ' .. here .. ' ' .. #uid .. ' ' .. uid .. info)
		end
	end
end
if call('EXISTS', seats) == 1 then
	call('SADD', KEYS[2], ARGV[2])
else
	call('SREM', KEYS[2], ARGV[2])
end
return moved`

var seating = newScript(seatScript)

// atATime is how many sayings go in one script.
const atATime = 100

// asker is a connection, or a client.
type asker interface {
	B() rueidis.Builder
	Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult
}

// member is the name of what the node has said over this pair. Each pair has one of its own: what the ones before it
// have said is taken back by it, and nobody takes back what it has said, unless the node is dead.
func (p *pair) member() string { return p.shard.link.node.ID + ":" + p.term }

// nodeOf is the node of a member.
func nodeOf(member string) string {
	return member[:max(strings.LastIndexByte(member, ':'), 0)]
}

// say is the command that notes some sayings.
func (s *shard) say(c asker, member string, all []saying) rueidis.Completed {
	n := s.link.names
	keys := []string{n.presence(s.index), n.seated(s.index), n.seats(s.index, member)}
	arguments := []string{s.publishes(), member}
	for _, one := range all {
		keys = append(keys, n.topic(one.in), n.who(one.in))
		what := "leave"
		if one.here {
			what = "enter"
		}
		arguments = append(arguments, one.member(), one.uid, what, digit(one.fresh), string(one.info),
			digit(one.events), digit(isChannel(one.in)))
	}
	return c.B().Evalsha().Sha1(seating.sha).Numkeys(int64(len(keys))).Key(keys...).Arg(arguments...).Build()
}

// infoOf is what the node has said of a seat.
func (o *outbox) infoOf(at seat) json.RawMessage {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seats[at].info
}

// seat has the node have said something that the server knows.
func (o *outbox) seat(s saying) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rememberLocked([]saying{s})
	s = o.seats[s.seat]
	s.fresh = false
	o.seats[s.seat] = s
}

// unsaid are the seats whose info the server may not know.
func (o *outbox) unsaid() (all []seat) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for at, s := range o.seats {
		if s.fresh {
			all = append(all, at)
		}
	}
	return all
}

// unsay has the server perhaps not know the info of a seat.
func (o *outbox) unsay(at seat) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s, is := o.seats[at]; is {
		s.fresh = true
		o.seats[at] = s
	}
}

// isChannel reports whether it is one: rolls are present in targets of their own.
func isChannel(t push.Target) bool {
	kind, _ := t.Split()
	return kind == push.ToChannel
}

func digit(is bool) string {
	if is {
		return "1"
	}
	return "0"
}

// member is the seat of a saying as it stands in a set: whether others are told, the length of the channel's name, and
// both names.
func (s *saying) member() string {
	return digit(s.events) + strconv.Itoa(len(s.in)) + ":" + string(s.in) + s.uid
}

// parseMember reads that as what takes it back. It reports whether it is right.
func parseMember(text string) (s saying, ok bool) {
	head, names, ok := strings.Cut(text, ":")
	if !ok || head == "" || head[0] != '0' && head[0] != '1' {
		return saying{}, false
	}
	n, err := strconv.ParseUint(head[1:], 10, 16)
	if err != nil || n > uint64(len(names)) {
		return saying{}, false
	}
	return saying{seat: seat{push.Target(names[:n]), names[n:]}, events: head[0] == '1'}, true
}

// beginPresence says again what the node has said, and takes back what it said over the pairs before. So what it still
// has does not go and come again.
func (p *pair) beginPresence() error {
	if err := p.beginTerm(); err != nil {
		return err
	}
	if err := p.sayAgain(p.shard.outbox.present()); err != nil {
		return err
	}
	return p.shard.takeBack(context.Background(), p.out, p.isFormer)
}

// beginTerm has the node have said nothing over this pair.
func (p *pair) beginTerm() error {
	p.term = newName()
	for _, script := range []script{seating, listingOf} {
		load := p.out.B().ScriptLoad().Script(script.text).Build()
		if err := p.out.Do(context.Background(), load).Error(); err != nil {
			return err
		}
	}
	return nil
}

// isFormer reports whether what a member has said is what the node has said before.
func (p *pair) isFormer(member string) bool {
	return nodeOf(member) == p.shard.link.node.ID && member != p.member()
}

// sayAgain says what the node has said before.
func (p *pair) sayAgain(all []saying) error {
	s := p.shard
	for len(all) > 0 {
		n := min(len(all), atATime)
		r := p.out.Do(context.Background(), s.say(p.out, p.member(), all[:n]))
		if err := s.link.tellMoved(all[:n], r); err != nil {
			return err
		}
		s.outbox.known(all[:n])
		all = all[n:]
	}
	return nil
}

// takeBack takes back what some have said.
func (s *shard) takeBack(ctx context.Context, c asker, of func(member string) bool) error {
	all, err := s.members(ctx, c, of)
	if err != nil {
		return err
	}
	for _, member := range all {
		for left := true; left; {
			if left, err = s.takeBackSome(ctx, c, member); err != nil {
				return err
			}
		}
	}
	return nil
}

// members are some of those that have said something.
func (s *shard) members(ctx context.Context, c asker, of func(member string) bool) ([]string, error) {
	all, err := c.Do(ctx, c.B().Smembers().Key(s.link.names.seated(s.index)).Build()).AsStrSlice()
	return slices.DeleteFunc(all, func(member string) bool { return !of(member) }), err
}

// takeBackSome takes back a part of what one has said, and reports whether there may be more.
func (s *shard) takeBackSome(ctx context.Context, c asker, member string) (left bool, err error) {
	seats := c.B().Srandmember().Key(s.link.names.seats(s.index, member)).Count(atATime).Build()
	found, err := c.Do(ctx, seats).AsStrSlice()
	if err != nil {
		return false, err
	}
	var sayings []saying
	for _, text := range found {
		if one, ok := parseMember(text); ok {
			sayings = append(sayings, one)
		}
	}
	return len(sayings) > 0, s.link.tellMoved(sayings, c.Do(ctx, s.say(c, member, sayings)))
}

// tellMoved has the loop know who has come, and who has gone, by some sayings.
func (l *link) tellMoved(all []saying, answered rueidis.RedisResult) error {
	told, err := l.moved(all, answered)
	if told != nil {
		l.post(told)
	}
	return err
}

// moved is what tells that, on the loop; nil if nobody has come or gone, or nobody asks.
func (l *link) moved(all []saying, answered rueidis.RedisResult) (tell func(), err error) {
	numbers, err := answered.AsIntSlice()
	if err != nil || len(numbers) == 0 || l.node.Attended == nil {
		return nil, err
	}
	return func() {
		for _, n := range numbers {
			i := max(n, -n) - 1
			if i < 0 || i >= int64(len(all)) || !isChannel(all[i].in) || l.closed.Load() {
				continue
			}
			l.node.Attended(all[i].in, all[i].uid, n > 0)
		}
	}, nil
}

// change reads one.
func (r *reader) change() (e push.PresenceEvent, version uint64) {
	words := strings.SplitN(string(r.rest), " ", 5)
	if len(words) < 5 || words[2] != "0" && words[2] != "1" {
		r.bad = true
		return e, 0
	}
	version, err := number(words[0])
	n, wrong := number(words[1])
	length, long := number(words[3])
	if err != nil || wrong != nil || long != nil || n > math.MaxInt32 || length > uint64(len(words[4])) {
		r.bad = true
		return e, 0
	}
	e = push.PresenceEvent{UID: words[4][:length], Here: words[2] == "1", N: int(n)}
	if info := words[4][length:]; info != "" {
		e.Info = json.RawMessage(info)
		r.bad = !e.Here || !json.Valid(e.Info)
	}
	return e, version
}
