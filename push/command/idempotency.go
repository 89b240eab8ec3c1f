package command

import "time"

const (
	idempotencyTime = 5 * time.Minute // in which a request with the same id is the same
	maxCached       = 100_000         // ids that are known at a time; the oldest is forgotten for a newer one
	maxCachedBytes  = 32 << 20        // and bytes that they take, about
)

// errOtherID is the answer to a request with the id of another request. If it got that answer, it would be lost; if it
// were run, one that was repeated with a change could be done twice.
var errOtherID = invalid(`"id" is that of another request of the last five minutes: give each its own, and repeat ` +
	`one as it was`)

// idempotencyCache is the idempotency cache of a key: a request that comes again with the same id, because its back end
// has not seen the answer, is answered as it was, and not done again. The zero value is ready for use. Owned by the
// loop.
type idempotencyCache struct {
	requests map[string]*cachedRequest
	order    []*cachedRequest // by time
	bytes    int              // that they take, about
}

// cachedRequest is a request with an idempotency key, its id, and the answer.
type cachedRequest struct {
	id          string
	fingerprint uint64 // tells requests apart
	at          time.Time
	reply       *Reply        // nil until it is done
	waiting     []func(Reply) // of those that came again meanwhile

	forgotten bool // its answer may still come, and counts for nothing
}

// size is what is kept for a request, about.
func (q *cachedRequest) size() int {
	size := 256 + len(q.id)
	if q.reply == nil {
		return size
	}
	if q.reply.Error != nil {
		size += len(q.reply.Error.Text)
	}
	for target := range q.reply.Pos {
		size += 128 + len(target)
	}
	return size + len(q.reply.text)
}

// begin returns what to call when the request is done. It returns nil if the same request was asked before: then done
// gets its answer.
func (c *idempotencyCache) begin(id string, fingerprint uint64, now time.Time, done func(Reply)) func(Reply) {
	c.forget(now)
	if q := c.requests[id]; q != nil {
		switch {
		case q.fingerprint != fingerprint:
			done(Failed(errOtherID))
		case q.reply == nil:
			q.waiting = append(q.waiting, done)
		default:
			done(*q.reply)
		}
		return nil
	}
	q := &cachedRequest{id: id, fingerprint: fingerprint, at: now, waiting: []func(Reply){done}}
	if c.requests == nil {
		c.requests = make(map[string]*cachedRequest)
	}
	c.requests[id] = q
	c.order = append(c.order, q)
	c.bytes += q.size()
	return func(r Reply) {
		c.keep(q, &r)
		if r.Error != nil && r.Error.mayPass() && c.requests[id] == q {
			delete(c.requests, id) // nothing was done: it may come again
		}
		for _, done := range q.waiting {
			done(r)
		}
		q.waiting = nil
	}
}

// keep has the answer of a request be known.
func (c *idempotencyCache) keep(q *cachedRequest, r *Reply) {
	before := q.size()
	if q.reply = r; !q.forgotten {
		c.bytes += q.size() - before
	}
}

// forget drops what is too old, or too much.
func (c *idempotencyCache) forget(now time.Time) {
	for len(c.order) > 0 &&
		(len(c.order) >= maxCached || c.bytes >= maxCachedBytes || now.Sub(c.order[0].at) >= idempotencyTime) {
		q := c.order[0]
		if c.requests[q.id] == q {
			delete(c.requests, q.id)
		}
		c.bytes -= q.size()
		q.forgotten = true
		c.order[0] = nil
		c.order = c.order[1:]
	}
}
