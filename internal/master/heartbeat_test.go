//go:build unix

package master

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// busy has the loop of a process stand still from now on, until the channel is closed; the process answers beside it.
func (f *fake) busy(callback string) (free chan struct{}) {
	began, free := time.Now(), make(chan struct{})
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	f.heartbeat = func() channel.Heartbeat {
		select {
		case <-free:
			return channel.Heartbeat{}
		default:
			return channel.Heartbeat{Busy: time.Since(began), Callback: callback}
		}
	}
	return free
}

// TestStandstill warns once each time that a loop stands still, names the callback, and kills after the limit.
func TestStandstill(t *testing.T) {
	try(t, two(1), func(t *trial) {
		t.start()
		pid := t.serving()["a/0"]
		for range 2 {
			free := t.process(pid).busy("OnMessage")
			time.Sleep(30 * time.Second)
			close(free)
			time.Sleep(30 * time.Second)
		}
		if n := t.logged("stands still: it is in OnMessage; nobody is served there"); n != 2 {
			t.Errorf("%d warnings of two standstills", n)
		}
		if got := t.serving()["a/0"]; got != pid {
			t.Errorf("it was replaced, though neither lasted a minute: pid %d is %d", pid, got)
		}
		t.process(pid).busy("OnClose")
		time.Sleep(59 * time.Second)
		if t.serving()["a/0"] != pid {
			t.Error("it was replaced before its time")
		}
		time.Sleep(5 * time.Second)
		if got := t.serving()["a/0"]; got == 0 || got == pid {
			t.Errorf("a/0 is pid %d", got)
		}
		if n := t.logged("it is in OnClose; it is killed and replaced"); n != 1 {
			t.Errorf("%d lines say that it is replaced", n)
		}
	})
}

// TestHangNone never kills a process for standing still.
func TestHangNone(t *testing.T) {
	try(t, two(1), func(t *trial) {
		t.s.config.Hang = -1
		t.start()
		before := t.serving()
		t.change(before["a/0"], op(channel.Beat, never))
		t.process(before["b/0"]).busy("OnMessage")
		time.Sleep(time.Hour)
		if got := t.serving(); got["a/0"] != before["a/0"] || got["b/0"] != before["b/0"] {
			t.Errorf("%v became %v", before, got)
		}
		if n := t.logged("stands still"); n != 2 {
			t.Errorf("%d warnings", n)
		}
	})
}

// TestStopped asks a process that takes nothing once, not once a second; it is well when it goes on.
func TestStopped(t *testing.T) {
	try(t, two(1), func(t *trial) {
		t.s.config.Hang = -1
		t.start()
		before, free := t.serving(), make(chan struct{})
		var asked atomic.Int32
		t.change(before["a/0"], op(channel.Beat, func(*fake) error { asked.Add(1); return errNever }))
		t.change(before["b/0"], op(channel.Beat, func(*fake) error { <-free; return nil }))
		time.Sleep(time.Hour)
		if n := asked.Load(); n != 1 {
			t.Errorf("it was asked %d times", n)
		}
		close(free)
		time.Sleep(2 * heartbeatEvery)
		if got := t.s.Snapshot().Processes[1]; got.PID != before["b/0"] || got.State != Idle {
			t.Errorf("it goes on, and is shown as %s, pid %d", got.State, got.PID)
		}
	})
}

// lateLog takes longer than a beat to write.
type lateLog struct{ slog.Handler }

func (l lateLog) Handle(ctx context.Context, r slog.Record) error {
	time.Sleep(2 * heartbeatEvery)
	return l.Handler.Handle(ctx, r)
}

// TestReplacedOnce says of each process that takes nothing, once, that it is replaced, though a beat is due when it has
// ended.
func TestReplacedOnce(t *testing.T) {
	try(t, two(10), func(t *trial) {
		t.s.config.Log = slog.New(lateLog{t.s.config.Log.Handler()})
		t.start()
		before := t.serving()
		for _, pid := range before {
			t.change(pid, op(channel.Beat, never))
		}
		time.Sleep(2 * time.Minute)
		if n := t.logged("it is killed and replaced"); n != len(before) {
			t.Errorf("%d lines say that one of %d processes is replaced", n, len(before))
		}
	})
}

// TestFrozenIsNotHung leaves a predecessor in peace that stands still as it was told, however long that takes.
func TestFrozenIsNotHung(t *testing.T) {
	try(t, two(1), func(t *trial) {
		t.s.config.Start = time.Hour
		t.start()
		before := t.serving()
		t.change(before["a/0"], op(channel.Freeze, func(f *fake) error { f.busy("Freeze"); return nil }))
		t.next(op(channel.Start, func(f *fake) error {
			time.Sleep(10 * time.Minute)
			close(t.process(before["a/0"]).busy(""))
			return errRefused
		}))
		if _, err := t.s.Reload(t.image(), Manner{}, noHook); err == nil {
			t.Error("the reload succeeded")
		}
		time.Sleep(time.Minute)
		if got := t.serving(); got["a/0"] != before["a/0"] || got["b/0"] != before["b/0"] {
			t.Errorf("%v became %v", before, got)
		}
		if n := t.logged("still"); n != 0 {
			t.Errorf("the log says %s", t.log.String())
		}
	})
}

// slowLog takes its time to write.
type slowLog struct {
	slog.Handler
	free chan struct{}
}

func (l slowLog) Handle(context.Context, slog.Record) error { <-l.free; return nil }

// TestSnapshotEnded shows the place of a process that has ended before its keeper has seen to it.
func TestSnapshotEnded(t *testing.T) {
	try(t, two(2), func(t *trial) {
		slow := slowLog{t.s.config.Log.Handler(), make(chan struct{})}
		t.s.config.Log = slog.New(slow)
		t.start()
		t.kill("a/1")
		all := t.s.Snapshot().Processes
		if len(all) != 3 || all[1].ID != 1 || all[1].State != Waiting {
			t.Errorf("it shows %+v", all)
		}
		close(slow.free)
	})
}

// TestSnapshotStates shows a process in each state.
func TestSnapshotStates(t *testing.T) {
	try(t, two(3), func(t *trial) {
		t.start()
		before := t.serving()
		t.process(before["a/0"]).busy("OnMessage")
		time.Sleep(5 * time.Second)
		plain := t.behave
		t.behaveLike(plain, op(channel.Hello, perish))
		t.kill("a/1")
		time.Sleep(5 * time.Second)
		t.behaveLike(plain, op(channel.Prepare, never))
		t.kill("a/2")
		t.behaveLike(plain)
		t.change(before["b/0"], deaf)
		t.recycle("b/0")
		type shown struct {
			name  string
			state State
			busy  bool
		}
		var got []shown
		for _, p := range t.s.Snapshot().Processes {
			busy := p.Busy > 0 && p.Callback == "OnMessage"
			got = append(got, shown{p.Worker + string(rune('0'+p.ID)), p.State, busy})
		}
		want := []shown{
			{"a0", Busy, true}, {"a1", Waiting, false}, {"a2", Starting, false}, {"b0", Leaving, false},
			{"b0", Idle, false},
		}
		if !slices.Equal(got, want) {
			t.Errorf("it shows %v, want %v", got, want)
		}
		var pages int
		err := t.s.Conns(context.Background(), func(worker string, id, pid int, _ json.RawMessage) error {
			if worker == "a" {
				t.Errorf("a/%d (pid %d) was asked for its connections", id, pid)
			}
			pages++
			return nil
		})
		if err != nil || pages != 2 {
			t.Errorf("%d pages: %v", pages, err)
		}
		broken := errors.New("the client has gone")
		fail := func(string, int, int, json.RawMessage) error { return broken }
		if err := t.s.Conns(context.Background(), fail); err != broken {
			t.Errorf("a page that nobody takes: %v", err)
		}
	})
}
