package hook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/events"
)

// told is an event as a hook gets it.
type told struct {
	Type  events.Kind
	Conn  push.Target
	Seq   uint64
	Again bool
	Data  int
}

// app is an application behind a Sender, and the loop in front of it, in a bubble.
type app struct {
	*Sender
	t          *testing.T
	dispatcher *events.Dispatcher
	due        chan func()
	letters    string // the file

	mu     sync.Mutex
	answer func(n int) (Answer, error) // of the nth request from 1 on; may wait
	asked  [][]told
	at     []time.Duration // since the start
	began  time.Time
	log    strings.Builder
}

var (
	good   = Answer{Status: http.StatusNoContent}
	broken = Answer{Status: http.StatusInternalServerError}
)

func newApp(t *testing.T, o SenderOptions, answer func(n int) (Answer, error)) *app {
	a := &app{t: t, answer: answer, began: time.Now(), due: make(chan func(), 100_000)}
	if o.DeadLetters == nil {
		a.letters = filepath.Join(t.TempDir(), "dead")
		o.DeadLetters = NewDeadLetters(a.letters)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for f := range a.due {
			f()
		}
	}()
	t.Cleanup(func() { close(a.due); <-ended })
	do := func(f func()) bool { a.due <- f; return true }
	a.dispatcher = events.New(events.Options{
		Do: do, After: func(d time.Duration, f func()) { time.AfterFunc(d, func() { do(f) }) },
	})
	o.Name, o.Group, o.Do, o.Post = "app", "hook:app", do, a.post
	o.Log = slog.New(slog.NewTextHandler(io.Writer(&a.log), nil))
	a.Sender = NewSender(o)
	a.run(func() {
		if err := a.Listen(a.dispatcher, []events.Kind{events.Message}, nil); err != nil {
			t.Error(err)
		}
	})
	return a
}

// run runs a function on the loop, and returns when it has.
func (a *app) run(f func()) {
	done := make(chan struct{})
	a.due <- func() { f(); close(done) }
	<-done
}

func (a *app) post(ctx context.Context, body []byte) (Answer, error) {
	var said struct{ Events []told }
	if err := json.Unmarshal(body, &said); err != nil {
		a.t.Errorf("%s: %v", body, err)
	}
	a.mu.Lock()
	a.asked = append(a.asked, said.Events)
	a.at = append(a.at, time.Since(a.began))
	n := len(a.asked)
	a.mu.Unlock()
	answer, err := a.answer(n)
	if ctx.Err() != nil {
		return Answer{}, ctx.Err()
	}
	return answer, err
}

// say has a page say a number. The error comes when it is settled.
func (a *app) say(conn, data int) chan error {
	done := make(chan error, 1)
	a.run(func() {
		a.dispatcher.Emit(&events.Event{
			Kind: events.Message, Conn: push.Target(fmt.Sprintf("c:n.%d", conn)), Data: fmt.Append(nil, data),
			Form: events.JSON,
		}, func(err error) { done <- err })
	})
	return done
}

// end stops the Sender within a time, and returns the lines of the dead letters.
func (a *app) end(within time.Duration) (letters []string) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	a.run(func() { a.Stop(ctx) })
	return lines(a.t, a.letters)
}

func lines(t *testing.T, file string) []string {
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	return slices.DeleteFunc(strings.Split(string(text), "\n"), func(s string) bool { return s == "" })
}
