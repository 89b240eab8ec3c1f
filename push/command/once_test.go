package command

import (
	"fmt"
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
	first := o.begin("a", now, ask("first"))
	if again := o.begin("a", now, ask("second")); first == nil || again != nil {
		t.Fatal("the second was to be done too, or the first was not")
	}
	if other := o.begin("b", now, ask("other")); other == nil {
		t.Error("another id was taken for the same")
	}
	first(reached(1))
	if again := o.begin("a", now.Add(onceTime-1), ask("third")); again != nil {
		t.Error("the third was to be done too")
	}
	if want := "[first false second false third false]"; fmt.Sprint(got) != want {
		t.Errorf("the answers are %v, want %s", got, want)
	}
	if late := o.begin("a", now.Add(onceTime), ask("late")); late == nil {
		t.Error("an id is known for too long")
	}
	for i := range 2 * onceMost {
		o.begin(fmt.Sprint(i), now.Add(onceTime), func(Reply) {})
	}
	if len(o.requests) != len(o.order) || len(o.order) > onceMost {
		t.Errorf("%d ids are known, in %d places", len(o.requests), len(o.order))
	}
}
