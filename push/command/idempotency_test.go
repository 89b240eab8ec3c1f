package command

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestIdempotency does a request once, whoever repeats it, until it is forgotten.
func TestIdempotency(t *testing.T) {
	var c idempotencyCache
	now := time.Now()
	var got []string
	ask := func(who string) func(Reply) {
		return func(r Reply) { got = append(got, fmt.Sprint(who, " ", r.N == nil)) }
	}
	first := c.begin("a", 1, now, ask("first"))
	if again := c.begin("a", 1, now, ask("second")); first == nil || again != nil {
		t.Fatal("the second was to be done too, or the first was not")
	}
	if other := c.begin("b", 1, now, ask("other")); other == nil {
		t.Error("another id was taken for the same")
	}
	first(reached(1))
	if again := c.begin("a", 1, now.Add(idempotencyTime-1), ask("third")); again != nil {
		t.Error("the third was to be done too")
	}
	if want := "[first false second false third false]"; fmt.Sprint(got) != want {
		t.Errorf("the answers are %v, want %s", got, want)
	}
	if late := c.begin("a", 1, now.Add(idempotencyTime), ask("late")); late == nil {
		t.Error("an id is known for too long")
	}
	for i := range 2 * maxCached {
		c.begin(fmt.Sprint(i), 1, now.Add(idempotencyTime), func(Reply) {})
	}
	if len(c.requests) != len(c.order) || len(c.order) > maxCached {
		t.Errorf("%d ids are known, in %d places", len(c.requests), len(c.order))
	}
	bytes := 0
	for _, a := range c.order {
		bytes += a.size()
	}
	if bytes != c.bytes || bytes > maxCachedBytes {
		t.Errorf("%d bytes are kept, and %d counted", bytes, c.bytes)
	}
}

// TestIdempotencyBytes forgets the oldest requests when their answers take too much.
func TestIdempotencyBytes(t *testing.T) {
	var c idempotencyCache
	now := time.Now()
	text := strings.Repeat("x", 1<<20)
	for i := range 100 {
		c.begin(fmt.Sprint(i), 1, now, func(Reply) {})(Failed(invalid("%s", text)))
		if c.bytes > maxCachedBytes+len(text)+1000 {
			t.Fatalf("%d bytes are kept", c.bytes)
		}
	}
	if again := c.begin("99", 1, now, func(Reply) {}); again != nil {
		t.Error("the last one was forgotten")
	}
	if late := c.begin("0", 1, now, func(Reply) {}); late == nil {
		t.Error("the first one was not forgotten")
	}
	for range 2 { // one that is forgotten before its answer comes
		c.forget(now.Add(idempotencyTime))
	}
	if c.bytes != 0 || len(c.requests) != 0 {
		t.Errorf("%d bytes of %d requests are left", c.bytes, len(c.requests))
	}
}

// TestOtherRequest refuses a request with the id of another one.
func TestOtherRequest(t *testing.T) {
	var c idempotencyCache
	now := time.Now()
	c.begin("a", 1, now, func(Reply) {})
	var got Reply
	if again := c.begin("a", 2, now, func(r Reply) { got = r }); again != nil || got.Error == nil ||
		got.Error.Code != Invalid {
		t.Errorf("another request was answered %+v", got)
	}
}
