package redis

import "sync"

// calls are functions that wait for the loop of a link. While that stands still, whoever has it runs them.
type calls struct {
	do   func(func()) bool // leads to the loop
	stir func()            // tells who has it

	mu      sync.Mutex // guards the following
	waiting []func()
}

// put has one wait. It returns false if the loop has ended.
func (c *calls) put(f func()) bool {
	c.mu.Lock()
	c.waiting = append(c.waiting, f)
	first := len(c.waiting) == 1
	c.mu.Unlock()
	c.stir()
	return !first || c.do(c.run)
}

// run runs those that wait, on the loop or in place of it. If one panics, the rest is run later.
func (c *calls) run() {
	c.mu.Lock()
	waiting := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	done := 0
	defer func() {
		if done < len(waiting) {
			c.again(waiting[done:])
		}
	}()
	for done < len(waiting) {
		done++
		waiting[done-1]()
	}
}

// again has some wait before all others.
func (c *calls) again(rest []func()) {
	c.mu.Lock()
	first := len(c.waiting) == 0
	c.waiting = append(rest, c.waiting...)
	c.mu.Unlock()
	if first {
		c.do(c.run)
	}
}
