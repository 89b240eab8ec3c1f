package client

import (
	"errors"
	"sync"
)

// ErrBehind is the error of a request whose answer is behind more messages than the client may hold for its handlers:
// they are too slow, or the request was made by a handler while very much came.
var ErrBehind = errors.New("client: the answer is behind too many messages that wait for the handlers")

// Bounds of what waits for the handlers, in bytes.
const (
	queueRoom    = 1 << 20       // more is not read
	queueHurried = 8 * queueRoom // more is not read while somebody waits for an answer
	queueEntry   = 256           // what is counted for an entry beside its data
)

// queue is what waits for the handlers, in order. It is bounded: put waits for room. As what somebody waits for may be
// behind it, perhaps a handler, there is more room as long as anybody does.
type queue struct {
	mu      sync.Mutex // guards the following
	changed sync.Cond
	entries []entry
	bytes   int
	waiting int           // requests that wait for an answer
	behind  chan struct{} // closed when these have to give up
	over    bool          // nothing is put any more
}

type entry struct {
	tell  func()
	bytes int
}

func newQueue() *queue {
	q := &queue{behind: make(chan struct{})}
	q.changed.L = &q.mu
	return q
}

// put has tell be called when all that was put before has been. It waits for room.
func (q *queue) put(bytes int, tell func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.over && q.bytes >= q.roomLocked() {
		if q.waiting > 0 {
			close(q.behind)
			q.behind, q.waiting = make(chan struct{}), 0
		}
		q.changed.Wait()
	}
	if q.over {
		return
	}
	e := entry{tell, bytes + queueEntry}
	q.entries = append(q.entries, e)
	q.bytes += e.bytes
	q.changed.Broadcast()
}

// roomLocked is how much may wait now.
func (q *queue) roomLocked() int {
	if q.waiting > 0 {
		return queueHurried
	}
	return queueRoom
}

// hurry is called by who waits for an answer, and done when it has come. behind is closed if it cannot come.
func (q *queue) hurry() (behind <-chan struct{}, done func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	mine := q.behind
	q.waiting++
	q.changed.Broadcast()
	return mine, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.behind == mine {
			q.waiting--
		}
	}
}

// run calls what is put, until the queue is over and empty.
func (q *queue) run() {
	for {
		e, ok := q.take()
		if !ok {
			return
		}
		e.tell()
	}
}

// take waits for the next entry.
func (q *queue) take() (e entry, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.entries) == 0 && !q.over {
		q.changed.Wait()
	}
	if len(q.entries) == 0 {
		return e, false
	}
	e, q.entries[0] = q.entries[0], entry{}
	q.entries = q.entries[1:]
	q.bytes -= e.bytes
	q.changed.Broadcast()
	return e, true
}

// end has nothing be put any more.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.over = true
	q.changed.Broadcast()
}

// drop is end, and forgets what waits.
func (q *queue) drop() {
	q.mu.Lock()
	q.entries, q.bytes = nil, 0
	q.mu.Unlock()
	q.end()
}
