package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
	linemanpush "github.com/lineman-go/lineman/push"
	goclient "github.com/lineman-go/lineman/push/client"
	"github.com/lineman-go/lineman/push/level1"
)

// listener is a Go client of push/client that checks what it is told of one channel.
type listener struct {
	*goclient.Client
	sub *goclient.Subscription

	mu   sync.Mutex // guards the following
	got  []int
	gaps []linemanpush.Gap
}

// listen has a client follow a channel from a position on, over a network that breaks twice.
func listen(t *testing.T, addr, uid, channel string, since linemanpush.Since) *listener {
	t.Helper()
	l, cuts := &listener{}, 0
	random := rand.New(rand.NewPCG(uint64(len(uid)), uint64(uid[len(uid)-1])))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var err error
	l.Client, err = goclient.Dial(ctx, "ws://"+addr+"/", goclient.Options{
		Token: func(context.Context) (string, error) { return uid, nil },
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			var d net.Dialer
			conn, err := d.DialContext(ctx, network, address)
			if cuts++; err == nil && cuts <= 2 { // with more of them it would wait for longer than the test does
				time.AfterFunc(time.Duration(random.IntN(1000))*time.Millisecond, func() {
					_ = conn.(*net.TCPConn).SetLinger(0) // so that closing is a reset
					conn.Close()
				})
			}
			return conn, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); <-l.Done() })
	l.sub, err = l.Subscribe(ctx, linemanpush.Target(channel), since, goclient.Handler{Message: func(m level1.Message) {
		var data struct{ N int }
		if err := json.Unmarshal(m.Data, &data); err != nil {
			t.Error(err)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.got = append(l.got, data.N)
	}, Gap: func(m level1.Missed) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.gaps = append(l.gaps, m.Gap)
	}})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// told is what it was told so far.
func (l *listener) told() (got []int, gaps []linemanpush.Gap) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.got, l.gaps
}

// TestGoClient has Go clients follow a channel on which much is published, while their networks break, the server sends
// them away, and the process that serves is killed: each is told every message, once and in order. One that is kicked
// does not come again.
func TestGoClient(t *testing.T) {
	t.Parallel()
	const clients, messages = 50, 250 // no client can miss more than it may get when it comes back: 300
	m := newMortal(t)
	publish := func(n int) {
		t.Helper()
		answer, err := askLine(m.backend, fmt.Sprintf(`{"cmd":"pub","to":"chat:1","data":{"n":%d}}`, n))
		if err != nil || answer[:len(`{"ok":true`)] != `{"ok":true` {
			t.Fatalf("pub is answered %q, %v", answer, err)
		}
	}
	publish(0)
	since, err := linemanpush.ParseSince(m.top("chat:1"))
	if err != nil {
		t.Fatal(err)
	}
	all := make([]*listener, clients)
	for i := range all {
		all[i] = listen(t, m.pages, fmt.Sprint("uid", i), "chat:1", since)
	}
	want := []int{}
	for n := 1; n <= messages; n++ {
		publish(n)
		want = append(want, n)
		if n == messages/2 {
			if _, err := askLine(m.backend, sentAway); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(5 * time.Millisecond)
	}
	for i, l := range all {
		linemantest.Until(t, "not all has come", func() bool { got, _ := l.told(); return len(got) >= messages })
		if got, gaps := l.told(); fmt.Sprint(got) != fmt.Sprint(want) || len(gaps) > 0 {
			t.Errorf("client %d: gaps %v, got %v", i, gaps, got)
		}
		if top := m.top("chat:1"); l.sub.Position().String() != top {
			t.Errorf("client %d is at %v, want %s", i, l.sub.Position(), top)
		}
	}

	h, err := all[0].History(t.Context(), "chat:1", linemanpush.Since{Last: 2}, 2)
	if err != nil || len(h.Messages) != 2 || h.Messages[1].Position != h.Top || h.Top != all[0].sub.Position() {
		t.Errorf("history: %+v, %v", h, err)
	}

	m.killServing()
	publish(messages + 1)
	for i, l := range all {
		linemantest.Until(t, "it does not go on", func() bool { got, _ := l.told(); return len(got) > messages })
		if got, gaps := l.told(); len(got) != messages+1 || got[messages] != messages+1 || len(gaps) > 0 {
			t.Errorf("client %d after the kill: gaps %v, got %v", i, gaps, got)
		}
	}
	if _, err := askLine(m.backend, `{"cmd":"kick","to":"u:uid7","reason":"out"}`); err != nil {
		t.Fatal(err)
	}
	linemantest.Until(t, "the kicked one goes on", func() bool { return all[7].Err() != nil })
	var end *goclient.EndError
	if !errors.As(all[7].Err(), &end) || end.Code != linemanpush.CodeKicked || end.Why != "out" {
		t.Errorf("the kicked one ends with %v", all[7].Err())
	}
	if all[8].Err() != nil {
		t.Error(all[8].Err())
	}
}

// TestGoClientToken has a Go client renew its credential on the connection that it has. A new one without a channel
// ends the subscription to it.
func TestGoClientToken(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	key, settings := filepath.Join(folder, "key"), filepath.Join(folder, "lineman.yaml")
	write(t, key, "a secret for this test only\n")
	write(t, settings, fmt.Sprintf("token: {secret_files: [%q], skew: 1s}\n", key))
	p := startLineman(t, "--config", settings)
	var made, allowed atomic.Int32
	allowed.Store(1)
	token := func(ctx context.Context) (string, error) {
		args := []string{"token", "--config", settings, "--uid", "ann", "--group", "staff", "--expires", "8s"}
		if allowed.Load() > 0 {
			args = append(args, "--channel", "news")
		}
		out, err := exec.CommandContext(ctx, filepath.Join(binaries, "lineman"), args...).Output()
		made.Add(1)
		return strings.TrimSpace(string(out)), err
	}
	told := make(chan string, 100)
	tell := func(m level1.Message) { told <- fmt.Sprintf("%s %s", m.Channel, m.Data) }
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := goclient.Dial(ctx, "ws://"+p.pages+"/", goclient.Options{
		Token: token, Handler: goclient.Handler{Message: tell},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { c.Close(); <-c.Done() }()
	ended := make(chan error, 1)
	_, err = c.Subscribe(ctx, "news", linemanpush.Since{}, goclient.Handler{
		Message: tell, Ended: func(_ level1.Unsubscribed, err error) { ended <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Subscribe(ctx, "secret", linemanpush.Since{}, goclient.Handler{Message: tell})
	var refused level1.Failure
	if !errors.As(err, &refused) || refused.Code != level1.CodeForbidden {
		t.Errorf("a channel that the token does not name: %v", err)
	}
	conn := c.Conn()
	linemantest.Until(t, "the credential is not renewed", func() bool { return made.Load() >= 3 })
	for _, to := range []string{"u:ann", "g:staff", "news", "*", string(conn)} {
		if _, err := askLine(p.backends, fmt.Sprintf(`{"cmd":"pub","to":%q,"text":"hello"}`, to)); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-told:
			if got != to+" hello" {
				t.Errorf("told %q, want %s", got, to)
			}
		case <-ctx.Done():
			t.Fatalf("nothing comes by %s", to)
		}
	}
	allowed.Store(0)
	linemantest.Until(t, "news does not end", func() bool { return len(ended) > 0 })
	if err := <-ended; !errors.Is(err, goclient.ErrUnsubscribed) || !strings.Contains(err.Error(), level1.WhyAuth) {
		t.Errorf("news has ended: %v", err)
	}
	if c.Conn() != conn || c.UID() != "ann" {
		t.Errorf("the connection was %s, and is %s of %s", conn, c.Conn(), c.UID())
	}
}

// TestGoClientPresence has a Go client be told who comes to a channel, who is there, and who has gone for good.
func TestGoClientPresence(t *testing.T) {
	t.Parallel()
	settings := filepath.Join(t.TempDir(), "lineman.yaml")
	write(t, settings, "namespaces:\n  room: {subscribe: all, presence: events}\n")
	p := startLineman(t, "--config", settings)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	told := make(chan string, 100)
	follow := func(uid string, tell func(string)) *goclient.Client {
		t.Helper()
		c, err := goclient.Dial(ctx, "ws://"+p.pages+"/", goclient.Options{
			Token: func(context.Context) (string, error) { return uid, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close(); <-c.Done() })
		_, err = c.Subscribe(ctx, "room:1", linemanpush.Since{}, goclient.Handler{
			Message: func(level1.Message) {},
			Joined:  func(j level1.Joined) { tell(fmt.Sprintf("%s has come, %d", j.UID, j.N)) },
			Left:    func(l level1.Left) { tell(fmt.Sprintf("%s has gone, %d", l.UID, l.N)) },
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	ann := follow("ann", func(text string) { told <- text })
	follow("bob", func(string) {})
	follow("bob", func(string) {}).Close() // a second tab is no event
	bob := follow("bob", func(string) {})
	there, err := ann.Presence(ctx, "room:1")
	if err != nil || there.N != 2 || len(there.Users) != 2 || there.Users[0].UID != "ann" {
		t.Errorf("there are %+v, %v", there, err)
	}
	if _, err := ann.Presence(ctx, "elsewhere"); err == nil {
		t.Error("ann is told who is in a channel that she does not follow")
	}
	bob.Close()
	if _, err := askLine(p.backends, `{"cmd":"kick","to":"u:bob"}`); err != nil {
		t.Fatal(err)
	}
	events := ""
	for !strings.Contains(events, "bob has gone") {
		select {
		case text := <-told:
			if !strings.HasPrefix(text, "ann") { // she may be told that she has come herself
				events += text + "; "
			}
		case <-ctx.Done():
			t.Fatalf("ann is told: %s", events)
		}
	}
	if events != "bob has come, 2; bob has gone, 1; " {
		t.Errorf("ann is told: %s", events)
	}
}
