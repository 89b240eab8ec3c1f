package command

import (
	"slices"
	"time"

	"github.com/lineman-go/lineman/internal/fields"
	"github.com/lineman-go/lineman/push"
)

// A Table is handed over to another process with its Hub. The answers that it has given to requests with an id cross: a
// back end that has not seen one asks the successor, and is answered as it was. A request that is under way does not
// cross, and is answered by the predecessor.

// stateVersion is that of all states of this package.
const stateVersion = 1

// The fields of a Table, of the cache of a key, and of a request in it.
const (
	fieldCache = 1 // once for each key

	fieldCacheKey     = 1
	fieldCacheRequest = 2 // once for each, by time

	fieldRequestID          = 1
	fieldRequestFingerprint = 2
	fieldRequestAge         = 3 // in milliseconds
	fieldRequestReply       = 4 // as it is sent
	fieldRequestCode        = 5 // of its error; without one it is well
	fieldRequestText        = 6 // likewise
)

// AppendState appends what was answered to requests with an id. It changes nothing.
func (t *Table[C]) AppendState(dst []byte) []byte {
	dst = fields.Begin(dst, stateVersion)
	now := time.Now()
	for name, c := range t.idempotency {
		dst = fields.Nested(dst, fieldCache, func(dst []byte) []byte {
			dst = fields.Bytes(dst, fieldCacheKey, name)
			for _, q := range c.order {
				if c.requests[q.id] == q && q.reply != nil {
					dst = fields.Nested(dst, fieldCacheRequest, func(dst []byte) []byte {
						return q.appendState(dst, now)
					})
				}
			}
			return dst
		})
	}
	return dst
}

func (q *cachedRequest) appendState(dst []byte, now time.Time) []byte {
	dst = fields.Bytes(dst, fieldRequestID, q.id)
	dst = fields.Uint(dst, fieldRequestFingerprint, q.fingerprint)
	dst = fields.Uint(dst, fieldRequestAge, uint64(max(0, now.Sub(q.at).Milliseconds())))
	if e := q.reply.Error; e != nil {
		dst = fields.Bytes(dst, fieldRequestCode, e.Code)
		return fields.Bytes(dst, fieldRequestText, e.Text)
	}
	return fields.Bytes(dst, fieldRequestReply, q.reply.JSON())
}

// RestoreState takes what AppendState of a predecessor has said, before the Table has run anything. The state is on
// loan until it returns. An error says that it cannot be understood.
func (t *Table[C]) RestoreState(state []byte) error {
	state, err := fields.Open(state, stateVersion)
	if err != nil {
		return err
	}
	now := time.Now()
	return fields.Each(state, fieldCache, func(number uint64, value []byte) error {
		if number == fieldCache {
			return t.restoreCache(value, now)
		}
		return nil
	})
}

func (t *Table[C]) restoreCache(state []byte, now time.Time) error {
	var key string
	c := &idempotencyCache{requests: make(map[string]*cachedRequest)}
	if err := fields.Each(state, fieldCacheRequest, func(number uint64, value []byte) error {
		switch number {
		case fieldCacheKey:
			key = string(value)
		case fieldCacheRequest:
			return c.restore(value, now)
		}
		return nil
	}); err != nil {
		return err
	}
	c.forget(now)
	t.idempotency[key] = c
	return nil
}

// restore has the answer to a request be known.
func (c *idempotencyCache) restore(state []byte, now time.Time) error {
	var age uint32
	q, reply, wrong := &cachedRequest{}, &Reply{OK: true}, &Error{}
	if err := fields.Each(state, fieldRequestText, func(number uint64, value []byte) (err error) {
		switch number {
		case fieldRequestID:
			q.id = string(value)
		case fieldRequestFingerprint:
			err = fields.Put(&q.fingerprint, value)
		case fieldRequestAge:
			err = fields.Put(&age, value)
		case fieldRequestReply:
			reply.text = slices.Clone(value)
		case fieldRequestCode:
			wrong.Code = Code(value)
		case fieldRequestText:
			wrong.Text = string(value)
		}
		return err
	}); err != nil {
		return err
	}
	if wrong.Code != "" {
		reply = &Reply{Error: wrong}
	} else if reply.text == nil {
		return fields.ErrMalformed
	}
	if c.requests[q.id] != nil {
		return fields.ErrMalformed
	}
	q.at, q.reply = now.Add(-time.Duration(age)*time.Millisecond), reply
	c.requests[q.id] = q
	c.order = append(c.order, q)
	c.bytes += q.size()
	return nil
}

// The fields of a Watching.
const (
	fieldWatchTarget = 1
	fieldWatchMissed = 2 // events
	fieldWatchFull   = 3
)

// AppendState appends what the connection watches, and how many events it has missed.
func (w *Watching) AppendState(dst []byte) []byte {
	dst = fields.Begin(dst, stateVersion)
	dst = fields.Bytes(dst, fieldWatchTarget, w.target)
	dst = fields.Uint(dst, fieldWatchMissed, uint64(w.missed))
	return fields.Bool(dst, fieldWatchFull, w.full)
}

// RestoreWatching has a connection watch what it has watched in the predecessor: it is told events, and no answer. Of a
// connection that is watched the Hub has to be told before; where it has not crossed there is an error, as where the
// state cannot be understood. Stream.Begin is called as for the command. The state is on loan until it returns.
func (t *Table[C]) RestoreWatching(state []byte, by Caller) (*Watching, error) {
	state, err := fields.Open(state, stateVersion)
	if err != nil {
		return nil, err
	}
	w, missed, full := t.newWatching(by), uint32(0), uint8(0)
	if err := fields.Each(state, fieldWatchFull, func(number uint64, value []byte) (err error) {
		switch number {
		case fieldWatchTarget:
			w.target = push.Target(value)
		case fieldWatchMissed:
			err = fields.Put(&missed, value)
		case fieldWatchFull:
			err = fields.Put(&full, value)
		}
		return err
	}); err != nil {
		return nil, err
	}
	w.missed, w.full = int(missed), full != 0
	if err := t.begin(w, by.Permit, func() {}); err != nil {
		return nil, err
	}
	return w, nil
}
