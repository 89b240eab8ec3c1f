package redis

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/lineman-go/lineman/push"
)

// wanted is what is to be read of a history.
type wanted struct {
	of   push.Target
	keep push.Retention
	push.Range
}

// newWanted bounds what is read at once.
func newWanted(of push.Target, r push.Range, keep push.Retention) wanted {
	r.Limit = min(r.Limit, mostMessages)
	if r.Bytes <= 0 {
		r.Bytes = mostBytes
	}
	r.Bytes = min(r.Bytes, mostBytes)
	return wanted{of, keep, r}
}

// last reports whether the last messages are asked for, or are enough.
func (w *wanted) last() bool { return w.Since == (push.Position{}) || w.keep.Class == push.Latest }

// readScript reads a part of the history of a target. It returns [epoch, term, clock, top, ms since 1970, messages…]:
// those after an offset in their order, if that one is kept and was not removed; or else the last ones, the newest
// first. It keeps the top for some time.
//
//	keys: the state, the top, what is kept, as of placeScript
//	arguments: a new name, for how many ms the top is kept, the offset or nothing, how many messages and bytes at most
const readScript = `
local is = redis.call('HMGET', KEYS[1], 'epoch', 'term', 'clock')
if not is[1] then
	is = {ARGV[1], ARGV[1], is[3] or '0'}
	redis.call('HSET', KEYS[1], 'epoch', is[1], 'term', is[2], 'clock', is[3])
end
local top = redis.call('GET', KEYS[2])
if not top then
	top = is[3]
	redis.pcall('SET', KEYS[2], top) -- it may be full
	if ARGV[2] ~= '0' then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
elseif ARGV[2] ~= '0' and redis.call('PTTL', KEYS[2]) < ARGV[2] / 2 then
	redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local found = {is[1], is[2], is[3], top, now}
local n, most, bytes = redis.call('LLEN', KEYS[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local last = ARGV[3] == ''
local from, to = math.max(n - most, 0), n - 1
if not last then
	from = n - (top - ARGV[3])
	to = math.min(from + most, n) - 1
	if from < 0 then return found end
end
local around, chunk = 60, 64
local function add(message)
	bytes = bytes - math.max(#message - around, 0)
	if bytes < 0 and #found > 5 then return false end
	found[#found + 1] = message
	return true
end
while from <= to do
	local part
	if last then
		part = redis.call('LRANGE', KEYS[3], math.max(to - chunk + 1, from), to)
		for i = #part, 1, -1 do
			if not add(part[i]) then return found end
		end
		to = to - chunk
	else
		part = redis.call('LRANGE', KEYS[3], from, math.min(from + chunk - 1, to))
		for i = 1, #part do
			if not add(part[i]) then return found end
		end
		from = from + chunk
	end
end
return found`

// What is read at once, at most.
const (
	mostMessages = 1 << 16
	mostBytes    = 16 << 20
)

// maxOffset is the highest offset that is a number in a script too.
const maxOffset = 1<<53 - 1

// read is the command that reads a history.
func (p *pair) read(w wanted) rueidis.Completed {
	n := p.shard.link.names
	keys := []string{n.state(p.shard.index), n.top(w.of), n.kept(w.of)}
	since := ""
	if !w.last() {
		since = decimal(min(w.Since.Offset, maxOffset))
	}
	return p.evalSHA(reading, keys, []string{
		newName(), topLife(w.keep), since, strconv.Itoa(max(w.Limit, 1)), strconv.Itoa(w.Bytes),
	})
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

// found is what a server has of it.
type found struct {
	mark     mark
	top      uint64
	now      time.Time // by the clock of the server
	messages []keptMessage
}

// keptMessage is one message as it is kept.
type keptMessage struct {
	offset uint64
	at     time.Time
	data   string
}

var errFound = errors.New("redis: what is kept cannot be read")

// wordsOf are the strings that a server answers.
func wordsOf(r rueidis.RedisResult) ([]string, error) {
	found, err := r.ToArray()
	if err != nil {
		return nil, err
	}
	words := make([]string, len(found))
	for i, m := range found {
		if words[i], err = m.ToString(); err != nil {
			return nil, errFound
		}
	}
	return words, nil
}

// parseFound reads what readScript answers.
func parseFound(words []string) (f found, err error) {
	const before = 5
	if len(words) < before {
		return found{}, errFound
	}
	if f.mark, err = readMark(words); err != nil {
		return found{}, err
	}
	if f.top, err = number(words[3]); err != nil {
		return found{}, err
	}
	now, err := number(words[4])
	if err != nil {
		return found{}, err
	}
	f.now = time.UnixMilli(int64(now))
	for _, word := range words[before:] {
		m, err := parseKept(word)
		if err != nil {
			return found{}, err
		}
		f.messages = append(f.messages, m)
	}
	return f, nil
}

// parseKept reads "OFFSET MILLISECONDS BYTES DATA".
func parseKept(text string) (m keptMessage, err error) {
	words := strings.SplitN(text, " ", 4)
	if len(words) < 4 {
		return keptMessage{}, errFound
	}
	if m.offset, err = number(words[0]); err != nil {
		return keptMessage{}, err
	}
	at, err := number(words[1])
	if err != nil {
		return keptMessage{}, err
	}
	if _, err = number(words[2]); err != nil {
		return keptMessage{}, err
	}
	m.at, m.data = time.UnixMilli(int64(at)), words[3]
	return m, nil
}

// maxDigits are how many digits the highest one has.
const maxDigits = 16

// number reads one that a script can write.
func number(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > maxOffset || len(text) > maxDigits {
		return 0, errFound
	}
	return n, nil
}

// tell makes of it what is told.
func (w *wanted) tell(f found) push.History {
	if w.last() {
		slices.Reverse(f.messages)
		f.messages = f.unbroken()
	}
	f.messages = f.unexpired(w.keep.TTL)
	h := push.History{Top: push.Position{Epoch: f.mark.epoch, Offset: f.top}}
	switch all := f.messages; {
	case w.Since == push.Position{}:
	case w.keep.Class == push.Latest && len(all) > 0 && w.Since != h.Top: // whatever was missed before it
	default:
		if h.Gap = w.gap(f); h.Gap != "" || w.Since == h.Top {
			return h
		}
	}
	h.Messages = w.part(f)
	return h
}

// gap is why what came after Since cannot be told: it is what was read, from the next one on, if that is kept.
func (w *wanted) gap(f found) push.Gap {
	switch {
	case w.Since.Epoch != f.mark.epoch:
		return push.GapEpoch
	case w.Since.Offset > f.top:
		return push.GapAhead
	case w.Since.Offset < f.top && (len(f.messages) == 0 || f.messages[0].offset != w.Since.Offset+1):
		return push.GapExpired
	}
	return ""
}

// unbroken are the last messages up to the top, as far back as there is no hole between them.
func (f *found) unbroken() []keptMessage {
	first := len(f.messages)
	for next := f.top; first > 0 && f.messages[first-1].offset == next; next-- {
		first--
	}
	return f.messages[first:]
}

// unexpired are those that are not too old.
func (f *found) unexpired(ttl time.Duration) []keptMessage {
	first := 0
	for ; ttl > 0 && first < len(f.messages) && f.now.Sub(f.messages[first].at) >= ttl; first++ {
	}
	return f.messages[first:]
}

// part is how much of the messages is told: the last of them, or the first, up to a hole, which none should have.
func (w *wanted) part(f found) (part []push.Stored) {
	all, n, bytes := f.messages, 0, 0
	for ; n < min(len(all), w.Limit); n++ {
		next := all[n]
		if w.last() {
			next = all[len(all)-1-n]
		}
		if bytes += len(next.data); bytes > w.Bytes && n > 0 {
			break
		}
	}
	if all = all[:n]; w.last() {
		all = f.messages[len(f.messages)-n:]
	}
	for i, m := range all {
		if m.offset != all[0].offset+uint64(i) {
			break
		}
		at := push.Position{Epoch: f.mark.epoch, Offset: m.offset}
		part = append(part, push.Stored{Position: at, At: m.at, Data: []byte(m.data)})
	}
	return part
}
