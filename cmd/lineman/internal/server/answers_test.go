package server

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestAnswers sends each answer once, in the order of the lines, however they come to be known.
func TestAnswers(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		var a answers
		var waiting []int
		var got, want []string
		send := func(text []byte) bool {
			if random.IntN(4) == 0 { // it is not read for a while
				return false
			}
			got = append(got, string(text))
			return true
		}
		loan := make([]byte, 0, 16)
		for i := range 500 {
			n := a.expect()
			waiting = append(waiting, n)
			want = append(want, fmt.Sprint(n))
			for len(waiting) > 0 && (random.IntN(3) > 0 || i == 499) {
				at := random.IntN(len(waiting))
				loan = fmt.Append(loan[:0], waiting[at])
				a.settle(waiting[at], loan, send)
				waiting = slices.Delete(waiting, at, at+1)
			}
		}
		for a.len() > 0 {
			a.flush(send)
		}
		if !slices.Equal(got, want) || a.len() != 0 {
			t.Fatalf("seed %d: the answers are %v, and %d are left", seed, got, a.len())
		}
	}
}

// TestAnswersAllocation keeps nothing of an answer that is known at once.
func TestAnswersAllocation(t *testing.T) {
	var a answers
	text := []byte("ok")
	if n := testing.AllocsPerRun(1000,
		func() { a.settle(a.expect(), text, func([]byte) bool { return true }) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
