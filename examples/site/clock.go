package main

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/lineman-go/lineman/protocol/http1"
)

// kept is how many events a client that comes back can catch up with.
const kept = 600

// clock tells the time by server-sent events, and to a client that comes back what it has missed.
type clock struct {
	ctx context.Context // ends the streams

	mu      sync.Mutex // guards the following
	last    int        // number of the last event
	events  []string   // the last ones
	changed chan struct{}
}

func newClock(ctx context.Context) *clock { return &clock{ctx: ctx, changed: make(chan struct{})} }

func (c *clock) tick(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	c.events = append(c.events, now.Format(time.TimeOnly))
	c.events = c.events[max(0, len(c.events)-kept):]
	close(c.changed)
	c.changed = make(chan struct{})
}

// since are the events after one, the number of the last, and what is closed when there are more.
func (c *clock) since(id int) (events []string, last int, more <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(max(c.last-id, 0), len(c.events))
	return c.events[len(c.events)-n:], c.last, c.changed
}

func (c *clock) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	seen, err := strconv.Atoi(r.Header.Get("Last-Event-ID"))
	if err != nil {
		_, seen, _ = c.since(0) // a new client begins now
	}
	h := w.Header()
	h.Set("Content-Type", http1.EventType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	for {
		events, last, more := c.since(seen)
		var stream []byte
		for i, text := range events {
			e := http1.Event{ID: strconv.Itoa(last - len(events) + 1 + i), Retry: time.Second, Data: []byte(text)}
			stream, _ = e.Append(stream) // a number and a time are fine
		}
		seen = last
		if _, err := w.Write(stream); err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-more:
		case <-r.Context().Done():
			return
		case <-c.ctx.Done():
			return
		}
	}
}
