package journal

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// someRecords are one of each kind, and messages of several lengths.
func someRecords() []push.Record {
	at := time.Unix(1_795_400_000, 123_456_789)
	place := func(t push.Target, offset uint64) push.Place { return push.Place{Target: t, Offset: offset} }
	return []push.Record{
		{Kind: push.RecordMessage, Number: 1, At: at, Of: []push.Place{place("u:ann", 1)}, Data: []byte("hello")},
		{Kind: push.RecordMessage, Number: 2, At: at, Of: []push.Place{place("chat:1", 7), place("g:x", 300)}},
		{Kind: push.RecordTops, Of: []push.Place{place("u:bob", 1<<40), place("", 5)}},
		{Kind: push.RecordForgotten, Of: []push.Place{place("chat:1", 7)}},
		{
			Kind: push.RecordMessage, Number: 1 << 50, At: time.Unix(0, -1), Of: []push.Place{place("u:\xff", 0)},
			Data: bytes.Repeat([]byte("long "), 100),
		},
	}
}

// aSegment is one with those records, and where each record ends.
func aSegment(h header, closed bool) (b []byte, ends []int) {
	b = appendHeader(nil, &h)
	ends = []int{len(b)}
	for _, r := range someRecords() {
		b = appendRecord(b, &r)
		ends = append(ends, len(b))
	}
	if closed {
		b = appendEnd(b)
		ends = append(ends, len(b))
	}
	return b, ends
}

// alike reports whether records say the same.
func alike(a, b []push.Record) bool {
	return slices.EqualFunc(a, b, func(a, b push.Record) bool {
		return a.Kind == b.Kind && a.Number == b.Number && a.At.Equal(b.At) && slices.Equal(a.Of, b.Of) &&
			bytes.Equal(a.Data, b.Data)
	})
}

// TestSegment reads what was written, all of it, and as it was.
func TestSegment(t *testing.T) {
	for _, h := range []header{{epoch: "k3f9"}, {"z", "a boot", true, 1 << 33}} {
		for _, closed := range []bool{false, true} {
			b, _ := aSegment(h, closed)
			s, err := parseSegment(b)
			if err != nil || s.header != h || s.closed != closed || s.flaw != whole || s.end != len(b) ||
				!alike(s.records, someRecords()) {
				t.Errorf("%+v is read as %+v, %v", h, s, err)
			}
		}
	}
}

// TestEveryCut cuts a segment at each byte: all records before it are read, and the epoch goes on.
func TestEveryCut(t *testing.T) {
	b, ends := aSegment(header{epoch: "k3f9", boot: "today"}, true)
	for n := range b {
		s, err := parseSegment(b[:n])
		count, end := 0, 0
		for i, e := range ends {
			if e <= n {
				count, end = i, e
			}
		}
		want := torn
		if n == end && n > 0 {
			want = whole
		}
		if err != nil || s.begun != (n >= ends[0]) || s.end != end || s.flaw != want || s.closed ||
			!alike(s.records, someRecords()[:count]) {
			t.Fatalf("cut at %d: %d records up to %d, %v, %v", n, len(s.records), s.end, s.flaw, err)
		}
		f, err := examine([]stored{{1, b[:n]}}, "today")
		if err != nil || n >= ends[0] && f.epoch != "k3f9" || n < ends[0] && f.epoch != "" {
			t.Fatalf("cut at %d: the epoch is %q, %v", n, f.epoch, err)
		}
	}
}

// TestEveryByte changes each byte of a segment, one after the other: what is before it is read, nothing else, and the
// epoch does not go on.
func TestEveryByte(t *testing.T) {
	good, ends := aSegment(header{epoch: "k3f9", boot: "today"}, false)
	for n := range good {
		b := slices.Clone(good)
		b[n] ^= 0x11
		s, err := parseSegment(b)
		if n < len(magic) {
			if isVersion := n == len(magic)-1; errors.Is(err, errNewer) != isVersion || s.begun {
				t.Fatalf("byte %d: %+v, %v", n, s, err)
			}
			continue
		}
		count := max(0, slices.IndexFunc(ends, func(e int) bool { return e > n })-1)
		if err != nil || s.flaw == whole || !alike(s.records, someRecords()[:count]) {
			t.Fatalf("byte %d: %d records, want %d; %v, %v", n, len(s.records), count, s.flaw, err)
		}
		f, err := examine([]stored{{1, b}}, "today")
		if err != nil || s.flaw == corrupt && f.epoch != "" {
			t.Fatalf("byte %d: the epoch is %q, %v", n, f.epoch, err)
		}
	}
}

// TestExamine judges folders: whether the epoch goes on, and how many records there are.
func TestExamine(t *testing.T) {
	type part struct {
		number uint64
		header header
		closed bool
		damage func([]byte) []byte
	}
	today, always := header{epoch: "e", boot: "today"}, header{epoch: "e", boot: "before", always: true}
	before := header{epoch: "e", boot: "before"}
	whole, _ := aSegment(today, false)
	after := func(h header) header {
		h.previous = uint64(len(whole))
		return h
	}
	tear := func(b []byte) []byte { return b[:len(b)-1] }
	rot := func(b []byte) []byte { return append(b[:len(b)-1], b[len(b)-1]^1) }
	zero := func(b []byte) []byte { return make([]byte, len(b)) }
	half := func(b []byte) []byte { return b[:10] }
	for _, c := range []struct {
		name    string
		parts   []part
		goesOn  bool
		records int
	}{
		{"nothing", nil, false, 0},
		{"killed", []part{{1, today, false, nil}}, true, 5},
		{"killed while it wrote", []part{{1, today, false, tear}}, true, 4},
		{"corrupt", []part{{1, today, false, rot}}, false, 4},
		{"closed well", []part{{1, before, true, nil}}, true, 5},
		{"a power cut", []part{{1, before, false, nil}}, false, 5},
		{"a power cut, synced", []part{{1, always, false, nil}}, true, 5},
		{"a power cut, synced, the last is torn", []part{{1, always, false, tear}}, true, 4},
		{"a power cut, synced, the last is wrong", []part{{1, always, false, rot}}, true, 4},
		{"a start that is not known", []part{{1, header{epoch: "e"}, false, nil}}, false, 5},
		{"two", []part{{1, today, false, nil}, {2, after(today), false, nil}}, true, 10},
		{"what counts of the first", []part{{1, today, false, nil}, {2, today, false, nil}}, false, 5},
		{"the first is shorter", []part{{1, today, false, tear}, {2, after(today), false, nil}}, false, 9},
		{"the first is corrupt", []part{{1, today, false, rot}, {2, after(today), false, nil}}, false, 9},
		{"one is missing", []part{{1, today, false, nil}, {3, after(today), false, nil}}, false, 10},
		{"the last was being begun", []part{{1, today, false, nil}, {2, today, false, half}}, true, 5},
		{"the last lost its header", []part{{1, today, false, nil}, {2, today, false, zero}}, false, 5},
		{"a power cut when it was begun", []part{{1, always, false, nil}, {2, always, false, zero}}, true, 5},
		{"closed, and begun anew", []part{{1, before, true, nil}, {2, after(today), false, half}}, true, 5},
	} {
		var all []stored
		for _, p := range c.parts {
			b, _ := aSegment(p.header, p.closed)
			if p.damage != nil {
				b = p.damage(b)
			}
			all = append(all, stored{p.number, b})
		}
		boot := "today"
		if len(c.parts) > 0 && c.parts[0].header.boot == "" {
			boot = ""
		}
		f, err := examine(all, boot)
		if err != nil || (f.epoch == "e") != c.goesOn || len(f.records) != c.records {
			t.Errorf("%s: epoch %q, %d records, %v; want %v, %d", c.name, f.epoch, len(f.records), err, c.goesOn,
				c.records)
		}
	}
	newer := append([]byte(strings.Replace(magic, "1", "2", 1)), whole[len(magic):]...)
	if _, err := examine([]stored{{7, newer}}, "today"); !errors.Is(err, errNewer) ||
		!strings.Contains(err.Error(), "0000000000000007.log") {
		t.Errorf("a segment of another version: %v", err)
	}
}

// TestSegmentName takes the names of segments, and no others.
func TestSegmentName(t *testing.T) {
	for _, n := range []uint64{0, 1, 0xabc, 1<<64 - 1} {
		if got, ok := segmentNumber(segmentName(n)); !ok || got != n {
			t.Errorf("%d is called %s, which is %d", n, segmentName(n), got)
		}
	}
	for _, name := range []string{
		"", "lock", "1.log", "000000000000000A.log", "0000000000000001.LOG", "-000000000000001.log",
	} {
		if n, ok := segmentNumber(name); ok {
			t.Errorf("%q is segment %d", name, n)
		}
	}
}

// FuzzSegment reads anything as a segment: what is read of it can be written, and is read again as the same.
func FuzzSegment(f *testing.F) {
	for _, closed := range []bool{false, true} {
		b, ends := aSegment(header{"k3f9", "a boot", true, 7}, closed)
		f.Add(b)
		f.Add(b[:ends[2]+3])
	}
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseSegment(b)
		if err != nil || !s.begun {
			return
		}
		if s.end > len(b) || (s.flaw == whole) != (s.end == len(b)) {
			t.Fatalf("it ends at %d of %d, %v", s.end, len(b), s.flaw)
		}
		again := appendHeader(nil, &s.header)
		for i := range s.records {
			again = appendRecord(again, &s.records[i])
		}
		if s.closed {
			again = appendEnd(again)
		}
		r, err := parseSegment(again)
		if err != nil || r.header != s.header || r.closed != s.closed || !alike(r.records, s.records) {
			t.Fatalf("%s is read again as %s", fmt.Sprint(s), fmt.Sprint(r))
		}
		_, _ = examine([]stored{{1, b}, {2, again}, {3, b}}, s.boot) // any order of anything
	})
}

// FuzzRecord reads anything as a record, with a checksum that fits.
func FuzzRecord(f *testing.F) {
	for _, r := range someRecords() {
		f.Add(appendRecord(nil, &r)[frame:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, ok := parseRecord(b)
		if !ok {
			return
		}
		again, ok := parseRecord(appendRecord(nil, &r)[frame:])
		if !ok || !alike([]push.Record{r}, []push.Record{again}) {
			t.Fatalf("%+v is read again as %+v", r, again)
		}
	})
}
