package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
	linemanpush "github.com/lineman-go/lineman/push"
	goclient "github.com/lineman-go/lineman/push/client"
	"github.com/lineman-go/lineman/push/level1"
)

// attendee is a Go client that notes who comes to a channel and goes.
type attendee struct {
	*goclient.Client

	mu    sync.Mutex // guards the following
	heard string
}

func (a *attendee) hear(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.heard += text
}

func (a *attendee) all() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.heard
}

// attend has a client follow a channel.
func attend(t *testing.T, addr, uid, channel string) *attendee {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	a := &attendee{}
	var err error
	a.Client, err = goclient.Dial(ctx, "ws://"+addr+"/", goclient.Options{
		Token: func(context.Context) (string, error) { return uid, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); <-a.Done() })
	_, err = a.Subscribe(ctx, linemanpush.Target(channel), linemanpush.Since{}, goclient.Handler{
		Message: func(level1.Message) {},
		Joined:  func(j level1.Joined) { a.hear(fmt.Sprintf("+%s %d ", j.UID, j.N)) },
		Left:    func(l level1.Left) { a.hear(fmt.Sprintf("-%s %d ", l.UID, l.N)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestPresenceOverRedis has clients of one node hear who comes to a channel at another one, and goes for good. When
// that node is killed and started again, and its client comes back, nobody hears of it.
func TestPresenceOverRedis(t *testing.T) {
	t.Parallel()
	const channel = "room:1"
	r := startRedis(t)
	settings := filepath.Join(t.TempDir(), "presence.yaml")
	write(t, settings, "namespaces: {room: {subscribe: all, presence: events}}\n")
	flags := []string{"--redis-addresses", r.addr, "--config", settings}
	near, far := newMortal(t, flags...), newMortal(t, flags...)
	ann := attend(t, near.pages, "ann", channel)
	bob := attend(t, far.pages, "bob", channel)
	there := func(m *mortal, want string) {
		t.Helper()
		var line string
		linemantest.Until(t, "they are not there", func() bool {
			var err error
			if line, err = askLine(m.backend, fmt.Sprintf(`{"cmd":"presence","to":%q}`, channel)); err != nil {
				t.Fatal(err)
			}
			return strings.Contains(line, want)
		})
	}
	there(near, `"n":2`)
	there(far, `"n":2`)
	linemantest.Until(t, "ann does not hear of bob", func() bool { return strings.HasSuffix(ann.all(), "+bob 2 ") })
	before := ann.all()
	far.kill()
	there(far, `"n":2`)
	eve := attend(t, far.pages, "eve", channel)
	linemantest.Until(t, "ann does not hear of eve", func() bool { return ann.all() == before+"+eve 3 " })
	eve.Close()
	linemantest.Until(t, "eve does not go", func() bool { return ann.all() == before+"+eve 3 -eve 2 " })
	bob.Close()
	linemantest.Until(t, "bob does not go", func() bool { return ann.all() == before+"+eve 3 -eve 2 -bob 1 " })
	there(far, `"n":1`)
}
