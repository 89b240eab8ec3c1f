package lineman

import (
	"slices"
	"sync"
)

// A Bus carries values between loops: each loop that has joined gets all of them, in one order. The zero value is ready
// for use. It must not be copied.
//
//	var said lineman.Bus[string] // for all loops
//
//	PerLoop: func(w *lineman.Worker) {
//		w.OnStart = func(l *lineman.Loop) error {
//			said.Join(l, func(text string) { l.Broadcast(l.Conns(w), []byte(text)) })
//			return nil
//		}
//		w.OnMessage = func(c *lineman.Conn, msg []byte) { said.Publish(string(msg)) }
//	}
//
// Loops share what a value points to: nobody may change it once it was published. What waits for a loop has no bound,
// as with Loop.Do: who publishes more than the slowest loop can take fills memory.
type Bus[T any] struct {
	mu      sync.Mutex // guards members, what waits for them, and so the order
	members []*busMember[T]
}

// busMember is a loop that has joined.
type busMember[T any] struct {
	loop    *Loop
	receive func(T)
	waiting []T // guarded by the bus

	// Owned by the loop.
	taken  []T // what waited when it came round; an empty one for the next time between
	at     int // of taken, what is received next
	next   func()
	gather func()
}

// Join calls receive on loop l with each value that is published from now on, until the loop ends. It may be called
// from any goroutine. A loop that joins twice gets everything twice.
func (b *Bus[T]) Join(l *Loop, receive func(T)) {
	m := &busMember[T]{loop: l, receive: receive}
	m.next = func() {
		m.at++
		m.receive(m.taken[m.at-1])
	}
	m.gather = func() { b.deliver(m) }
	b.mu.Lock()
	defer b.mu.Unlock()
	b.members = append(b.members, m)
}

// Publish gives v to every loop that has joined, the one it is called on too: there after the callback under way. It
// returns at once, and is for any goroutine. What a loop has not received when it ends is lost, as with Loop.Do.
func (b *Bus[T]) Publish(v T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.members = slices.DeleteFunc(b.members, func(m *busMember[T]) bool {
		m.waiting = append(m.waiting, v)
		return len(m.waiting) == 1 && !m.loop.Do(m.gather)
	})
}

// deliver gives a loop what waits for it. A panic in one receive does not keep the others from it.
func (b *Bus[T]) deliver(m *busMember[T]) {
	b.mu.Lock()
	m.taken, m.waiting = m.waiting, m.taken
	b.mu.Unlock()
	for m.at = 0; m.at < len(m.taken); {
		m.loop.call(inDo, m.next)
	}
	clear(m.taken)
	if m.taken = m.taken[:0]; cap(m.taken) > keepWaiting {
		m.taken = nil
	}
}

// keepWaiting is how many values a loop keeps room for between two ticks.
const keepWaiting = 1024
