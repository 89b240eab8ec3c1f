package hook

import (
	"container/list"
	"crypto/sha256"
	"time"
)

// key is a hash of what questions have in common that get the same answer. The zero key is none's. Of a cookie or a
// token no more than this is kept.
type key [sha256.Size]byte

// answers is a cache: it has those that may be given again, and drops the one that was not asked for the longest.
type answers struct {
	most, mostBytes int
	bytes           int
	byKey           map[key]*list.Element // of entries
	order           list.List             // the one that was asked for last is in front
}

// entry is an answer that is good for a while.
type entry struct {
	key    key
	answer *answer
	until  time.Time
}

// entryBytes is about what an entry takes beside the text of its answer.
const entryBytes = 512

func (e *entry) size() int { return entryBytes + 2*e.answer.size }

// get is the answer for a key; nil if there is none.
func (c *answers) get(k key, now time.Time) *answer {
	found := c.byKey[k]
	if found == nil {
		return nil
	}
	e := found.Value.(*entry)
	if !now.Before(e.until) {
		c.remove(found)
		return nil
	}
	c.order.MoveToFront(found)
	return e.answer
}

// add keeps an answer for as long as it says, but not longer than the page stays that it lets in.
func (c *answers) add(k key, a *answer, now time.Time) {
	e := &entry{k, a, now.Add(a.keep)}
	if end := a.login.Expires; !end.IsZero() && end.Before(e.until) {
		e.until = end
	}
	if old := c.byKey[k]; old != nil {
		c.remove(old)
	}
	if c.byKey == nil {
		c.byKey = make(map[key]*list.Element)
	}
	c.byKey[k] = c.order.PushFront(e)
	c.bytes += e.size()
	for len(c.byKey) > c.most || c.bytes > c.mostBytes {
		c.remove(c.order.Back())
	}
}

// forget drops what was answered about who a uid is.
func (c *answers) forget(uid string) {
	for _, e := range c.byKey {
		if e.Value.(*entry).answer.login.UID == uid {
			c.remove(e)
		}
	}
}

func (c *answers) remove(e *list.Element) {
	gone := c.order.Remove(e).(*entry)
	delete(c.byKey, gone.key)
	c.bytes -= gone.size()
}
