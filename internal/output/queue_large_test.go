package output_test

import (
	"bytes"
	"testing"

	"github.com/lineman-go/lineman/internal/buffer"
	"github.com/lineman-go/lineman/internal/output"
)

// TestLend has a large message written from where it lies, with what is around it, and what is left of it copied.
func TestLend(t *testing.T) {
	const before, after = "header", "end"
	msg := bytes.Repeat([]byte("message "), 20<<10)
	whole := before + string(msg) + after
	for _, taken := range []int{0, 1, 6, 7, 100, len(whole) - 4, len(whole) - 3, len(whole) - 1, len(whole)} {
		var memory buffer.Pool
		q := output.Get()
		say(q, before)
		lent := bytes.Clone(msg)
		q.Lend(lent)
		say(q, after)
		parts := q.Parts(q.Head(nil))
		if len(parts) != 3 || &parts[1][0] != &lent[0] || string(bytes.Join(parts, nil)) != whole {
			t.Fatalf("%d parts, want three, and the message where it lies", len(parts))
		}
		q.Advance(taken)
		q.Keep(&memory)
		clear(lent)
		say(q, "more")
		if got, want := all(q), whole[taken:]+"more"; got != want {
			t.Errorf("after %d bytes: %d bytes are left, want %d, or they are others", taken, len(got), len(want))
		}
		q.Release()
		if kept, want := memory.Kept() > 0, taken < len(whole)-68<<10; kept != want {
			t.Errorf("after %d bytes: memory came back: %v, want %v", taken, kept, want)
		}
	}
}

// TestParts has none where one call can write what there is without them.
func TestParts(t *testing.T) {
	q, want := parts()
	defer q.Release()
	if got := q.Parts(q.Head(make([]byte, 100))); got != nil {
		t.Errorf("%q, though it all was gathered", got)
	}
	q.Advance(2)
	if got := string(bytes.Join(q.Parts(q.Head(nil)), nil)); got != want[2:] {
		t.Errorf("%q, want %q", got, want[2:])
	}
	q.Advance(q.Len() - 1)
	if got := q.Parts(q.Head(nil)); got != nil {
		t.Errorf("%q, though there is one", got)
	}
	for range 20 {
		q.Share(bytes.Clone([]byte("frame")))
	}
	if got := len(q.Parts(q.Head(nil))); got != 8 {
		t.Errorf("%d parts, want 8 at the most", got)
	}
}

// TestRoom has large bytes of the connection's own appended without being moved, and their memory used again.
func TestRoom(t *testing.T) {
	var memory buffer.Pool
	q := output.Get()
	defer q.Release()
	say(q, "small")
	b := q.Room(&memory, 1<<20)
	if string(b) != "small" || cap(b) < len(b)+1<<20 {
		t.Fatalf("%q with room for %d", b, cap(b))
	}
	q.SetTail(append(b, make([]byte, 1<<20)...))
	if q.Len() != 5+1<<20 {
		t.Errorf("Len is %d", q.Len())
	}
	q.Advance(q.Len())
	if memory.Kept() != cap(b) {
		t.Errorf("%d bytes came back, want %d", memory.Kept(), cap(b))
	}
	if b := q.Room(&memory, 1<<20); len(b) != 0 || memory.Kept() != 0 {
		t.Error("the memory is not used again")
	}
	if b := q.Room(&memory, 100); cap(b) > 64<<10 {
		t.Errorf("%d bytes for a small message", cap(b))
	}
}

// TestRoomMoves has what waits stay as it is when room for more has moved it, though nothing is appended then: the
// memory that it was in is somebody else's.
func TestRoomMoves(t *testing.T) {
	var memory buffer.Pool
	q := output.Get()
	defer q.Release()
	q.SetTail(append(q.Room(&memory, 64<<10), "waits"...))
	q.Room(&memory, 1<<20)
	if memory.Kept() == 0 {
		t.Fatal("it was not moved")
	}
	copy(memory.Get(64 << 10)[:5], "other")
	if got := all(q); got != "waits" {
		t.Errorf("%q waits", got)
	}
}

// TestOthersMemory has the memory of senders, and what other queues hold too, not be given to the pool, though it is of
// a size that a pool has.
func TestOthersMemory(t *testing.T) {
	others := func() []byte { return make([]byte, 72<<10) }
	for name, add := range map[string]func(q *output.Queue){
		"lent":   func(q *output.Queue) { q.Lend(others()) },
		"shared": func(q *output.Queue) { q.Share(others()) },
	} {
		var memory buffer.Pool
		q := output.Get()
		own := q.Room(&memory, 1<<20)
		q.SetTail(append(own, make([]byte, 1<<20)...))
		add(q)
		add(q)
		q.Advance(q.Len() - 10)
		q.Release()
		if memory.Kept() != cap(own) {
			t.Errorf("%s: %d bytes are free, want those of the queue's own: %d", name, memory.Kept(), cap(own))
		}
	}
}
