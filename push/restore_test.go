package push_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// TestRestored leaves out what is no longer kept, and what is behind a hole, and has the counts go on.
func TestRestored(t *testing.T) {
	j := newNotebook()
	add := func(number uint64, ago time.Duration, data string, of ...push.Place) {
		j.had.Records = append(j.had.Records, push.Record{
			Kind: push.RecordMessage, Number: number, At: time.Now().Add(-ago), Of: of, Data: []byte(data),
		})
	}
	add(9, 0, "last", push.Place{Target: "kept", Offset: 9})
	add(1, 2*time.Hour, "old", push.Place{Target: "kept", Offset: 4})
	add(2, time.Minute, "before the hole", push.Place{Target: "kept", Offset: 6})
	add(5, time.Minute, "first", push.Place{Target: "other", Offset: 3}, push.Place{Target: "kept", Offset: 8})
	add(9, 0, "last", push.Place{Target: "kept", Offset: 9})
	add(10, -time.Hour, "of the future", push.Place{Target: "other", Offset: 4})
	add(11, 0, "x", push.Place{Target: "plain", Offset: 70})
	add(12, 0, "forgotten", push.Place{Target: "gone", Offset: 2})
	j.had.Records = append(j.had.Records,
		push.Record{Kind: push.RecordForgotten, Of: []push.Place{{Target: "gone", Offset: 2}}},
		push.Record{Kind: push.RecordTops, Of: []push.Place{{Target: "empty", Offset: 7}, {Target: "", Offset: 50}}},
	)
	k := keep(t, push.Alone(), j, 1<<20)
	for of, want := range map[push.Target]string{
		"kept": "first last 9", "other": "first of the future 4", "gone": "2", "empty": "7", "unknown": "70",
	} {
		h := k.read(of)
		var text string
		for _, m := range h.Messages {
			text += string(m.Data) + " "
			if m.At.After(time.Now().Add(time.Second)) {
				t.Errorf("%s: %q is of %v", of, m.Data, m.At)
			}
		}
		if text += fmt.Sprint(h.Top.Offset); text != want || h.Top.Epoch != "e" {
			t.Errorf("%s: %q in %q, want %q", of, text, h.Top.Epoch, want)
		}
	}
	k.loop.Await(k.link.Close)
}
