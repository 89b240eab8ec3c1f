package pusher_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// members are what pusher-js knows of who is in a channel: it applies the list, and the changes.
func (c *conn) members(known map[string]bool) map[string]bool {
	for _, frame := range c.got {
		var f struct{ Event, Channel, Data string }
		if err := json.Unmarshal([]byte(frame), &f); err != nil || f.Channel != "presence-x" {
			c.node.world.t.Fatalf("the page gets %s: %v", frame, err)
		}
		var data struct {
			UserID   string `json:"user_id"`
			Presence struct {
				Count int
				IDs   []string
				Hash  map[string]any
			}
		}
		if err := json.Unmarshal([]byte(f.Data), &data); err != nil {
			c.node.world.t.Fatal(err)
		}
		switch f.Event {
		case "pusher_internal:subscription_succeeded":
			known = make(map[string]bool)
			for id := range data.Presence.Hash {
				known[id] = true
			}
			if n := data.Presence.Count; n != len(known) || n != len(data.Presence.IDs) {
				c.node.world.t.Fatalf("the list is %s", f.Data)
			}
		case "pusher_internal:member_added":
			if known == nil || known[data.UserID] {
				c.node.world.t.Fatalf("%s comes, to %v", data.UserID, known)
			}
			known[data.UserID] = true
		case "pusher_internal:member_removed":
			if !known[data.UserID] {
				c.node.world.t.Fatalf("%s goes, from %v", data.UserID, known)
			}
			delete(known, data.UserID)
		default:
			c.node.world.t.Fatalf("the page gets %s", frame)
		}
	}
	c.got = nil
	return known
}

// TestMembers has pages come and go at random on three nodes, which crash at times: all lists are the truth.
func TestMembers(t *testing.T) {
	for seed := range uint64(10) {
		w, random := newWorld(t, 3, nil), rand.New(rand.NewPCG(seed, 20))
		users, lists := make(map[*conn]string), make(map[*conn]map[string]bool)
		leave := func(c *conn) {
			delete(users, c)
			delete(lists, c)
		}
		for range 1000 {
			n := w.nodes[random.IntN(3)]
			all := slices.SortedFunc(maps.Keys(users), func(a, b *conn) int { return int(a.id) - int(b.id) })
			switch r := random.IntN(20); {
			case r < 9 && len(all) < 60:
				c := n.open(w.app)
				users[c] = fmt.Sprintf("u%d", random.IntN(30))
				c.subscribes("presence-x", fmt.Sprintf(`{"user_id":%q,"user_info":{"n":1}}`, users[c]))
			case r < 14 && len(all) > 0:
				c := all[random.IntN(len(all))]
				lists[c] = c.members(lists[c])
				c.says(`{"event":"pusher:unsubscribe","data":{"channel":"presence-x"}}`)
				leave(c)
			case r < 17 && len(all) > 0:
				c := all[random.IntN(len(all))]
				c.goes()
				leave(c)
			case r == 17 && random.IntN(10) == 0:
				i := random.IntN(3)
				for _, c := range all {
					if c.node == w.nodes[i] {
						leave(c)
					}
				}
				w.nodes[i].hub.Close()
				w.nodes[i] = w.node()
			default:
				w.pass(time.Duration(random.IntN(3)) * time.Second)
			}
		}
		w.pass(10 * time.Second)
		truth := make(map[string]bool)
		for _, user := range users {
			truth[user] = true
		}
		for c := range users {
			if known := c.members(lists[c]); !maps.Equal(known, truth) {
				t.Fatalf("seed %d: a page knows %v, the truth is %v", seed, known, truth)
			}
		}
		var want []string
		for _, user := range slices.Sorted(maps.Keys(truth)) {
			want = append(want, fmt.Sprintf(`{"id":%q}`, user))
		}
		w.answers(`200 {"users":[`+strings.Join(want, ",")+`]}`, "GET", "/channels/presence-x/users", "")
	}
}
