package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
)

const pauseSettings = `
namespaces:
  chat: {subscribe: all, history: {size: 100}, presence: events}
limits: {waiting: 20000}
`

// TestPushHandoverPause reloads the push server with many pages and a large history in memory: all of it crosses, and
// the pause is short, as far as a busy machine tells. In the long form there are 15,000 pages of level 1, each in a
// channel of ten with presence, and 100,000 messages of 500 bytes.
func TestPushHandoverPause(t *testing.T) {
	const limit = time.Second
	pages, messages := 300, 20_000
	if told["LINEMAN_E2E_LONG"] != "" {
		pages, messages = 15_000, 100_000
	}
	m := newMortalOf(t, pauseSettings, inMemory...)
	k := &crossings{t: t, server: m}
	channel := func(i int) string { return fmt.Sprint("chat:", i%(pages/10)) }
	k.fill(messages, channel)
	for i := range pages {
		c := k.live(fmt.Sprint("user-", i), channel(i))
		k.listen("page", texts(c)) // it answers pings
	}
	type message struct{ Pos, Data string }
	kept := func() []message {
		t.Helper()
		var answer struct{ Messages []message }
		text, err := askLine(m.backend, fmt.Sprintf(`{"cmd":"history","to":%q,"limit":100}`, channel(7)))
		if err == nil {
			err = json.Unmarshal([]byte(text), &answer)
		}
		if n := len(answer.Messages); err != nil || n < min(messages/(pages/10), 100) {
			t.Fatalf("%d messages are kept: %.200s, %v", n, text, err)
		}
		return answer.Messages
	}
	before := kept()
	var all []float64
	for range 7 {
		var r lineman.ReloadReport
		if err := json.Unmarshal([]byte(m.command("reload", "--json")), &r); err != nil {
			t.Fatal(err)
		}
		if r.Kept != pages || r.Drained != 0 {
			t.Fatalf("%d connections were kept, %d drained (%v), of %d", r.Kept, r.Drained, r.Reasons, pages)
		}
		all = append(all, r.PauseMax)
	}
	if after := kept(); !slices.Equal(after, before) {
		t.Errorf("%d messages are kept, and %d were, or others", len(after), len(before))
	}
	k.finish(nil)
	slices.Sort(all)
	median := all[len(all)/2]
	t.Logf("%d pages, %d messages: median %.1f ms, at most %.1f ms", pages, messages, 1000*median, 1000*all[len(all)-1])
	if median >= limit.Seconds() {
		t.Errorf("want a median below %v", limit)
	}
}

// fill publishes messages of 500 bytes for some channels.
func (k *crossings) fill(messages int, channel func(i int) string) {
	k.t.Helper()
	c := k.dial(k.server.backend)
	defer c.Close()
	answered := make(chan error, 1)
	go func() {
		r := bufio.NewReader(c)
		for range messages {
			if err := wantLine(r); err != nil {
				answered <- err
				return
			}
		}
		answered <- nil
	}()
	lines := bufio.NewWriter(c)
	for i := range messages {
		text := fmt.Sprintf("n%d ", i)
		text += strings.Repeat("x", 498-len(text))
		fmt.Fprintf(lines, `{"cmd":"pub","to":%q,"data":%q}`+"\n", channel(i), text)
	}
	if err := lines.Flush(); err != nil {
		k.t.Fatal(err)
	}
	if err := <-answered; err != nil {
		k.t.Fatal(err)
	}
}
