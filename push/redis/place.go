package redis

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/lineman-go/lineman/push"
)

// place is where a publication will stand: in the history of one of its targets.
type place struct {
	target     push.Target
	keep       push.Retention
	index      int // among the targets of the part that it is sent in
	number, of int // among all targets of the publication, and how many these are
}

// placed is where a publication stands: an offset for each of its places.
type placed struct {
	mark    mark
	offsets []uint64
}

// placeScript publishes to some channels what stands in the history of some targets, with nothing between. It returns
// [number of arrivals, epoch, term, clock, the offset in each history]. The message that it publishes is that which it
// is given, with these before it.
//
//	keys: the channels; the state; for each target its top, which is the offset of the last publication, and what is
//	kept, a list of "OFFSET MILLISECONDS BYTES DATA". The bytes are those of the messages up to this one.
//	arguments: number of channels, command that publishes, a new name, head of the message, its data; for each target
//	its index, and how much is kept: messages, bytes, for how many ms, and for how many ms the top is
const placeScript = `
local call = redis.call
local channels, data = tonumber(ARGV[1]), ARGV[5]
local state = KEYS[channels + 1]
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local clock = call('HINCRBY', state, 'clock', 1)
local is = call('HMGET', state, 'epoch', 'term')
if not is[1] then
	is = {ARGV[3], ARGV[3]}
	call('HSET', state, 'epoch', ARGV[3], 'term', ARGV[3])
end
local answer, stands = {0, is[1], is[2], clock}, ''
local function trim(kept, n, now, ttl, total, bytes)
	while n > 0 do
		local oldest = call('LINDEX', kept, 0)
		local at, sum, from = string.match(oldest, '^%d+ (%d+) (%d+) ()')
		local expired = ttl > 0 and now - at >= ttl
		if not expired and (bytes == 0 or total - sum + #oldest - from + 1 <= bytes) then return end
		call('LPOP', kept)
		n = n - 1
	end
end
for i = 1, #ARGV / 5 - 1 do
	local top, kept, at = KEYS[channels + 2 * i], KEYS[channels + 2 * i + 1], 5 * i
	local size, bytes, ttl = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
	local offset = call('GET', top)
	offset = offset and offset + 1 or clock
	local total = #data
	if bytes > 0 then
		local newest = call('LINDEX', kept, -1)
		total = total + (newest and string.match(newest, '^%d+ %d+ (%d+) ') or 0)
	end
	local n = call('RPUSH', kept, string.format('%.0f %.0f %.0f ', offset, now, total) .. data)
	if n > size then
		call('LTRIM', kept, -size, -1)
		n = size
	end
	if bytes > 0 or ttl > 0 and offset % 8 == 0 then trim(kept, n, now, ttl, total, bytes) end
	if ttl > 0 then
		call('SET', top, offset, 'PX', ARGV[at + 5])
		call('PEXPIRE', kept, ttl)
	else
		call('SET', top, offset)
		call('PERSIST', kept)
	end
	stands = stands .. ' ' .. ARGV[at + 1] .. ' ' .. offset
	answer[4 + i] = offset
end
local message = '\1\6' .. is[1] .. ' ' .. is[2] .. ' ' .. clock .. stands .. '\0' .. ARGV[4] .. data
for i = 1, channels do answer[1] = answer[1] + call(ARGV[2], KEYS[i], message) end
return answer`

// topKeptFor is for how long a target's offset is kept at least, after it was last published for or read. A target that
// is begun anew after that has a gap, and no offset again.
const topKeptFor = 7 * 24 * time.Hour

// topLife is for how many ms the offset of a target is kept; 0: for good, as its messages are.
func topLife(keep push.Retention) string {
	if keep.TTL <= 0 {
		return "0"
	}
	return millis(max(keep.TTL, topKeptFor))
}

// newName makes a name for an epoch or a term that none had before.
func newName() string { return strconv.FormatUint(rand.Uint64(), 36) }

// places are where a publication will stand; none for what is no publication.
func (l *link) places(k kind, to []push.Target) (places []place) {
	if k != publication || !l.keepsHistory() {
		return nil
	}
	for i, t := range to {
		if keep := l.node.Retain(t); keep.Messages() > 0 {
			places = append(places, place{target: t, keep: keep, index: i, number: i, of: len(to)})
		}
	}
	return places
}

// placesIn are those for the targets of one part.
func placesIn(all []place, part []push.Target) (places []place) {
	for _, p := range all {
		if p.index = slices.Index(part, p.target); p.index >= 0 {
			places = append(places, p)
		}
	}
	return places
}

// place is the command that publishes what stands in histories.
func (p *pair) place(o op) rueidis.Completed {
	l := p.shard.link
	payload := rueidis.BinaryString(o.payload)
	head := len(payload) - o.data
	keys := append(slices.Clone(o.channels), l.names.state(p.shard.index))
	arguments := []string{strconv.Itoa(len(o.channels)), p.shard.publishes(), newName(), payload[:head], payload[head:]}
	for _, at := range o.places {
		keys = append(keys, l.names.top(at.target), l.names.kept(at.target))
		arguments = append(arguments, strconv.Itoa(at.index), strconv.Itoa(at.keep.Messages()),
			strconv.Itoa(max(at.keep.Bytes, 0)), millis(max(at.keep.TTL, 0)), topLife(at.keep))
	}
	return p.evalSHA(placing, keys, arguments)
}

var errPlaced = errors.New("redis: what was published has no position")

// placedBy reads what the script answers.
func placedBy(r rueidis.RedisResult, places int) (s sent, err error) {
	found, err := r.ToArray()
	if err != nil {
		return sent{}, err
	}
	if len(found) != 4+places {
		return sent{}, errPlaced
	}
	if s.arrivals, err = found[0].AsInt64(); err != nil {
		return sent{}, err
	}
	if s.placed.mark, err = parseMark(found[1:4]); err != nil {
		return sent{}, err
	}
	for _, m := range found[4:] {
		n, err := m.AsInt64()
		if err != nil || n < 1 {
			return sent{}, errPlaced
		}
		s.placed.offsets = append(s.placed.offsets, uint64(n))
	}
	return s, nil
}

// parseMark reads epoch, term and clock.
func parseMark(found []rueidis.RedisMessage) (m mark, err error) {
	if m.epoch, err = found[0].ToString(); err != nil {
		return mark{}, err
	}
	if m.term, err = found[1].ToString(); err != nil {
		return mark{}, err
	}
	clock, err := found[2].AsInt64()
	if err != nil || clock < 0 || !isName(m.epoch) || !isName(m.term) {
		return mark{}, errMark
	}
	m.clock = uint64(clock)
	return m, nil
}
