package output_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lineman-go/lineman/internal/buffer"
	"github.com/lineman-go/lineman/internal/output"
	"github.com/lineman-go/lineman/linemantest"
)

// say appends bytes of the connection's own.
func say(q *output.Queue, text string) { q.SetTail(append(q.Tail(), text...)) }

// all is what waits, and empties the queue.
func all(q *output.Queue) string {
	var b []byte
	for q.Len() > 0 {
		head := q.Head(nil)
		b = append(b, head...)
		q.Advance(len(head))
	}
	return string(b)
}

// parts is a queue of own and shared bytes, in small segments, and what it holds.
func parts() (*output.Queue, string) {
	q := output.Get()
	block := []byte("one block of frames")
	say(q, "own ")
	q.Share(block[:4:len(block)])
	q.Share(block[10:12])
	say(q, "again ")
	say(q, "and again")
	q.Share([]byte("!"))
	return q, "own one ofagain and again!"
}

func TestOrder(t *testing.T) {
	q, want := parts()
	defer q.Release()
	if q.Len() != len(want) {
		t.Errorf("Len is %d, want %d", q.Len(), len(want))
	}
	if got := all(q); got != want || q.Len() != 0 {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestAdvance takes every prefix, then every prefix of the rest.
func TestAdvance(t *testing.T) {
	_, whole := parts()
	for first := range len(whole) {
		for second := range len(whole) - first {
			q, want := parts()
			q.Advance(first)
			q.Advance(second)
			if want = want[first+second:]; q.Len() != len(want) {
				t.Errorf("after %d and %d: Len is %d, want %d", first, second, q.Len(), len(want))
			}
			say(q, "more")
			if got := all(q); got != want+"more" {
				t.Errorf("after %d and %d: %q, want %q", first, second, got, want+"more")
			}
			q.Release()
		}
	}
}

// TestHead has as many segments written at once as the scratch memory holds, and always something.
func TestHead(t *testing.T) {
	for room, want := range map[int]string{
		0: "own ", 7: "own ", 8: "own one ", 9: "own one ", 10: "own one of",
		25: "own one ofagain and again", 100: "own one ofagain and again!",
	} {
		q, _ := parts()
		if got := string(q.Head(make([]byte, room))); got != want {
			t.Errorf("with room for %d: %q, want %q", room, got, want)
		}
		q.Advance(2)
		if got, rest := string(q.Head(make([]byte, max(room, 2)-2))), want[2:]; got != rest {
			t.Errorf("with room for %d, 2 bytes on: %q, want %q", room, got, rest)
		}
		q.Release()
	}
}

// TestShare has frames that lie side by side written at once, without a copy, and others not.
func TestShare(t *testing.T) {
	block := []byte("first second other")
	for _, c := range []struct {
		name   string
		frames [][]byte
		head   string
	}{
		{"side by side", [][]byte{block[:6], block[6:13]}, "first second "},
		{"with a gap", [][]byte{block[:6], block[13:]}, "first "},
		{"the same twice", [][]byte{block[:6], block[:6]}, "first "},
		{"in the other order", [][]byte{block[6:13], block[:6]}, "second "},
		{"of two blocks", [][]byte{block[13:], []byte("x")}, "other"},
		{"with no memory behind", [][]byte{block[:6:6], block[6:13]}, "first "},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := output.Get()
			defer q.Release()
			for _, f := range c.frames {
				q.Share(f)
			}
			head := q.Head(nil)
			if string(head) != c.head || &head[0] != &c.frames[0][0] {
				t.Errorf("%q, want %q, in the memory of the block", head, c.head)
			}
			if want := string(bytes.Join(c.frames, nil)); all(q) != want {
				t.Errorf("all of it is not %q", want)
			}
		})
	}
	if string(block) != "first second other" {
		t.Errorf("the block was changed: %q", block)
	}
}

// TestShared has nothing appended to a frame that others hold.
func TestShared(t *testing.T) {
	block := []byte("mine, and others'")
	frame := block[:5]
	q, other := output.Get(), output.Get()
	defer q.Release()
	defer other.Release()
	q.Share(frame)
	other.Share(frame)
	say(q, "more")
	if string(block) != "mine, and others'" || all(q) != "mine,more" || all(other) != "mine," {
		t.Errorf("the block is %q", block)
	}
}

// TestTail has own bytes follow each other in one segment, up to a size above which appending would copy much.
func TestTail(t *testing.T) {
	q := output.Get()
	defer q.Release()
	say(q, "a")
	say(q, "b")
	if got := string(q.Head(nil)); got != "ab" {
		t.Errorf("the first segment is %q", got)
	}
	say(q, string(make([]byte, 64<<10)))
	if q.Tail() != nil {
		t.Error("more would be appended to a large segment")
	}
	say(q, "c")
	if got, want := len(q.Head(nil)), 2+64<<10; got != want {
		t.Errorf("the first segment has %d bytes, want %d", got, want)
	}
	if got := all(q); got[len(got)-1] != 'c' {
		t.Errorf("it ends with %q", got[len(got)-1])
	}
}

// TestTailUnset has bytes that were appended and not stored leave no trace.
func TestTailUnset(t *testing.T) {
	q, want := parts()
	defer q.Release()
	say(q, "own")
	_ = append(q.Tail(), "forgotten"...)
	q.Share([]byte(" shared"))
	if got := all(q); got != want+"own shared" {
		t.Errorf("%q", got)
	}
	_ = append(q.Tail(), "forgotten"...)
	if q.Len() != 0 {
		t.Errorf("%d bytes wait", q.Len())
	}
}

// TestEmptied uses a queue on that has become empty: it keeps its memory, and none that others hold.
func TestEmptied(t *testing.T) {
	q := output.Get()
	defer q.Release()
	say(q, "own")
	memory := &q.Head(nil)[0]
	q.Advance(3)
	if b := q.Tail(); len(b) != 0 || cap(b) == 0 || &b[:1][0] != memory {
		t.Error("the memory of its own is gone")
	}
	frame := []byte("frame, and room")[:5]
	q.Share(frame)
	q.Advance(len(frame))
	if b := q.Tail(); cap(b) > 0 && &b[:1][0] == &frame[0] {
		t.Error("it appends to what others hold")
	}
	say(q, string(make([]byte, 100<<10)))
	q.Advance(q.Len())
	if b := q.Tail(); cap(b) > 64<<10 {
		t.Errorf("it keeps %d bytes", cap(b))
	}
}

func TestDatagrams(t *testing.T) {
	q := output.Get()
	defer q.Release()
	texts := []string{"one", "", "three", "four"}
	for _, s := range texts {
		q.AddDatagram([]byte(s))
	}
	want := 3 + 1 + 5 + 4
	for len(texts) > 0 {
		var got []string
		for i, d := range q.Datagrams() {
			if i != len(got) {
				t.Errorf("place %d, want %d", i, len(got))
			}
			got = append(got, string(d))
		}
		if !slices.Equal(got, texts) || q.Len() != want {
			t.Errorf("%q, of %d bytes; want %q, of %d", got, q.Len(), texts, want)
		}
		n := 1 + len(texts)/3
		for _, s := range texts[:n] {
			want -= max(len(s), 1)
		}
		texts = texts[n:]
		q.DropDatagrams(n)
	}
	if q.Len() != 0 {
		t.Errorf("%d bytes are left", q.Len())
	}
}

// check does with a queue what steps say, and with plain bytes the same.
func check(t *testing.T, steps []byte) {
	q := output.Get()
	defer q.Release()
	var want, scratch []byte
	var memory buffer.Pool
	block, shared := make([]byte, 0, 4<<10), 0
	for i, step := range steps {
		n := int(step >> 3)
		text := bytes.Repeat([]byte{byte('a' + i%26)}, n)
		switch step & 7 {
		case 0, 1:
			say(q, string(text))
			want = append(want, text...)
		case 2, 3: // side by side with the frame before
			if n > 0 && len(block)+n <= cap(block) {
				block = append(block, text...)
				q.Share(block[shared:])
				want, shared = append(want, text...), len(block)
			}
		case 4:
			if n > 0 {
				q.Share(bytes.Clone(text))
				want = append(want, text...)
			}
		case 5:
			large := bytes.Repeat(text, 5<<10)
			if want = append(want, large...); i%2 == 0 && n > 0 {
				q.Lend(large)
				took := min(n<<9, len(q.Head(nil)))
				q.Advance(took)
				q.Keep(&memory)
				clear(large)
				want = want[took:]
			} else {
				q.SetTail(append(q.Room(&memory, len(large)), large...))
			}
		case 6:
			scratch = make([]byte, n*n)
		case 7:
			if len(want) > 0 {
				took := min(n*n, len(q.Head(scratch)))
				q.Advance(took)
				want = want[took:]
			}
		}
		if q.Len() != len(want) {
			t.Fatalf("step %d: Len is %d, want %d", i, q.Len(), len(want))
		}
		if len(want) > 0 {
			head := q.Head(scratch)
			if len(head) == 0 || !bytes.HasPrefix(want, head) {
				t.Fatalf("step %d: the head is %.40q, of what is %.40q", i, head, want)
			}
			if parts := bytes.Join(q.Parts(head), nil); !bytes.HasPrefix(want, parts) {
				t.Fatalf("step %d: the parts are %.40q, of what is %.40q", i, parts, want)
			}
		}
	}
	if got := all(q); got != string(want) {
		t.Fatalf("%.40q is left, want %.40q", got, want)
	}
}

func TestModel(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		steps := make([]byte, 300)
		for i := range steps {
			steps[i] = byte(random.Uint32())
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) { check(t, steps) })
	}
}

func FuzzQueue(f *testing.F) {
	f.Add([]byte("own, shared, advance"))
	f.Add([]byte{0x18, 0x12, 0x12, 0x24, 0x36, 0x17, 0x0d, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, steps []byte) {
		if len(steps) < 1<<12 {
			check(t, steps)
		}
	})
}

// TestAllocations has a message, and a frame of a broadcast, cost no memory.
func TestAllocations(t *testing.T) {
	for name, add := range messages() {
		t.Run(name, func(t *testing.T) { linemantest.NoAllocations(t, func() { roundTrip(add) }) })
	}
}

func BenchmarkQueue(b *testing.B) {
	for name, add := range messages() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				roundTrip(add)
			}
		})
	}
}

// messages are the ways in which a message comes into a queue.
func messages() map[string]func(*output.Queue) {
	message := bytes.Repeat([]byte("m"), 100)
	large := bytes.Repeat([]byte("m"), 100<<10)
	memory := new(buffer.Pool)
	return map[string]func(*output.Queue){
		"lent, and kept": func(q *output.Queue) {
			q.Lend(large)
			q.Keep(memory)
		},
		"large":  func(q *output.Queue) { q.SetTail(append(q.Room(memory, len(large)), large...)) },
		"own":    func(q *output.Queue) { q.SetTail(append(q.Tail(), message...)) },
		"shared": func(q *output.Queue) { q.Share(message) },
	}
}

// roundTrip is what a connection does with a message whose peer reads: it has a queue from Send to the end of the tick.
func roundTrip(add func(*output.Queue)) {
	q := output.Get()
	add(q)
	q.Advance(len(q.Head(nil)))
	q.Release()
}

// TestAppendTo copies what waits, from any place on, and leaves it as it is.
func TestAppendTo(t *testing.T) {
	q, whole := parts()
	defer q.Release()
	for taken := range len(whole) {
		for skip := range len(whole) - taken + 1 {
			if got, want := string(q.AppendTo([]byte("x"), skip)), "x"+whole[taken+skip:]; got != want {
				t.Errorf("after %d bytes, but for %d: %q, want %q", taken, skip, got, want)
			}
		}
		q.Advance(1)
	}
}
