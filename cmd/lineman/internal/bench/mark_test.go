package bench

import (
	"encoding/json"
	"testing"
	"time"
)

// TestMark finds what was written, in JSON of the size that is wanted where that has room.
func TestMark(t *testing.T) {
	for _, c := range []struct {
		size int
		head string
		mark mark
		long int
	}{
		{128, toAll, mark{0, 0}, 128},
		{128, toAll, mark{1<<40 - 1, 10 * time.Minute}, 128},
		{1000, string(toUID(`a "quoted" name`)), mark{12, 34}, 1000},
		{0, toAll, mark{7, 8}, len(toAll) + len(`,"bench":"000000000000002a","number":7,"at":8}`)},
	} {
		k := newMarker(42, c.size)
		line := k.append([]byte("before"), []byte(c.head), c.mark)[len("before"):]
		if !json.Valid(line) || len(line) != c.long {
			t.Errorf("%d bytes, want %d of JSON: %s", len(line), c.long, line)
		}
		if got, ok := k.find(line); !ok || got != c.mark {
			t.Errorf("%s: found %v, %v, want %v", line, got, ok, c.mark)
		}
		if _, ok := newMarker(43, c.size).find(line); ok {
			t.Errorf("%s: found by another run", line)
		}
	}
}

// TestMarkWrong finds none in what was cut or changed.
func TestMarkWrong(t *testing.T) {
	const tag = `,"bench":"000000000000002a","number":`
	for _, text := range []string{
		"", "{}", tag, tag + `1`, tag + `,"at":1}`, tag + `1,"at":}`, tag + `1,"at":-1}`, tag + `1 ,"at":1}`,
		tag + `9999999999999999999999,"at":1}`,
	} {
		if m, ok := newMarker(42, 0).find([]byte(text)); ok {
			t.Errorf("%s: found %v", text, m)
		}
	}
}

func FuzzMark(f *testing.F) {
	k := newMarker(42, 0)
	f.Add(k.append(nil, []byte(toAll), mark{1, 2}))
	f.Add([]byte(`,"bench":"000000000000002a","number":99999999999999999999,"at":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, ok := k.find(text)
		if !ok {
			return
		}
		if again, ok := k.find(k.append(nil, []byte(toAll), m)); !ok || again != m {
			t.Errorf("%q: found %v, and then %v, %v", text, m, again, ok)
		}
	})
}
