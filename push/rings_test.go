package push_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pushtest"
)

// ringBench is a Memory with one node, whose clock is the test's.
type ringBench struct {
	*push.Memory
	t      *testing.T
	link   push.HistoryLink
	now    time.Time
	number uint64
}

func newRingBench(t *testing.T, bytes int, retain func(push.Target) push.Retention) *ringBench {
	t.Helper()
	b := &ringBench{Memory: push.NewMemory(), t: t, now: time.Now()}
	link, err := b.Join(push.Node{
		ID: "node", Do: func(f func()) bool { f(); return true },
		Linked: func(bool) {}, Retain: retain, HistoryBytes: bytes,
	})
	if err != nil {
		t.Fatal(err)
	}
	b.link = link.(push.HistoryLink)
	b.StartHistory(bytes, func() time.Time { return b.now })
	return b
}

// publish returns the positions.
func (b *ringBench) publish(to []push.Target, data []byte) (at []push.Position) {
	b.t.Helper()
	b.number++
	b.link.Publish(to, push.Publication{Node: "node", Number: b.number, Data: data}, func(r push.Receipt, err error) {
		if at = r.Positions; err != nil {
			b.t.Fatal(err)
		}
	})
	return at
}

func (b *ringBench) read(of push.Target, r push.Range) (h push.History) {
	b.t.Helper()
	b.link.History(of, r, func(read push.History, err error) {
		if h = read; err != nil {
			b.t.Fatal(err)
		}
	})
	return h
}

func (b *ringBench) forget(of ...push.Target) {
	b.t.Helper()
	b.link.Forget(of, func(err error) {
		if err != nil {
			b.t.Fatal(err)
		}
	})
}

// retentions are those of the targets of a model test, by their number.
var retentions = []push.Retention{
	{Size: 1}, {Size: 5}, {Size: 20, TTL: 10 * time.Second}, {Size: 1000, Bytes: 100}, {}, {Class: push.Latest},
	{Size: 7, TTL: 3 * time.Second, Bytes: 50}, {Class: push.Latest, TTL: 5 * time.Second},
}

// retentionOf is that of t:N.
func retentionOf(t push.Target) push.Retention {
	var n int
	if _, err := fmt.Sscanf(string(t), "t:%d", &n); err != nil {
		return push.Retention{}
	}
	return retentions[n%len(retentions)]
}

// TestHistoryModel does thousands of random things to a history, and compares all that it tells with the reference.
func TestHistoryModel(t *testing.T) {
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 1))
		b := newRingBench(t, 1<<30, retentionOf)
		epoch := b.read("t:0", push.Range{}).Top.Epoch
		model := pushtest.NewReference(epoch, func() time.Time { return b.now })
		target := func() push.Target { return push.Target(fmt.Sprint("t:", random.IntN(16))) }
		for step := range 1500 {
			b.now = b.now.Add(time.Duration(random.IntN(1000)) * time.Millisecond)
			switch action := random.IntN(20); {
			case action < 12:
				to := []push.Target{target()}
				if other := target(); random.IntN(3) == 0 && other != to[0] {
					to = append(to, other)
				}
				keep := make([]push.Retention, len(to))
				for i, t := range to {
					keep[i] = retentionOf(t)
				}
				data := make([]byte, random.IntN(40))
				for i := range data {
					data[i] = byte(step)
				}
				want := model.Publish(to, data, keep)
				if got := b.publish(to, data); !slices.Equal(got, want) {
					t.Fatalf("seed %d, step %d: %v has the positions %v, want %v", seed, step, to, got, want)
				}
			case action == 12:
				of := target()
				b.forget(of)
				model.Forget([]push.Target{of})
			default:
				of, r := target(), push.Range{Limit: random.IntN(30), Bytes: random.IntN(2) * random.IntN(100)}
				if random.IntN(4) > 0 {
					top := b.read(of, push.Range{}).Top
					r.Since = push.Position{Epoch: epoch, Offset: top.Offset + 2 - uint64(random.IntN(12))}
				}
				if random.IntN(10) == 0 {
					r.Since.Epoch = "another"
				}
				got, want := b.read(of, r), model.Read(of, retentionOf(of), r)
				if !alike(got, want) {
					t.Fatalf("seed %d, step %d: %s since %q: %+v, want %+v", seed, step, of, r.Since, got, want)
				}
			}
		}
	}
}

// alike reports whether two histories tell the same.
func alike(a, b push.History) bool {
	same := func(a, b push.Stored) bool {
		return a.Position == b.Position && a.At.Equal(b.At) && string(a.Data) == string(b.Data)
	}
	return a.Top == b.Top && a.Gap == b.Gap && slices.EqualFunc(a.Messages, b.Messages, same)
}

// TestHistoryBudget has all targets together take no more than is allowed, whatever is published: then what is told is
// still whole or a gap, what is oldest has gone first, and no offset comes twice.
func TestHistoryBudget(t *testing.T) {
	const most = 50_000
	for seed := range uint64(10) {
		random := rand.New(rand.NewPCG(seed, 2))
		b := newRingBench(t, most, func(t push.Target) push.Retention {
			return push.Retention{Size: 50, TTL: time.Duration(len(t)) * time.Hour}
		})
		published := map[push.Target][]push.Stored{} // all, in order
		number := map[string]int{}                   // of a message, by what is in it
		for step := range 3000 {
			b.now = b.now.Add(time.Millisecond)
			to := push.Target(fmt.Sprint("t:", random.IntN(100)*random.IntN(10)))
			data := fmt.Append(make([]byte, random.IntN(900)), " ", step)
			at := b.publish([]push.Target{to}, data)[0]
			if all := published[to]; len(all) > 0 && at.Offset <= all[len(all)-1].Position.Offset {
				t.Fatalf("seed %d: %s has %v after %v", seed, to, at, all[len(all)-1].Position)
			}
			published[to] = append(published[to], push.Stored{Position: at, Data: data})
			number[string(data)] = step
			if n := b.HistoryBytes(); n > most {
				t.Fatalf("seed %d: %d bytes, and %d are allowed", seed, n, most)
			}
		}
		oldest, lost := 3000, -1
		for of, all := range published {
			kept := b.read(of, push.Range{Limit: 100}).Messages
			tail := all[len(all)-len(kept):]
			for i, m := range kept {
				if m.Position != tail[i].Position || string(m.Data) != string(tail[i].Data) {
					t.Fatalf("seed %d: %s has %v, want %v", seed, of, m.Position, tail[i].Position)
				}
				oldest = min(oldest, number[string(m.Data)])
			}
			if n := len(all) - len(kept); n > 0 && len(kept) < 50 {
				lost = max(lost, number[string(all[n-1].Data)])
				if h := b.read(of, push.Range{Since: all[0].Position, Limit: 100}); n > 1 && h.Gap != push.GapExpired {
					t.Fatalf("seed %d: %s says %q, and %d are lost", seed, of, h.Gap, n)
				}
			}
		}
		if lost < 0 || lost > oldest {
			t.Fatalf("seed %d: message %d has gone, and %d is kept", seed, lost, oldest)
		}
	}
}

// TestHistoryIdle has what has expired go with what is published for other targets, and not much of it at once.
func TestHistoryIdle(t *testing.T) {
	b := newRingBench(t, 16<<20, func(push.Target) push.Retention {
		return push.Retention{Size: 10, TTL: time.Minute}
	})
	const n, atOnce = 2500, 1000
	for i := range n {
		b.publish([]push.Target{push.Target(fmt.Sprint("t:", i))}, make([]byte, 1000))
	}
	b.now = b.now.Add(time.Minute)
	if h := b.read("t:2000", push.Range{Limit: 10}); len(h.Messages) > 0 || h.Top.Offset != 1 {
		t.Errorf("what has expired is told: %+v", h)
	}
	for left := n - 1; left > 0; left -= atOnce {
		before := b.HistoryBytes()
		b.publish([]push.Target{"t:other"}, nil)
		gone, want := before-b.HistoryBytes(), min(left, atOnce)*1100
		if gone > want || gone < want-1000 {
			t.Errorf("%d bytes have gone with a publication, want about %d", gone, want)
		}
	}
}

// TestHistoryLargestBudget has the node of a Memory that allows most say how much its history takes.
func TestHistoryLargestBudget(t *testing.T) {
	b := newRingBench(t, 10_000, func(push.Target) push.Retention { return push.Retention{Size: 100} })
	for _, bytes := range []int{20_000, 5000} {
		_, err := b.Join(push.Node{
			ID: "other", Do: func(func()) bool { return true },
			Retain: func(push.Target) push.Retention { return push.Retention{} }, HistoryBytes: bytes,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		b.publish([]push.Target{"t:1"}, make([]byte, 900))
	}
	if n := len(b.read("t:1", push.Range{Limit: 100}).Messages); n != 19 {
		t.Errorf("%d messages of 1000 bytes are kept, want 19", n)
	}
}

// TestHistoryTooLarge gives a position to what is too large to be kept, and goes on.
func TestHistoryTooLarge(t *testing.T) {
	b := newRingBench(t, 2000, func(push.Target) push.Retention { return push.Retention{Size: 10} })
	first := b.publish([]push.Target{"t:1"}, make([]byte, 5000))[0]
	second := b.publish([]push.Target{"t:1"}, []byte("small"))[0]
	if first.Offset >= second.Offset || b.HistoryBytes() > 2000 {
		t.Errorf("the positions are %v and %v", first, second)
	}
	if h := b.read("t:1", push.Range{Limit: 10}); len(h.Messages) != 1 || h.Top != second {
		t.Errorf("the history is %+v", h)
	}
}

// TestHistoryMemory has a message take at most its size and what is counted for it, and so a target.
func TestHistoryMemory(t *testing.T) {
	for name, target := range map[string]func(i int) push.Target{
		"messages": func(int) push.Target { return "t:1" },
		"targets":  func(i int) push.Target { return push.Target(fmt.Sprint("t:", i)) },
	} {
		t.Run(name, func(t *testing.T) {
			const n = 20_000
			b := newRingBench(t, 1<<30, func(push.Target) push.Retention { return push.Retention{Size: n} })
			data := make([]byte, 128)
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for i := range n {
				b.publish([]push.Target{target(i)}, data)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			took := int(after.HeapAlloc) - int(before.HeapAlloc)
			t.Logf("%d bytes for each", took/n)
			if counted := b.HistoryBytes(); took > counted+1<<16 {
				t.Errorf("%d bytes for each message, and %d are counted", took/n, counted/n)
			}
			runtime.KeepAlive(b)
		})
	}
}
