package config

import (
	"testing"
	"time"
)

// TestJournal has a journal as soon as something is kept, and says how it is synced.
func TestJournal(t *testing.T) {
	for text, want := range map[string]bool{
		"dev: true":                  false,
		"history: {uids: {size: 1}}": true,
		"namespaces: {price: {history: {class: latest}}}":                                 true,
		"history: {uids: {size: 1}, journal: none}":                                       false,
		"redis: {addresses: ['a:1']}":                                                     false,
		"{redis: {addresses: ['a:1']}, history: {journal: none}}":                         false,
		"{redis: {addresses: ['a:1']}, history: {uids: {size: 1, ttl: 1h, bytes: 1GiB}}}": false,
	} {
		l, err := loadFile(t, text)
		if err != nil || l.KeepsJournal() != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, want := range map[string]time.Duration{
		"always": SyncAlways, "never": SyncNever, "1s": time.Second, "50ms": 50 * time.Millisecond,
	} {
		if got, err := (&History{JournalSync: text}).SyncTime(); got != want || err != nil {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

// TestHistory has what is kept be said by namespaces, uids and groups, and refuses what means nothing.
func TestHistory(t *testing.T) {
	l, err := loadFile(t, `
namespaces:
  chat: {history: {size: 100, ttl: 10m, bytes: 1MiB}}
  price: {subscribe: all, history: {class: latest}}
  plain: {}
history:
  memory: 2MiB
  uids: {size: 20}
`)
	if err != nil {
		t.Fatal(err)
	}
	chat, price, plain := l.Namespaces["chat"], l.Namespaces["price"], l.Namespaces["plain"]
	if chat.History != (Retention{100, 10 * time.Minute, 1 << 20, "stream"}) || !chat.History.Keeps() ||
		price.History != (Retention{Class: "latest"}) || !price.History.Keeps() ||
		plain.History != defaultRetention() || plain.History.Keeps() ||
		l.History != (History{
			2 << 20, "lineman.journal", "50ms", Retention{Size: 20, Class: "stream"}, defaultRetention(),
		}) {
		t.Errorf("it is %+v and %+v", l.Namespaces, l.History)
	}
	const withRedis = "redis: {addresses: ['a:1']}\n"
	for text, want := range map[string]string{
		"namespaces: {chat: {history: {ttl: 1h}}}":              "namespaces.chat.history.size: is 0",
		"namespaces: {chat: {history: {sizes: 1}}}":             "namespaces.chat.history.sizes: no such setting",
		"namespaces: {chat: {history: 1}}":                      "namespaces.chat.history: want settings",
		"namespaces: {chat: {history: {bytes: 1MB}}}":           `1: namespaces.chat.history.bytes: "1MB"`,
		"history: {groups: {bytes: 1KiB}}":                      "history.groups.size: is 0",
		"history: {uids: {class: latest, size: 2}}":             "history.uids.size: 2: the class latest keeps",
		"history: {uids: {class: last}}":                        `history.uids.class: "last": did you mean latest?`,
		"history: {uids: {size: -1}}":                           "history.uids.size: -1: want 0 or more",
		"history: {memory: 0}":                                  "history.memory: 0: want more than 0",
		"history: {memory: 1MiB, uids: {size: 1, bytes: 2MiB}}": "history.uids.bytes: 2MiB is more than history.memory",

		"history: {journal: ''}":         "history.journal: is empty: want a folder, or none",
		"history: {journal_sync: ''}":    `history.journal_sync: "": want always, never, or a duration`,
		"history: {journal_sync: 0s}":    `history.journal_sync: "0s": want always`,
		"history: {journal_sync: often}": `history.journal_sync: "often": want always`,
		"history: {journal_sync: 2m}":    "a duration of at most 1m0s, such as 50ms",

		withRedis + "history: {journal: here}": `history.journal: "here": history is kept by Redis`,

		withRedis + "history: {uids: {size: 1}}":            "history.uids.ttl: is 0, and Redis would keep it for good",
		withRedis + "history: {groups: {class: latest}}":    "history.groups.ttl: is 0",
		withRedis + "namespaces: {a: {history: {size: 1}}}": "namespaces.a.history.ttl: is 0",
		withRedis + "history: {memory: 1GiB}":               "history.memory: means nothing with redis.addresses",
	} {
		_, err := loadFile(t, text)
		says(t, text, err, want)
	}
}
