package hook_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/push/hook"
)

// desk is a Decider with its loop, in a bubble of testing/synctest. What it is asked it answers by a table.
type desk struct {
	*hook.Decider
	t        *testing.T
	loop     chan func()
	asked    chan string
	answer   func(ctx context.Context, question string) (string, error)
	problems []string
}

// say answers everything by one text.
func say(text string) func(context.Context, string) (string, error) {
	return func(context.Context, string) (string, error) { return text, nil }
}

// slow answers after a time.
func slow(after time.Duration, text string) func(context.Context, string) (string, error) {
	return func(ctx context.Context, _ string) (string, error) {
		select {
		case <-time.After(after):
			return text, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

var errDown = errors.New("connection refused")

func down(context.Context, string) (string, error) { return "", errDown }

// bubble runs a test with a Decider whose answers it sets.
func bubble(t *testing.T, most int, test func(*desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{t: t, loop: make(chan func(), 100_000), asked: make(chan string, 100_000)}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		do := func(f func()) { d.loop <- f }
		d.Decider = hook.NewDecider(hook.DeciderOptions{
			Ask: func(ctx context.Context, q []byte) ([]byte, error) {
				d.asked <- string(q)
				text, err := d.answer(ctx, string(q))
				return []byte(text), err
			},
			Context: ctx, Do: do, Timeout: 4 * time.Second, Most: most,
			After:   func(after time.Duration, f func()) { time.AfterFunc(after, func() { do(f) }) },
			Problem: func(err error) { d.problems = append(d.problems, err.Error()) },
		})
		test(d)
		d.run(time.Minute)
	})
}

// run has the loop go on for a time.
func (d *desk) run(for_ time.Duration) {
	end := time.After(for_)
	for {
		select {
		case f := <-d.loop:
			f()
		case <-end:
			synctest.Wait()
			return
		}
	}
}

// questions are how many were posted.
func (d *desk) questions(want int) {
	d.t.Helper()
	got := len(d.asked)
	for range got {
		<-d.asked
	}
	if got != want {
		d.t.Errorf("%d questions were asked, want %d", got, want)
	}
}

// told is what was answered.
type told []string

func (a *told) connect(name string) func(hook.Login, error) {
	return func(l hook.Login, err error) { *a = append(*a, name+" "+outcome(l.UID, err)) }
}

func (a *told) allowed(name string) func(error) {
	return func(err error) { *a = append(*a, name+" "+outcome("may", err)) }
}

func outcome(yes string, err error) string {
	var refusal *hook.Refusal
	switch {
	case errors.As(err, &refusal):
		return fmt.Sprintf("%d %s", refusal.Code, refusal.Why)
	case errors.Is(err, hook.ErrAway):
		return "away"
	case err != nil:
		return err.Error()
	}
	return yes
}

func (a *told) is(t *testing.T, want ...string) {
	t.Helper()
	slices.Sort(*a)
	if strings.Join(*a, "; ") != strings.Join(want, "; ") {
		t.Errorf("told %q, want %q", *a, want)
	}
	*a = nil
}

// withCookie is a page that shows a cookie.
func withCookie(conn, cookie string) *hook.Connect {
	return &hook.Connect{
		Conn: "c:5f3a.1", Remote: "192.0.2.1:" + conn, Host: "push.example.com", Path: "/",
		Headers: []hook.Field{{Name: "cookie", Value: cookie}},
	}
}
