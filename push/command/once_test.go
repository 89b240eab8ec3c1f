package command

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestOnce does a request once, whoever repeats it, until it is forgotten.
func TestOnce(t *testing.T) {
	var o once
	now := time.Now()
	var got []string
	ask := func(who string) func(Reply) {
		return func(r Reply) { got = append(got, fmt.Sprint(who, " ", r.N == nil)) }
	}
	first := o.begin("a", 1, now, ask("first"))
	if again := o.begin("a", 1, now, ask("second")); first == nil || again != nil {
		t.Fatal("the second was to be done too, or the first was not")
	}
	if other := o.begin("b", 1, now, ask("other")); other == nil {
		t.Error("another id was taken for the same")
	}
	first(reached(1))
	if again := o.begin("a", 1, now.Add(onceTime-1), ask("third")); again != nil {
		t.Error("the third was to be done too")
	}
	if want := "[first false second false third false]"; fmt.Sprint(got) != want {
		t.Errorf("the answers are %v, want %s", got, want)
	}
	if late := o.begin("a", 1, now.Add(onceTime), ask("late")); late == nil {
		t.Error("an id is known for too long")
	}
	for i := range 2 * onceMost {
		o.begin(fmt.Sprint(i), 1, now.Add(onceTime), func(Reply) {})
	}
	if len(o.requests) != len(o.order) || len(o.order) > onceMost {
		t.Errorf("%d ids are known, in %d places", len(o.requests), len(o.order))
	}
	bytes := 0
	for _, a := range o.order {
		bytes += a.size()
	}
	if bytes != o.bytes || bytes > onceRoom {
		t.Errorf("%d bytes are kept, and %d counted", bytes, o.bytes)
	}
}

// TestOnceRoom forgets the oldest requests when their answers take too much.
func TestOnceRoom(t *testing.T) {
	var o once
	now := time.Now()
	text := strings.Repeat("x", 1<<20)
	for i := range 100 {
		o.begin(fmt.Sprint(i), 1, now, func(Reply) {})(Failed(invalid("%s", text)))
		if o.bytes > onceRoom+len(text)+1000 {
			t.Fatalf("%d bytes are kept", o.bytes)
		}
	}
	if again := o.begin("99", 1, now, func(Reply) {}); again != nil {
		t.Error("the last one was forgotten")
	}
	if late := o.begin("0", 1, now, func(Reply) {}); late == nil {
		t.Error("the first one was not forgotten")
	}
	for range 2 { // one that is forgotten before its answer comes
		o.forget(now.Add(onceTime))
	}
	if o.bytes != 0 || len(o.requests) != 0 {
		t.Errorf("%d bytes of %d requests are left", o.bytes, len(o.requests))
	}
}

// TestOtherRequest refuses a request with the id of another one.
func TestOtherRequest(t *testing.T) {
	var o once
	now := time.Now()
	o.begin("a", 1, now, func(Reply) {})
	var got Reply
	if again := o.begin("a", 2, now, func(r Reply) { got = r }); again != nil || got.Error == nil ||
		got.Error.Code != Invalid {
		t.Errorf("another request was answered %+v", got)
	}
}
