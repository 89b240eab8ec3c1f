package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
	linemanpush "github.com/lineman-go/lineman/push"
)

// startKeeping runs a server that has in a folder what it knows, and knows it again in the same one.
func (r *redis) startKeeping(folder string) {
	r.t.Helper()
	need(r.t, "redis-server")
	host, port, _ := net.SplitHostPort(r.addr)
	r.p = launch(r.t, exec.Command("redis-server", "--bind", host, "--port", port, "--protected-mode", "no", "--save",
		"", "--appendonly", "yes", "--appendfsync", "always", "--dir", folder))
	r.p.find("Ready to accept connections")
}

// publishes publishes a number on a channel by a back end, again and again while the node is not linked, and returns
// its position.
func (m *mortal) publishes(channel string, n int) string {
	m.t.Helper()
	var answer struct {
		OK    bool
		Pos   map[string]string
		Error struct{ Code string }
	}
	linemantest.Until(m.t, "it is not published", func() bool {
		line, err := askLine(m.backend, fmt.Sprintf(`{"cmd":"pub","to":%q,"data":{"n":%d}}`, channel, n))
		if err == nil {
			err = json.Unmarshal([]byte(line), &answer)
		}
		if err != nil || !answer.OK && answer.Error.Code != "unavailable" {
			m.t.Fatalf("pub is answered %q, %v", line, err)
		}
		return answer.OK
	})
	if answer.Pos[channel] == "" {
		m.t.Fatalf("it has no position: %+v", answer)
	}
	return answer.Pos[channel]
}

// TestHistoryOverRedis has clients of one node follow a channel on which two nodes publish, while their networks break,
// the other node is killed, and Redis restarts with its data: each is told every message, once and in order. When Redis
// comes back empty, each is told of a gap, and goes on.
func TestHistoryOverRedis(t *testing.T) {
	const clients, messages, channel = 10, 300, "chat:1"
	folder := t.TempDir()
	r := &redis{t: t, addr: free(t)}
	r.startKeeping(folder)
	a, b := newMortal(t, "--redis-addresses", r.addr), newMortal(t, "--redis-addresses", r.addr)
	since, err := linemanpush.ParseSince(a.publishes(channel, 0))
	if err != nil {
		t.Fatal(err)
	}
	var all []*listener
	for i := range clients {
		all = append(all, listen(t, b.pages, fmt.Sprint("uid", i), channel, since))
	}
	var want []int
	var last string
	for n := 1; n <= messages; n++ {
		switch n {
		case messages / 3:
			a.kill()
		case messages / 2:
			r.kill()
			r.startKeeping(folder)
		}
		last = []*mortal{a, b}[n%2].publishes(channel, n)
		want = append(want, n)
		<-time.After(5 * time.Millisecond)
	}
	for i, l := range all {
		linemantest.Until(t, "not all has come", func() bool { got, _ := l.told(); return len(got) >= messages })
		if got, gaps := l.told(); !slices.Equal(got, want) || len(gaps) > 0 {
			t.Errorf("client %d: gaps %v, got %v", i, gaps, got)
		}
		if at := l.sub.Position().String(); at != last {
			t.Errorf("client %d is at %s, want %s", i, at, last)
		}
	}
	if at, other := a.top(channel), b.top(channel); at != last || other != last {
		t.Errorf("the tops are %s and %s, want %s", at, other, last)
	}

	r.kill()
	r.startKeeping(t.TempDir())
	for i, l := range all {
		linemantest.Until(t, "it is not told of a gap", func() bool { _, gaps := l.told(); return len(gaps) > 0 })
		if _, gaps := l.told(); fmt.Sprint(gaps) != "[epoch]" {
			t.Errorf("client %d: gaps %v", i, gaps)
		}
	}
	a.publishes(channel, messages+1)
	for _, l := range all {
		linemantest.Until(t, "it does not go on", func() bool { got, _ := l.told(); return len(got) == messages+1 })
	}
}
