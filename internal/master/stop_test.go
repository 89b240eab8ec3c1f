//go:build unix

package master

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// TestStopAsStartEnds stops in the instant in which everything begins to serve.
func TestStopAsStartEnds(t *testing.T) {
	for range 100 { // the instant is short
		try(t, two(2), func(t *trial) {
			slow := make(chan struct{})
			t.next(op(channel.Start, func(f *fake) error {
				if f.name == "a/1" {
					<-slow
				}
				return nil
			}))
			started := make(chan error)
			go func() { started <- t.s.Start(context.Background()) }()
			synctest.Wait()
			close(slow)
			t.s.Stop(Prompt)
			if n := len(t.s.alive()); n > 0 {
				t.Errorf("%d processes outlived the stop", n)
			}
			if err := <-started; err != nil && !errors.Is(err, errStopping) {
				t.Error(err)
			}
		})
	}
}

// TestStopTellsAll has returned when the ends of all processes were told, the reasons too.
func TestStopTellsAll(t *testing.T) {
	try(t, two(3), func(t *trial) {
		ends := make(map[Exit]int)
		var mu sync.Mutex
		t.s.config.Exited = func(e Exit) {
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			ends[e]++
		}
		t.start()
		all := t.serving()
		crashed := t.kill("a/1")
		all["a/1"] = t.serving()["a/1"]
		t.s.Stop(Prompt)
		if n := ends[Exit{Worker: "a", ID: 1, PID: crashed, Status: Status{Code: -1, Signal: "9 (killed)"}}]; n != 1 {
			t.Errorf("the crash was told %d times", n)
		}
		for name, pid := range all {
			id := int(name[2] - '0')
			if n := ends[Exit{Worker: name[:1], ID: id, PID: pid}]; n != 1 {
				t.Errorf("the end of %s was told %d times", name, n)
			}
		}
		if len(ends) != 5 {
			t.Errorf("%d ends were told: %v", len(ends), ends)
		}
		want := []ExitCount{{"a", Status{Code: -1, Signal: "9 (killed)"}, 1}, {"a", Status{}, 3}, {"b", Status{}, 1}}
		if got := t.s.Snapshot().Exits; !slices.Equal(got, want) {
			t.Errorf("counted are %v", got)
		}
	})
}

// TestStopWhileVacant waits neither for the pause of a process that crashes nor for a start, a replacement or its
// predecessor that comes to nothing.
func TestStopWhileVacant(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(*fake) // of what is launched after the start
		do    func(t *trial)
	}{
		"during the pause": {
			op(channel.Hello, perish), func(t *trial) { t.kill("a/0"); time.Sleep(10 * time.Second) },
		},
		"during hello":          {op(channel.Hello, never), func(t *trial) { t.kill("a/0") }},
		"during prepare":        {op(channel.Prepare, never), func(t *trial) { t.kill("a/0") }},
		"during start":          {op(channel.Start, never), func(t *trial) { t.kill("a/0") }},
		"recycling, in hello":   {op(channel.Hello, never), func(t *trial) { t.recycle("a/0") }},
		"recycling, in prepare": {op(channel.Prepare, never), func(t *trial) { t.recycle("a/0") }},
		"recycling, in start":   {op(channel.Start, never), func(t *trial) { t.recycle("a/0") }},
	} {
		for _, u := range []Urgency{Prompt, AtOnce} {
			try(t, two(2), func(t *trial) {
				t.start()
				t.next(c.fault)
				c.do(t)
				before, said := time.Now(), t.log.String()
				t.s.Stop(u)
				if took := time.Since(before); took > 0 {
					t.Errorf("%s: the stop took %v", name, took)
				}
				if more := strings.TrimPrefix(t.log.String(), said); more != "" {
					t.Errorf("%s: the stop says %s", name, more)
				}
				if _, err := t.s.Reload(t.image(), Manner{}, noHook); err == nil {
					t.Errorf("%s: a reload afterwards succeeded", name)
				}
			})
		}
	}
}

// TestStopWhileLeaving is patient with predecessors too, and hurries them.
func TestStopWhileLeaving(t *testing.T) {
	try(t, two(2), func(t *trial) {
		t.start()
		if _, err := t.s.Reload(t.image(), Manner{Patient: true}, noHook); err != nil {
			t.Fatal(err)
		}
		if n := len(t.s.alive()); n != 6 {
			t.Errorf("%d processes, want both generations", n)
		}
		began := time.Now()
		go t.s.Stop(Patient)
		time.Sleep(20 * time.Second)
		if n := len(t.s.alive()); n != 6 {
			t.Errorf("after 20 s %d processes are left", n)
		}
		t.s.Stop(Prompt)
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("the stop took %v", took)
		}
	})
}
