package redis

import (
	"strings"
	"sync"
)

// mark is how far the history of a partition has come: it counts all publications that stand in it.
//
// A term is what was published between two times that a node has connected. Each has a name of its own, so a server
// that took over and has lost the last publications is found out, as by the leader epochs of Kafka: the node that has
// seen them asks for their mark, and the server either does not know the term, or it ended earlier there.
type mark struct {
	epoch string // that of Positions
	term  string
	clock uint64
}

// highWater is the highest mark that a node has seen. Its methods may be called from any goroutine.
type highWater struct {
	mu sync.Mutex // guards the following
	at mark
}

// raise notes a mark that was seen.
func (h *highWater) raise(m mark) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.clock < h.at.clock {
		return
	}
	if m.term != h.at.term || m.epoch != h.at.epoch {
		h.at.epoch, h.at.term = strings.Clone(m.epoch), strings.Clone(m.term) // of a message, which need not stay
	}
	h.at.clock = m.clock
}

// mark is the highest so far.
func (h *highWater) mark() mark {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

// beginScript begins a term of the history, and returns [epoch, term, clock]. The epoch is another one if the history
// is new, or has lost publications that the node has seen.
//
//	keys: the state, a hash of epoch, term and clock; the terms that have ended, a list of "TERM CLOCK"
//	arguments: a new name; epoch, term and clock that the node has seen; how many terms are kept
const beginScript = `
local is = redis.call('HMGET', KEYS[1], 'epoch', 'term', 'clock')
local epoch, term, clock, seen = is[1], is[2], tonumber(is[3] or 0), tonumber(ARGV[4])
if not epoch then
	epoch = ARGV[1]
else
	redis.call('RPUSH', KEYS[2], term .. ' ' .. string.format('%.0f', clock))
	redis.call('LTRIM', KEYS[2], -ARGV[5], -1)
end
if epoch == ARGV[2] then
	local ended = -1
	for _, known in ipairs(redis.call('LRANGE', KEYS[2], 0, -1)) do
		local name, at = string.match(known, '^(%S+) (%d+)$')
		if name == ARGV[3] then ended = tonumber(at) end
	end
	if seen > ended then epoch = ARGV[1] end
end
clock = string.format('%.0f', math.max(clock, seen))
redis.call('HSET', KEYS[1], 'epoch', epoch, 'term', ARGV[1], 'clock', clock)
return {epoch, ARGV[1], clock}`

// keptTerms is how many terms are kept. A node whose last one is not among them is believed to have seen what was lost.
const keptTerms = 1000
