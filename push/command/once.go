package command

import "time"

const (
	onceTime = 5 * time.Minute // in which a request with the same id is the same
	onceMost = 100_000         // ids that are known at a time; the oldest is forgotten for a newer one
	onceRoom = 32 << 20        // and bytes that they take, about
)

// errOtherID is the answer to a request with the id of another one: to be answered as that was it would be lost, to be
// done it may be done twice.
var errOtherID = invalid(`"id" is that of another request of the last five minutes: give each its own, and repeat ` +
	`one as it was`)

// once has a request that comes again, because its back end has not seen the answer, be answered as it was, and not
// done again. The zero value is ready for use. Owned by the loop.
type once struct {
	requests map[string]*asked
	order    []*asked // by time
	bytes    int      // that they take, about
}

// asked is a request with an id.
type asked struct {
	id      string
	print   uint64 // tells requests apart
	at      time.Time
	reply   *Reply        // nil until it is done
	waiting []func(Reply) // of those that came again meanwhile

	forgotten bool // its answer may still come, and counts for nothing
}

// size is what is kept for a request, about.
func (a *asked) size() int {
	size := 256 + len(a.id)
	if a.reply != nil && a.reply.Error != nil {
		size += len(a.reply.Error.Text)
	}
	return size
}

// begin returns what is to be called when the request is done; nil if the same one was asked before, whose answer done
// gets.
func (o *once) begin(id string, print uint64, now time.Time, done func(Reply)) func(Reply) {
	o.forget(now)
	if a := o.requests[id]; a != nil {
		switch {
		case a.print != print:
			done(Failed(errOtherID))
		case a.reply == nil:
			a.waiting = append(a.waiting, done)
		default:
			done(*a.reply)
		}
		return nil
	}
	a := &asked{id: id, print: print, at: now, waiting: []func(Reply){done}}
	if o.requests == nil {
		o.requests = make(map[string]*asked)
	}
	o.requests[id] = a
	o.order = append(o.order, a)
	o.bytes += a.size()
	return func(r Reply) {
		o.keep(a, &r)
		if r.Error != nil && r.Error.Code == Unavailable && o.requests[id] == a {
			delete(o.requests, id) // nothing was done: it may come again
		}
		for _, done := range a.waiting {
			done(r)
		}
		a.waiting = nil
	}
}

// keep has the answer of a request be known.
func (o *once) keep(a *asked, r *Reply) {
	before := a.size()
	if a.reply = r; !a.forgotten {
		o.bytes += a.size() - before
	}
}

// forget drops what is too old, or too much.
func (o *once) forget(now time.Time) {
	for len(o.order) > 0 && (len(o.order) >= onceMost || o.bytes >= onceRoom || now.Sub(o.order[0].at) >= onceTime) {
		a := o.order[0]
		if o.requests[a.id] == a {
			delete(o.requests, a.id)
		}
		o.bytes -= a.size()
		a.forgotten = true
		o.order[0] = nil
		o.order = o.order[1:]
	}
}
