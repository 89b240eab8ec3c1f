package push_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"runtime"
	"testing"

	"github.com/lineman-go/lineman/push"
)

// TestPresenceMemory bounds what a uid takes that is in a channel: nothing where there is no presence.
func TestPresenceMemory(t *testing.T) {
	const n = 20_000
	took := func(prefix string) int {
		h := newHall(t, rooms())
		members, names := make([]*member, n), make([]string, n)
		for i := range n {
			members[i], _ = h.comes(fmt.Sprint("user", i))
			names[i] = fmt.Sprint(prefix, i/500)
		}
		for _, m := range members { // room for the channel
			if m.Subscribe("other") != nil {
				t.Fatal("not subscribed")
			}
			m.Unsubscribe("other")
		}
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for i, m := range members {
			if err := m.Subscribe(names[i]); err != nil {
				t.Fatal(err)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(h)
		return (int(after.HeapAlloc) - int(before.HeapAlloc)) / n
	}
	without, with := took("news:"), took("hall:")
	t.Logf("%d bytes for each without presence, %d with it", without, with)
	if with-without > 500 {
		t.Errorf("%d bytes for each uid in a channel", with-without)
	}
}

// BenchmarkPresence is what it costs that a uid comes to a channel, beside its subscription, and what it costs to tell
// 100 others.
func BenchmarkPresence(b *testing.B) {
	for name, others := range map[string]int{"news:1": 100, "hall:1": 100, "room:1": 100} {
		b.Run(name, func(b *testing.B) {
			o := rooms()
			n := o.Namespaces["room"]
			n.MaxPresent = 1000
			o.Namespaces["room"] = n
			o.PresenceChanged = func(to iter.Seq[*conn], _ push.Target, _ push.PresenceEvent) { count(to, nil, nil) }
			h, err := push.New(o) // who leaves is gone at once
			if err != nil {
				b.Fatal(err)
			}
			for i := range others + 1 {
				m, err := h.AddFollower(&conn{id: uint64(i)}, fmt.Sprint("user", i))
				if err == nil {
					err = m.SetInfo(json.RawMessage(`{"name":"Somebody"}`))
				}
				if err == nil && i > 0 {
					err = m.Subscribe(name)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			m := h.Member(0)
			b.ReportAllocs()
			for b.Loop() {
				if err := m.Subscribe(name); err != nil {
					b.Fatal(err)
				}
				m.Unsubscribe(name)
			}
		})
	}
}
