package command

import (
	"hash/crc32"
	"slices"
	"time"

	"github.com/lineman-go/lineman/internal/jsontext"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/events"
)

// Options are what a Table needs beside the Hub.
type Options struct {
	// Revoke has the credentials of a uid that were issued up to an instant be refused, after a restart too. It returns
	// at once, and calls done on the loop of the Hub when that is sure. Then all nodes are told. nil means that there
	// is no such command.
	Revoke func(uid string, at time.Time, done func(error))

	// TooLarge is told with an error that is push.ErrTooLarge, such as what the limit is called where it can be
	// changed. Empty: nothing.
	TooLarge string

	// Dispatcher is what listeners get their events of; nil means that there are none, and no such commands.
	Dispatcher *events.Dispatcher

	// Reply gives a page what a back end answers to its call. It calls done on the loop of the Hub: with ErrNoCall if
	// nobody waits for it. Required with a Dispatcher.
	Reply func(call string, a CallAnswer, done func(error))

	// Watch is that of several Hubs together; nil means the Hub's. Its functions are called on the loop of the Hub.
	Watch func(w push.Watch, began func()) (stop func(), err error)

	// NoHistory is told with an error that is push.ErrNoHistory, in the same way, and NoPresence with one that is
	// push.ErrNoPresence.
	NoHistory, NoPresence string
}

// Table runs commands on a Hub. Owned by the loop of the Hub.
type Table[C push.Conn] struct {
	hub     *push.Hub[C]
	options Options
	rows    map[string]*row[C]
	order   []*row[C]
	// idempotency caches by the names of keys, so that none makes the server forget what others have asked.
	idempotency map[string]*idempotencyCache
	watching    int            // connections that watch
	to          [1]push.Target // of the plain line, or request, at hand
	parsed      jsontext.Object
	scratch     Request           // a plain one at hand
	last        *row[C]           // of the last one; nil: there was none
	lastTo      push.Target       // that the last one named
	free        []*publication[C] // that are not under way
}

// row is a command.
type row[C push.Conn] struct {
	name    string
	scope   Scope
	does    string   // for the description
	needs   []string // fields without which it is wrong
	fields  []string // that it takes beside cmd and id, those that it needs first
	answers []string // fields of its Reply beside ok and error
	lists   bool     // its answer grows with what is there
	streams bool     // its answer is followed by events: it is for lines only
	drops   bool     // it needs its Request no longer when run has returned
	run     func(t *Table[C], q *Request, done func(Reply))

	takesPlain, needsPlain fieldSet // of fields and needs
}

func (r *row[C]) takes(field string) bool {
	return field == "cmd" || field == "id" || slices.Contains(r.fields, field)
}

// New makes the Table of a Hub.
func New[C push.Conn](hub *push.Hub[C], o Options) *Table[C] {
	t := &Table[C]{
		hub: hub, options: o, rows: make(map[string]*row[C]), idempotency: make(map[string]*idempotencyCache),
	}
	for _, r := range rows[C]() {
		if r.name == "revoke" && o.Revoke == nil || r.scope == Listen && o.Dispatcher == nil {
			continue
		}
		r.takesPlain, r.needsPlain = plainFields(r.fields), plainFields(r.needs)
		t.rows[r.name] = r
		t.order = append(t.order, r)
	}
	return t
}

// Names are those of the commands, in the order of the documentation.
func (t *Table[C]) Names() (names []string) {
	for _, r := range t.order {
		names = append(names, r.name)
	}
	return names
}

// Do runs a Request, given as a JSON object of which nothing is kept. done is called on the loop with the answer,
// perhaps before Do returns. cmd names the command if the object does not.
//
// The result is true if what the back end asks for next has to wait for the answer, which has not been given yet: the
// command changes who gets what, and the next goes by the change, or its answer may be long, and there is to be one of
// them at a time.
func (t *Table[C]) Do(text []byte, cmd string, by Caller, done func(Reply)) (wait bool) {
	defer t.parsed.Forget()
	o, err := parseObject(text, &t.parsed)
	if err != nil {
		done(t.refuse(&Request{Cmd: cmd, by: by}, err))
		return false
	}
	return t.do(o, cmd, by, done)
}

// do is Do with a text that was checked.
func (t *Table[C]) do(o object, cmd string, by Caller, done func(Reply)) (wait bool) {
	q, r, err := t.parse(o, cmd)
	if err != nil {
		done(t.refuse(&Request{Cmd: cmd, by: by}, err))
		return false
	}
	q.by = by
	if err := t.permits(q, r); err != nil {
		done(t.refuse(q, err))
		return false
	}
	if r.scope != Manage && !r.lists {
		t.run(o, q, r, done)
		return false
	}
	answered := false
	t.run(o, q, r, func(reply Reply) { answered = true; done(reply) })
	return !answered
}

// permits tells whether who asks may do so.
func (t *Table[C]) permits(q *Request, r *row[C]) error {
	if q.by.Permit == nil {
		return nil
	}
	about := q.about()
	if r.scope == Listen { // what a listener asks for is narrowed to what its key is for
		about = nil
	}
	return q.by.Permit.check(r.scope, about)
}

// run runs a request that is right, unless it was done before.
func (t *Table[C]) run(o object, q *Request, r *row[C], done func(Reply)) {
	answer := done
	switch {
	case r.streams: // what comes again begins again
	case r.scope == Read: // what only tells may be asked again
		answer = func(reply Reply) { done(reply.bounded()) }
	case q.ID != "":
		answer = t.idempotencyFor(q.by.Permit).begin(q.ID, fingerprint(o, q.Cmd), time.Now(), done)
	}
	if answer != nil {
		r.run(t, q, answer)
	}
}

// refuse is the answer to a request of which nothing was done. The debug log is told.
func (t *Table[C]) refuse(q *Request, err error) Reply {
	t.hub.Trace().Refusal(q.by.From, q.Cmd, q.To, err)
	return t.failed(err)
}

// idempotencyFor is the cache of a key.
func (t *Table[C]) idempotencyFor(p *Permit) *idempotencyCache {
	name := p.name()
	c := t.idempotency[name]
	if c == nil {
		c = &idempotencyCache{}
		t.idempotency[name] = c
	}
	return c
}

// fingerprint tells requests with the same id apart: by their command and the values of their fields, in any order. It
// is the same in every process, as answers cross to a successor. It is for mistakes: who makes two requests that have
// one gets the answer of the first.
func fingerprint(text object, cmd string) (sum uint64) {
	for name, value := range text.fields() {
		if string(name) != "cmd" && string(name) != "id" {
			sum += checksum(name, value)
		}
	}
	for _, c := range []byte(cmd) { // FNV-1a
		sum = (sum ^ uint64(c)) * 0x100000001b3
	}
	return sum
}

// checksum is that of a field: two of 32 bits, for which processors have instructions.
func checksum(name, value []byte) uint64 {
	a := crc32.Update(crc32.Update(^uint32(len(name)), crc32.IEEETable, name), crc32.IEEETable, value)
	b := crc32.Update(crc32.Update(^uint32(len(name)), castagnoli, name), castagnoli, value)
	return uint64(a)<<32 | uint64(b)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// about are the targets that a request names.
func (q *Request) about() []push.Target {
	about := []push.Target(slices.Clip(q.To))
	if q.UID != "" {
		about = append(about, push.UID(string(q.UID)))
	}
	for _, uid := range q.UIDs {
		about = append(about, push.UID(string(uid)))
	}
	if q.Group != "" {
		about = append(about, push.Group(q.Group))
	}
	if q.Channel != "" {
		about = append(about, push.Channel(q.Channel))
	}
	if len(about) == 0 {
		about = append(about, push.Everyone)
	}
	return about
}
