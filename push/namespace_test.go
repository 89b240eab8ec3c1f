package push_test

import (
	"strings"
	"testing"

	"github.com/lineman-go/lineman/push"
)

// TestNamespaces has the longest key that fits a channel hold, and the part before the first colon where none is
// longer.
func TestNamespaces(t *testing.T) {
	n, err := push.NewNamespaces(map[string]int{
		"": 1, "chat": 2, "chat:room-*": 3, "chat:room-big-*": 4, "chat:a:b*": 5, "loose:x*": 6,
	})
	if err != nil {
		t.Fatal(err)
	}
	for channel, want := range map[string]struct {
		key string
		is  int
	}{
		"news": {"", 1}, "other:1": {"", 1}, "": {"", 1}, ":": {"", 1},
		"chat:1": {"chat", 2}, "chat:": {"chat", 2}, "chat": {"", 1}, "chat:room": {"chat", 2},
		"chat:room-": {"chat:room-*", 3}, "chat:room-1": {"chat:room-*", 3}, "chat:room-big": {"chat:room-*", 3},
		"chat:room-big-1": {"chat:room-big-*", 4}, "chat:a:b": {"chat:a:b*", 5}, "chat:a:": {"chat", 2},
		"loose:x1": {"loose:x*", 6}, "loose:y": {"", 1}, "chat:ROOM-1": {"chat", 2}, " chat:room-1": {"", 1},
	} {
		if key, is := n.Find(channel); key != want.key || is != want.is {
			t.Errorf("%q has %q, %d, want %q, %d", channel, key, is, want.key, want.is)
		}
	}
	for _, key := range []string{"u", "g:a*", "chat:", "chat:*", "chat:a", ":a*", "chat:a*b", "chat:**", "c:x*"} {
		if _, err := push.NewNamespaces(map[string]bool{key: true}); err == nil {
			t.Errorf("a namespace can be called %q", key)
		} else if !strings.Contains(err.Error(), "push: no namespace can be called") {
			t.Errorf("%q: %v", key, err)
		}
	}
}

// TestNamespaceLonger has a Hub follow it: what channels of a longer key allow, others of the namespace need not.
func TestNamespaceLonger(t *testing.T) {
	o := options()
	o.Namespaces = map[string]push.Namespace{
		"shop": {}, "shop:secret-*": {Closed: true}, "shop:presence-*": {Presence: push.PresenceList},
	}
	h := newHub(t, o)
	m, _ := add(t, h, 1, "ann")
	for channel, allowed := range map[string]bool{"shop:1": true, "shop:secret-1": false, "shop:presence-1": true} {
		if err := m.Subscribe(channel); (err == nil) != allowed {
			t.Errorf("%s: %v", channel, err)
		}
	}
	for channel, n := range map[push.Target]int{"shop:1": -1, "shop:presence-1": 1} {
		got := -1
		_ = h.Presence(channel, func(p push.Presence, _ error) { got = p.N })
		if got != n {
			t.Errorf("%d are in %s, want %d", got, channel, n)
		}
	}
}
