package buffer_test

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/lineman-go/lineman/internal/buffer"
	"github.com/lineman-go/lineman/linemantest"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// TestGet has room for what is asked for, and a message of a round size with its header take no larger class.
func TestGet(t *testing.T) {
	var p buffer.Pool
	for _, c := range []struct{ n, want int }{
		{0, 0}, {1, 1}, {64*kib - 1, 64*kib - 1},
		{64 * kib, 72 * kib}, {64*kib + 14, 72 * kib}, {72*kib + 1, 136 * kib},
		{mib + 14, mib + 8*kib}, {mib + 8*kib + 1, 2*mib + 8*kib},
		{16*mib + 8*kib, 16*mib + 8*kib}, {17 * mib, 17 * mib},
	} {
		if b := p.Get(c.n); len(b) != 0 || cap(b) != c.want {
			t.Errorf("Get(%d) has %d bytes, and room for %d: want %d", c.n, len(b), cap(b), c.want)
		}
	}
}

// TestReuse has a buffer that was given back come again, for a size of its class only.
func TestReuse(t *testing.T) {
	var p buffer.Pool
	b := p.Get(mib)
	p.Put(append(b, "used"...))
	if p.Kept() != cap(b) {
		t.Errorf("%d bytes are kept, want %d", p.Kept(), cap(b))
	}
	for _, other := range []int{64 * kib, 512 * kib, 2 * mib} {
		if got := p.Get(other); &got[:1][0] == &b[:1][0] {
			t.Errorf("%d bytes got a buffer of %d", other, cap(b))
		}
	}
	if got := p.Get(mib - 100*kib); &got[:1][0] != &b[:1][0] || len(got) != 0 || p.Kept() != 0 {
		t.Errorf("it did not come again: %d bytes, %d are kept", len(got), p.Kept())
	}
}

// TestStranger has memory that is of no class, or too much, not kept.
func TestStranger(t *testing.T) {
	var p buffer.Pool
	for _, n := range []int{0, 1, 64 * kib, mib, 17 * mib} {
		p.Put(make([]byte, n))
	}
	if p.Kept() != 0 {
		t.Errorf("%d bytes are kept", p.Kept())
	}
	var all [][]byte
	for range 100 {
		all = append(all, p.Get(mib))
	}
	for _, b := range all {
		p.Put(b)
	}
	if p.Kept() > 32*mib || p.Kept() < 31*mib {
		t.Errorf("%d bytes are kept, want 32 MiB at the most", p.Kept())
	}
}

// TestShrink has what was not needed since the last time given back, and what was needed kept.
func TestShrink(t *testing.T) {
	filled := 0
	p := buffer.Pool{Filled: func() { filled++ }}
	one, two := p.Get(mib), p.Get(mib)
	p.Put(one)
	p.Put(two)
	p.Put(p.Get(64 * kib))
	if filled != 1 {
		t.Errorf("told %d times that something is kept, want once", filled)
	}
	if !p.Shrink() {
		t.Error("all of it is gone, and was just used")
	}
	p.Put(p.Get(mib))
	if !p.Shrink() || p.Kept() != cap(one) {
		t.Errorf("%d bytes are kept, want the one buffer that was needed: %d", p.Kept(), cap(one))
	}
	if p.Shrink() || p.Kept() != 0 {
		t.Errorf("%d bytes are kept after a time without use", p.Kept())
	}
	p.Put(p.Get(mib))
	if filled != 2 {
		t.Errorf("told %d times, want twice", filled)
	}
}

// TestGrow has room for what has come, however little was there.
func TestGrow(t *testing.T) {
	var p buffer.Pool
	for _, c := range []struct{ have, more, room int }{
		{0, 0, 0}, {10, 64*kib - 10, 72 * kib}, {100 * kib, mib, 2*mib + 8*kib},
	} {
		b := bytes.Repeat([]byte("x"), c.have)
		got := p.Grow(p.Grow(b, 0), c.more)
		if !bytes.Equal(got, b) || cap(got) != c.room {
			t.Errorf("%d and %d: %d bytes with room for %d, want %d", c.have, c.more, len(got), cap(got), c.room)
		}
	}
	if got := p.Grow([]byte("small"), 100); string(got) != "small" || cap(got) < 105 || cap(got) > kib {
		t.Errorf("%q with room for %d", got, cap(got))
	}
	before := p.Kept()
	if moved := p.Grow(p.Get(mib)[:mib], mib); p.Kept() != before+mib+8*kib || cap(moved) < 2*mib {
		t.Errorf("%d bytes are kept of what was moved", p.Kept()-before)
	}
}

// TestGrowLittle has small memory that grows by bytes be moved seldom.
func TestGrowLittle(t *testing.T) {
	var p buffer.Pool
	b, moved := []byte{}, 0
	for len(b) < 10*kib {
		before := cap(b)
		if b = append(p.Grow(b, 1), 'x'); cap(b) != before {
			moved++
		}
	}
	if moved > 50 {
		t.Errorf("it was moved %d times", moved)
	}
}

// TestReserve has memory follow what has come, whatever is announced: new memory at most twice that, free memory 32
// times.
func TestReserve(t *testing.T) {
	var p buffer.Pool
	for _, c := range []struct{ come, want, free, room int }{
		{1, 10 * mib, 0, 72 * kib},
		{64 * kib, 10 * mib, 0, 136 * kib},
		{72 * kib, 0, 0, 136 * kib},
		{70 * kib, 140 * kib, 0, 136 * kib},
		{136 * kib, 137 * kib, 0, 264 * kib},
		{100 * kib, 10 * mib, 0, 136 * kib},
		{64 * kib, mib + 14, mib, mib + 8*kib},
		{64 * kib, 3 * mib, 3 * mib, 136 * kib},
		{100, 72 * kib, 72 * kib, 72 * kib},
		{8 * mib, 10 * mib, 0, 16*mib + 8*kib},
		{9 * mib, 20 * mib, 0, 16*mib + 8*kib},
		{20 * mib, 30 * mib, 0, 30 * mib},
		{20 * mib, 50 * mib, 0, 40*mib + 8*kib},
	} {
		if c.free > 0 {
			p.Put(p.Get(c.free))
		}
		b := bytes.Repeat([]byte("x"), c.come)
		got := p.Reserve(b[:c.come:c.come], c.want)
		if !bytes.Equal(got, b) || cap(got) != c.room {
			t.Errorf("%d of %d, and %d are free: %d bytes with room for %d, want %d", c.come, c.want, c.free,
				len(got), cap(got), c.room)
		}
		for p.Shrink() {
		}
	}
}

// TestReserveInPlace has nothing moved while there is room.
func TestReserveInPlace(t *testing.T) {
	var p buffer.Pool
	b := p.Get(mib)
	for _, n := range []int{0, 1, 64 * kib, mib} {
		if got := p.Reserve(b[:n], mib); &got[:1][0] != &b[:1][0] || len(got) != n {
			t.Errorf("%d bytes were moved", n)
		}
	}
	small := append(p.Get(64*kib), make([]byte, 10*kib)...)
	if got := p.Reserve(small, 10*mib); &got[0] != &small[0] {
		t.Error("it was moved though it has room for more than has come, and nothing is free")
	}
	if p.Reserve(small[:cap(small)], 10*mib); p.Kept() != cap(small) {
		t.Errorf("%d bytes are free of what was moved, want %d", p.Kept(), cap(small))
	}
}

// TestFit has few bytes not keep much memory, which is free then.
func TestFit(t *testing.T) {
	for _, c := range []struct{ holds, room, free int }{
		{10, 10, mib + 8*kib}, {31 * kib, 31 * kib, mib + 8*kib}, {32 * kib, mib + 8*kib, 0},
	} {
		var p buffer.Pool
		b := append(p.Get(mib), bytes.Repeat([]byte("x"), c.holds)...)
		if got := p.Fit(b); !bytes.Equal(got, b) || cap(got) > c.room+c.room/4+8 || p.Kept() != c.free {
			t.Errorf("%d bytes have room for %d, want %d; %d are free, want %d", c.holds, cap(got), c.room, p.Kept(),
				c.free)
		}
	}
}

// TestTake has nothing new made.
func TestTake(t *testing.T) {
	var p buffer.Pool
	if b := p.Take(mib); b != nil {
		t.Errorf("there is room for %d, though nothing was free", cap(b))
	}
	p.Put(p.Get(mib))
	if b := p.Take(mib); cap(b) < mib || p.Kept() != 0 {
		t.Errorf("there is room for %d", cap(b))
	}
}

// TestReserveModel brings messages in pieces of any size: they are whole, and memory is never far ahead of them.
func TestReserveModel(t *testing.T) {
	random := rand.New(rand.NewPCG(17, 0))
	var p buffer.Pool
	for range 200 {
		message := make([]byte, 1+random.IntN(3*mib))
		for i := 0; i < len(message); i += 97 {
			message[i] = byte(random.Uint32())
		}
		var b []byte
		for len(b) < len(message) {
			b = p.Reserve(b, len(message))
			if len(b) > 0 && cap(b) > max(32*len(b), 64*kib)+8*kib {
				t.Fatalf("%d bytes have come, and there is room for %d", len(b), cap(b))
			}
			n := min(1+random.IntN(200*kib), cap(b)-len(b), len(message)-len(b))
			b = append(b, message[len(b):len(b)+n]...)
		}
		if !bytes.Equal(b, message) {
			t.Fatal("it is another message")
		}
		p.Put(b)
	}
}

// TestConcurrent uses a pool on several goroutines: no two have the same memory.
func TestConcurrent(t *testing.T) {
	var p buffer.Pool
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for range 200 {
				b := append(p.Get(64*kib+i), byte(i))
				p.Shrink()
				if b[0] != byte(i) {
					t.Error("somebody else has it too")
				}
				p.Put(b)
			}
		})
	}
	all.Wait()
}

// TestAllocations has a large message cost no memory.
func TestAllocations(t *testing.T) {
	var p buffer.Pool
	begun := make([]byte, 64*kib)
	linemantest.NoAllocations(t, func() { p.Put(p.Reserve(begun, mib)) })
}

func BenchmarkPool(b *testing.B) {
	var p buffer.Pool
	b.ReportAllocs()
	for b.Loop() {
		p.Put(p.Get(mib))
	}
}
