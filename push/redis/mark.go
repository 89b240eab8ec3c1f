package redis

import (
	"errors"
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

// readMark reads "EPOCH TERM CLOCK", the first words of some.
func readMark(words []string) (m mark, err error) {
	if len(words) < 3 || !isName(words[0]) || !isName(words[1]) {
		return mark{}, errMark
	}
	m.epoch, m.term = words[0], words[1]
	m.clock, err = number(words[2])
	return m, err
}

var errMark = errors.New("redis: this is no mark of a history")

// isName reports whether something can be the name of an epoch or of a term.
func isName(text string) bool {
	for _, c := range []byte(text) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return text != "" && len(text) <= maxName
}

// maxName is how long the name of an epoch or of a term may be.
const maxName = 32

// maxMark is how many bytes the mark of a message, with what is around it, takes at most.
const maxMark = 2 + 2*(maxName+1) + maxDigits + 1

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
