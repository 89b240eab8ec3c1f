package command

import "time"

const (
	onceTime = 5 * time.Minute // in which a request with the same id is the same
	onceMost = 100_000         // ids that are known at a time; the oldest is forgotten for a newer one
)

// once has a request that comes again, because its back end has not seen the answer, be answered as it was, and not done again.
// The zero value is ready for use. Owned by the loop.
type once struct {
	requests map[string]*asked
	order    []*asked // by time
}

// asked is a request with an id.
type asked struct {
	id      string
	at      time.Time
	reply   *Reply        // nil until it is done
	waiting []func(Reply) // of those that came again meanwhile
}

// begin returns what is to be called when the request is done; nil if another one with the id was asked before, whose answer done
// gets.
func (o *once) begin(id string, now time.Time, done func(Reply)) func(Reply) {
	o.forget(now)
	if a := o.requests[id]; a != nil {
		if a.reply == nil {
			a.waiting = append(a.waiting, done)
		} else {
			done(*a.reply)
		}
		return nil
	}
	a := &asked{id: id, at: now, waiting: []func(Reply){done}}
	if o.requests == nil {
		o.requests = make(map[string]*asked)
	}
	o.requests[id] = a
	o.order = append(o.order, a)
	return func(r Reply) {
		if a.reply = &r; r.Error != nil && r.Error.Code == Unavailable && o.requests[id] == a {
			delete(o.requests, id) // nothing was done: it may come again
		}
		for _, done := range a.waiting {
			done(r)
		}
		a.waiting = nil
	}
}

// forget drops what is too old, or too much.
func (o *once) forget(now time.Time) {
	for len(o.order) > 0 && (len(o.order) >= onceMost || now.Sub(o.order[0].at) >= onceTime) {
		if a := o.order[0]; o.requests[a.id] == a {
			delete(o.requests, a.id)
		}
		o.order[0] = nil
		o.order = o.order[1:]
	}
}
