package e2e

import (
	"reflect"
	"testing"
)

// The judge finds each fault that is planted, and nothing where there is none.
func TestJudgeOfSayings(t *testing.T) {
	first := func(n int) handling {
		return handling{by: "a", Type: "message", Conn: "c:1", UID: "p", Seq: uint64(n), Data: payload{"p", n}}
	}
	again := func(n int, by string) handling {
		e := first(n)
		e.by, e.Again = by, true
		return e
	}
	fault := func(e handling, change func(*handling)) handling { change(&e); return e }
	for _, test := range []struct {
		name string
		all  []handling
		want hearing
	}{
		{"as it should be", []handling{first(1), first(2), first(3)}, hearing{events: 3, distinct: 3}},
		{
			"a listener died",
			[]handling{first(1), first(2), again(1, "b"), again(2, "b"), again(3, "b")},
			hearing{events: 5, distinct: 3, doubles: 2},
		},
		{
			"the page said it again, and the first one came later",
			[]handling{
				fault(again(1, "b"), func(e *handling) { e.Conn, e.Seq = "c:2", 9 }), first(1), first(2), first(3),
			},
			hearing{events: 4, distinct: 3, doubles: 1},
		},
		{
			"one that was refused is missing", []handling{first(1), first(2), first(3)},
			hearing{events: 3, distinct: 3},
		},
		{"one is missing", []handling{first(1), first(3)}, hearing{events: 2, distinct: 2, missing: 1}},
		{
			"one is doubled",
			[]handling{first(1), first(2), fault(first(2), func(e *handling) { e.by = "b" }), first(3)},
			hearing{events: 4, distinct: 3, doubles: 1, unmarked: 1},
		},
		{
			"the request that was cut is handled last",
			[]handling{first(1), again(2, "a"), first(3), first(2)},
			hearing{events: 4, distinct: 3, doubles: 1},
		},
		{
			"two are turned around", []handling{first(2), fault(first(1), func(e *handling) { e.by = "b" }), first(3)},
			hearing{events: 3, distinct: 3, disordered: 1},
		},
		{
			"the seq goes back",
			[]handling{
				fault(first(1), func(e *handling) { e.Seq = 2 }), fault(first(2), func(e *handling) { e.Seq = 1 }),
				first(3),
			},
			hearing{events: 3, distinct: 3, disordered: 1},
		},
		{
			"another speaks",
			[]handling{first(1), fault(first(2), func(e *handling) { e.UID = "q" }), first(2), first(3)},
			hearing{events: 4, distinct: 3, wrong: 1},
		},
		{
			"nobody said it",
			[]handling{first(1), first(2), first(3), fault(first(3), func(e *handling) { e.Data.N = 9 })},
			hearing{events: 4, distinct: 3, wrong: 1},
		},
		{
			"it is another kind",
			[]handling{first(1), first(2), first(3), fault(first(3), func(e *handling) { e.Type = "rpc" })},
			hearing{events: 4, distinct: 3, wrong: 1},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSayings()
			for range 4 {
				s.next("p")
			}
			for n := range 3 {
				s.answered(payload{"p", n + 1}, 0)
			}
			s.answered(payload{"p", 4}, 503)
			got := s.judge(test.all)
			faults := test.want.missing + test.want.unmarked + test.want.disordered + test.want.wrong
			if len(got.complaints) != faults {
				t.Errorf("it complains of %q", got.complaints)
			}
			got.complaints = nil
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
}
