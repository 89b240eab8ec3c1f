package hook

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A Decider asks the back end behind a hook to decide. Its methods are for the loop only, and return at once: what they
// are given as done is called on the loop, later and once.
//
//	question ── kept from before? ── yes ──▶ done
//	   │ no
//	   ├── the same is under way, and may be asked once: it waits for that answer ──▶ done
//	   ▼
//	a place? ── no: it waits, for half of the time limit ──▶ a place ──▶ breaker ──▶ POST ──▶ checked ──▶ done
type Decider struct {
	o       DeciderOptions
	breaker breaker
	kept    answers
	asked   map[key]*question // under way or waiting, for those like them
	waiting []*question       // for a place, in the order in which they came
	bytes   int               // of those
	timed   bool              // a timer runs for the first of them
	over    bool              // nothing is asked any more
	stats   DeciderStats
}

// DeciderOptions are what a Decider needs.
type DeciderOptions struct {
	// Ask posts a question, and returns the body of an answer 200. It is called on goroutines, at most Most at a time.
	Ask func(ctx context.Context, question []byte) (answer []byte, err error)

	Context context.Context             // ends what is under way; nil: context.Background()
	Do      func(func())                // calls a function on the loop, from any goroutine
	After   func(time.Duration, func()) // calls one on the loop, later
	Now     func() time.Time            // nil: time.Now

	Timeout time.Duration // from a question to its answer; 0: 5 s
	Most    int           // questions under way at a time; 0: 64

	// Problem is told on the loop why there was no answer that could be used; nil: nobody is.
	Problem func(err error)
}

// DeciderStats count what was asked.
type DeciderStats struct {
	Asked    uint64 // posted
	Kept     uint64 // answered by an answer from before
	Joined   uint64 // answered by the answer to one like them, which was under way
	Refused  uint64 // answers that said no
	Wrong    uint64 // answers that could not be used
	Away     uint64 // questions without an answer that could be used, those included
	UnderWay int    // now
	Waiting  int    // for a place, now
	Open     bool   // the circuit breaker is open: nothing is asked for a while
}

// ErrAway says that the back end has not decided: it did not answer in time, or not what could be used.
var ErrAway = errors.New("hook: the application has not decided")

var (
	errLate = errors.New("no place in time: more is asked than the hook answers")
	errFull = errors.New("too many questions wait")
	errOpen = errors.New("it is not asked for a while, as it has failed several times in a row")
	errOver = errors.New("the successor of this process asks")
)

// WrongError is what Problem is told of an answer that cannot be used.
type WrongError struct {
	Ask string // what was asked
	Err error  // what to mend
}

func (e *WrongError) Error() string {
	return "hook: the answer to " + e.Ask + " is wrong: " + e.Err.Error()
}

func (e *WrongError) Unwrap() error { return e.Err }

// Bounds of a Decider.
const (
	mostAsked        = 64
	mostWaiting      = 10_000
	mostWaitingBytes = 16 << 20
	mostKept         = 10_000
	mostKeptBytes    = 16 << 20
	defaultTimeout   = 5 * time.Second
)

// NewDecider makes a Decider that has asked nothing.
func NewDecider(o DeciderOptions) *Decider {
	if o.Context == nil {
		o.Context = context.Background()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Most <= 0 {
		o.Most = mostAsked
	}
	if o.Problem == nil {
		o.Problem = func(error) {}
	}
	return &Decider{
		o: o, asked: make(map[key]*question), kept: answers{most: mostKept, mostBytes: mostKeptBytes},
	}
}

// Connect asks who a page is. The error is nil, a *Refusal, or wraps ErrAway. The Login must not be changed.
//
// An answer that says for how long it is good is given to whoever asks the same in this time, and to those who asked
// the same meanwhile. Any other answer is for this page alone, and so is each answer to a page that shows nothing by
// which it could be told from others.
func (d *Decider) Connect(q *Connect, done func(Login, error)) {
	d.ask(&question{
		kind: "connect", body: q.append(nil), key: keyOf(q.alike()), parse: parseConnect, alone: true,
		done: func(a *answer, err error) { done(a.login, err) },
	})
}

// Subscribe asks whether a page may. The error is as that of Connect. The answer is the same for all pages of a uid.
func (d *Decider) Subscribe(q *Subscribe, done func(error)) {
	alike := Subscribe{UID: q.UID, Channel: q.Channel}
	d.ask(&question{
		kind: "subscribe", body: q.append(nil), key: keyOf(string(alike.append(nil))), parse: parseSubscribe,
		done: func(_ *answer, err error) { done(err) },
	})
}

// Publish asks whether a page may. data replaces what it said, unless it is nil. With skip nothing is to be published:
// the back end has done it. The error is as that of Connect.
func (d *Decider) Publish(q *Publish, done func(data json.RawMessage, skip bool, err error)) {
	d.ask(&question{
		kind: "publish", body: q.append(nil), parse: parsePublish,
		done: func(a *answer, err error) { done(a.data, a.skip, err) },
	})
}

// RPC has the back end answer a page. The error is as that of Connect.
func (d *Decider) RPC(q *RPC, done func(data json.RawMessage, err error)) {
	d.ask(&question{
		kind: "rpc", body: q.append(nil), parse: parseRPC,
		done: func(a *answer, err error) { done(a.data, err) },
	})
}

// Forget forgets what was answered about who a uid is. Nor is what is under way kept, or given to who asks from now on.
func (d *Decider) Forget(uid string) {
	d.kept.forget(uid)
	for k, q := range d.asked {
		if q.alone {
			q.stale = true
			delete(d.asked, k)
		}
	}
}

// HandedOver has nothing be asked any more: the successor of the process asks what was not answered. What waits for a
// place, and what comes from now on, ends with ErrAway; what is under way is answered.
func (d *Decider) HandedOver() {
	d.over = true
	for len(d.waiting) > 0 {
		d.giveUp(d.shift(), errOver)
	}
}

// Stats tells how it goes.
func (d *Decider) Stats() DeciderStats {
	s := d.stats
	s.Waiting, s.Open = len(d.waiting), d.breaker.isOpen(d.o.Now())
	return s
}

// question is one that has no answer yet.
type question struct {
	kind  string
	body  []byte
	key   key // zero: its answer is given to nobody else
	parse func(text []byte, now time.Time) (*answer, error)
	alone bool // an answer that may not be kept is for it alone
	done  func(*answer, error)

	until  time.Time   // when it is given up
	behind []*question // those like it that wait for its answer
	stale  bool        // its answer may be given to nobody who asks from now on
}

func keyOf(alike string) key {
	if alike == "" {
		return key{}
	}
	return sha256.Sum256([]byte(alike))
}

// noAnswer is given with an error.
var noAnswer = &answer{}

// away is what is told who gets no answer.
func away(err error) error { return fmt.Errorf("%w: %w", ErrAway, err) }

// ask finds an answer for a question, or a place.
func (d *Decider) ask(q *question) {
	now := d.o.Now()
	q.until = now.Add(d.o.Timeout)
	if q.key == (key{}) {
		d.place(q, now)
		return
	}
	if a := d.kept.get(q.key, now); a != nil {
		d.stats.Kept++
		d.o.Do(func() { q.tell(a, nil) })
		return
	}
	if first := d.asked[q.key]; first != nil {
		first.behind = append(first.behind, q)
		return
	}
	d.asked[q.key] = q
	d.place(q, now)
}

// tell tells a question its answer.
func (q *question) tell(a *answer, err error) {
	switch {
	case err != nil:
		q.done(noAnswer, err)
	case a.refusal != nil:
		q.done(noAnswer, a.refusal)
	default:
		q.done(a, nil)
	}
}

// place posts a question if there is a place, or has it wait for one.
func (d *Decider) place(q *question, now time.Time) {
	switch {
	case d.over:
		d.giveUp(q, errOver)
	case d.stats.UnderWay < d.o.Most:
		d.post(q, now)
	case len(d.waiting) == mostWaiting || d.bytes+len(q.body) > mostWaitingBytes:
		d.giveUp(q, errFull)
	default:
		d.waiting = append(d.waiting, q)
		d.bytes += len(q.body)
		d.watch(now)
	}
}

// giveUp tells a question that there is no answer, later.
func (d *Decider) giveUp(q *question, why error) {
	d.o.Do(func() { d.end(q, nil, why) })
}

// isLate reports whether half of a question's time has gone without a place. What is posted has the other half: a back
// end that is asked too much is not taken for one that fails.
func (d *Decider) isLate(q *question, now time.Time) bool { return q.until.Sub(now) < d.o.Timeout/2 }

// post asks the back end.
func (d *Decider) post(q *question, now time.Time) {
	switch {
	case d.isLate(q, now):
		d.giveUp(q, errLate)
		return
	case !d.breaker.allow(now):
		d.giveUp(q, errOpen)
		return
	}
	d.stats.UnderWay++
	d.stats.Asked++
	limit := q.until.Sub(now)
	go func() {
		ctx, cancel := context.WithTimeout(d.o.Context, limit)
		defer cancel()
		text, failed := d.o.Ask(ctx, q.body)
		var a *answer
		var wrong error
		if failed == nil {
			if a, wrong = q.parse(text, d.o.Now()); wrong != nil {
				a, wrong = nil, &WrongError{q.kind, wrong}
			}
		}
		d.o.Do(func() { d.answered(q, a, failed, wrong) })
	}()
}

// answered takes the end of a request. A wrong answer comes from who is there: the breaker stays closed.
func (d *Decider) answered(q *question, a *answer, failed, wrong error) {
	d.stats.UnderWay--
	d.breaker.done(d.o.Now(), failed != nil)
	if wrong != nil {
		d.stats.Wrong++
	}
	if a != nil && a.refusal != nil {
		d.stats.Refused++
	}
	d.end(q, a, errors.Join(failed, wrong))
	d.next()
}

// end tells a question and those behind it what it was answered: a, or why there is nothing.
func (d *Decider) end(q *question, a *answer, why error) {
	now := d.o.Now()
	if d.asked[q.key] == q {
		delete(d.asked, q.key)
	}
	behind := q.behind
	q.behind = nil
	if why != nil {
		d.stats.Away += uint64(1 + len(behind))
		if !d.over {
			d.o.Problem(why)
		}
		why = away(why)
	} else if a.keep > 0 && q.key != (key{}) && !q.stale {
		d.kept.add(q.key, a, now)
	}
	q.tell(a, why)
	for _, other := range behind {
		if why == nil && q.alone && a.keep == 0 {
			d.place(other, now)
			continue
		}
		if why == nil {
			d.stats.Joined++
		}
		other.tell(a, why)
	}
}

// next gives places to those who wait.
func (d *Decider) next() {
	now := d.o.Now()
	for len(d.waiting) > 0 && d.stats.UnderWay < d.o.Most {
		d.post(d.shift(), now)
	}
}

// shift takes out the one that has waited for the longest.
func (d *Decider) shift() *question {
	q := d.waiting[0]
	d.waiting[0] = nil
	d.waiting = d.waiting[1:]
	d.bytes -= len(q.body)
	return q
}

// watch has those be given up in time who find no place. They wait in the order of their limits, but for those who have
// waited for the answer to another one before, which may be given up a little later.
func (d *Decider) watch(now time.Time) {
	if d.timed || len(d.waiting) == 0 {
		return
	}
	d.timed = true
	d.o.After(max(0, d.waiting[0].until.Sub(now)-d.o.Timeout/2+1), func() {
		d.timed = false
		now := d.o.Now()
		for len(d.waiting) > 0 && d.isLate(d.waiting[0], now) {
			d.giveUp(d.shift(), errLate)
		}
		d.watch(now)
	})
}
