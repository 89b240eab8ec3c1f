package server

import "testing"

// TestBudget has what waits be counted when it may be more than an eighth above what is allowed, and not before.
func TestBudget(t *testing.T) {
	const most, message = 8000, 100
	var b budget
	if !b.spend(message) {
		t.Error("what waited at the start is never counted")
	}
	for _, waits := range []int{0, most / 2, most} {
		b.counted(waits, most)
		sent := 0
		for sent += message; !b.spend(message); sent += message {
			if waits+sent > most*9/8 {
				t.Fatalf("with %d that wait, %d bytes were sent and not counted", waits, sent)
			}
		}
		if least := most*9/8 - waits; sent < least {
			t.Errorf("with %d that wait it is counted after %d bytes, want %d", waits, sent, least)
		}
		if b.spend(message) {
			t.Error("it is to be counted twice")
		}
	}
}
