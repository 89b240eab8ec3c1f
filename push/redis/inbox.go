package redis

import "sync"

// arrival is a message that has come.
type arrival struct {
	pair    *pair // over which
	channel string
	payload string
}

// inbox is the receive queue: what has come and waits for the loop.
type inbox struct {
	mu         sync.Mutex // guards the following, and over of every pair
	items      []arrival
	spare      []arrival   // to be filled next
	waiting    int         // bytes
	forwarding *forwarding // takes everything; nil: it waits for the loop
}

// put takes a message. first says that the loop has to be told. ok is false if there are too many.
func (i *inbox) put(a arrival) (first, ok bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if a.pair.over {
		return false, true // its end was told: what still comes is lost on the way
	}
	if i.forwarding != nil {
		i.forwarding.take(a)
		return false, true
	}
	if i.waiting > maxWaiting {
		return false, false
	}
	i.items = append(i.items, a)
	i.waiting += len(a.channel) + len(a.payload)
	return len(i.items) == 1, true
}

// forward has a forwarding take what has come, and all that will come.
func (i *inbox) forward(q *forwarding) {
	i.mu.Lock()
	defer i.mu.Unlock()
	items := i.items
	i.items, i.waiting, i.forwarding = nil, 0, q
	for _, a := range items {
		q.take(a)
	}
}

// take gives what has come. The caller gives the slice back by recycle.
func (i *inbox) take() []arrival {
	i.mu.Lock()
	defer i.mu.Unlock()
	items := i.items
	i.items, i.spare, i.waiting = i.spare, nil, 0
	return items
}

// recycle takes back what has been gone through.
func (i *inbox) recycle(items []arrival) {
	const most = 4096 // items that are kept
	if cap(items) > most {
		return
	}
	clear(items)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.spare = items[:0]
}

// end has nothing more come over a pair.
func (i *inbox) end(p *pair) {
	i.mu.Lock()
	defer i.mu.Unlock()
	p.over = true
}

// size is how many bytes have come and were not taken.
func (i *inbox) size() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.waiting
}
