package push_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// TestSleep has a page sleep for an hour: if what it missed is kept for as long it gets all of it, else it is told.
func TestSleep(t *testing.T) {
	for ttl, want := range map[time.Duration]string{
		2 * time.Hour:                 "1 2 3",
		time.Hour + time.Second:       "1 2 3",
		59 * time.Minute:              "expired",
		time.Hour - 3*time.Nanosecond: "expired",
	} {
		now := time.Now()
		memory := push.NewMemory()
		told := &recorder{since: make(map[string]push.Since)}
		o := options()
		o.Do = func(f func()) bool { f(); return true }
		o.Broker, o.Followers = memory, told
		o.Namespaces = map[string]push.Namespace{"chat": {History: push.Retention{Size: 100, TTL: ttl}}}
		h := newHub(t, o)
		memory.StartHistory(1<<20, func() time.Time { return now })
		page := func(id uint64) (*member, *conn) {
			c := &conn{id: id}
			m, err := h.AddFollower(c, "")
			if err == nil {
				err = m.Subscribe("chat:7")
			}
			if err != nil {
				t.Fatal(err)
			}
			return m, c
		}
		awake, c := page(1)
		publish(t, h, message{To: []push.Target{"chat:7"}, Data: []byte("0")})
		if got := c.take(); len(got) != 2 {
			t.Fatalf("it got %q", got)
		}
		h.Remove(awake)
		var last push.Position
		if err := h.History("chat:7", push.Range{Limit: 1}, func(found push.History, err error) {
			last = found.Top
		}); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			publish(t, h, message{To: []push.Target{"chat:7"}, Data: fmt.Appendf(nil, "%d", i+1)})
		}
		now = now.Add(time.Hour)
		told.since["2 chat:7"] = push.Since{Position: last}
		_, again := page(2)
		got := again.take()
		text := ""
		for _, field := range strings.Fields(got[0])[3:] {
			text += strings.TrimSpace(field[len(field)-1:]) + " "
		}
		if want == "expired" && !strings.HasSuffix(got[0], " expired") {
			t.Errorf("with %v it is told %q", ttl, got)
		}
		if want != "expired" && strings.TrimSpace(text) != want {
			t.Errorf("with %v it is told %q", ttl, got)
		}
	}
}
