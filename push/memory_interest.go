package push

import (
	"fmt"
	"math/bits"
)

// interest is what the nodes of a Memory have subscribed to. Guarded by the broker's lock.
type interest struct {
	links  map[Target]uint64 // by topic, a bit for each link that wants it
	used   uint64            // bits that links have
	topics [ToConn + 1]int   // that somebody wants, by kind
}

// take gives a bit to a link; that is an error if there is none left.
func (i *interest) take() (bit uint64, err error) {
	if i.used == 1<<64-1 {
		return 0, fmt.Errorf("%w: a Memory has %d nodes", ErrLimit, bits.OnesCount64(i.used))
	}
	bit = 1 << bits.TrailingZeros64(^i.used)
	i.used |= bit
	return bit, nil
}

// set notes whether a link wants a topic, and reports whether that is new.
func (i *interest) set(topic Target, bit uint64, wanted bool) bool {
	before := i.links[topic]
	if before&bit != 0 == wanted {
		return false
	}
	kind, _ := topic.Split()
	switch now := before ^ bit; {
	case now == 0:
		delete(i.links, topic)
		i.topics[kind]--
	default:
		if before == 0 {
			i.topics[kind]++
		}
		if i.links == nil {
			i.links = make(map[Target]uint64)
		}
		i.links[topic] = now
	}
	return true
}

// of are the links that want one of some targets.
func (i *interest) of(to []Target) (links uint64) {
	for _, t := range to {
		links |= i.links[t.Topic()]
	}
	return links
}

// release takes a bit back, and gives what its link wanted.
func (i *interest) release(bit uint64) (topics []Target) {
	for t, links := range i.links {
		if links&bit != 0 {
			topics = append(topics, t)
		}
	}
	for _, t := range topics {
		i.set(t, bit, false)
	}
	i.used &^= bit
	return topics
}

// Names are how many uids, groups and channels there are in all: each counts once, though several nodes have it. It may
// be called from any goroutine.
func (b *Memory) Names() (uids, groups, channels int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := &b.interest.topics
	return t[ToUID], t[ToGroup], t[ToChannel]
}
