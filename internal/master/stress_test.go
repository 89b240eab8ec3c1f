//go:build unix

package master

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lineman-go/lineman/internal/channel"
	"github.com/lineman-go/lineman/internal/processtest"
)

// storm is a Supervisor of real processes, to which everything happens at once.
type storm struct {
	*testing.T
	s *Supervisor

	kept atomic.Int64 // connections, by all reloads

	mu    sync.Mutex // guards ended
	ended int
}

// brew starts a crew.
func brew(t *testing.T) *storm {
	t.Setenv(processtest.Variable, "mate")
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	host, err := NewHost(os.Args[:1], crewChannel, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.null.Close() })
	st := &storm{T: t}
	c := Config{
		Image: st.image(), System: host, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Exited: func(Exit) {
			st.mu.Lock()
			defer st.mu.Unlock()
			st.ended++
		},
		Limits: Limits{Start: patience, Stop: patience, Reload: patience, Graceful: patience, Hang: time.Minute},
	}
	for _, w := range crew() {
		c.Workers = append(c.Workers, Worker{Worker: w, Address: channel.Address{
			Worker: w.Name, Scheme: "tcp", Network: "tcp", Target: "127.0.0.1:0", ReusePort: w.ReusePort,
		}})
	}
	st.s = New(c)
	if err := st.s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return st
}

func (st *storm) image() *Image {
	path, err := os.Executable()
	if err != nil {
		st.Fatal(err)
	}
	image, err := OpenImage(path)
	if err != nil {
		st.Fatal(err)
	}
	return image
}

// victim is a process taken at random, nil if none is as it must be.
func (st *storm) victim(random *rand.Rand, isReady bool) *process {
	all := st.s.alive()
	if len(all) == 0 {
		return nil
	}
	p := all[random.IntN(len(all))]
	if isReady && p.ready.Load() == 0 {
		return nil // a signal would end it
	}
	return p
}

// act does something at random.
func (st *storm) act(random *rand.Rand) {
	switch n := random.IntN(100); {
	case n < 10:
		r, err := st.s.Reload(st.image(), Manner{Patient: n%2 == 0, Drain: n == 0}, noHook)
		if err != nil && !errors.Is(err, ErrReloading) && !strings.Contains(err.Error(), "ended with signal 9") &&
			!strings.Contains(err.Error(), errDied.Error()) {
			st.Errorf("reload: %v", err)
		}
		st.kept.Add(int64(r.Kept()))
	case n < 30:
		if p := st.victim(random, false); p != nil {
			p.Kill()
		}
	case n < 55:
		if p := st.victim(random, true); p != nil {
			_ = syscall.Kill(p.PID(), syscall.SIGTERM) // it may have ended
		}
	case n < 80:
		if got := st.s.Snapshot(); len(got.Processes) < 4 {
			st.Errorf("%d processes are shown: %+v", len(got.Processes), got.Processes)
		}
	default:
		for _, addrs := range st.s.Listening() {
			st.dial(strings.TrimPrefix(addrs[0], "tcp://"))
		}
	}
}

// dial fails the test if the address refuses: its socket is the master's. Who has accepted may be killed.
func (st *storm) dial(addr string) string {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		st.Errorf("refused: %v", err)
		return ""
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	line, err := bufio.NewReader(c).ReadString('\n')
	if errors.Is(err, os.ErrDeadlineExceeded) {
		st.Errorf("nobody answers on %s", addr)
	}
	return strings.TrimSpace(line)
}

// TestStorm has reloads, kills, recyclings, questions and clients come at random, from several sides. Afterwards each
// place is served by one process of the last program, and after the stop nothing is left.
func TestStorm(t *testing.T) {
	check, goroutines := processtest.NoMoreFiles(t), goleak.IgnoreCurrent()
	t.Cleanup(func() {
		goleak.VerifyNone(t, goroutines)
		check()
	})
	st := brew(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var sides sync.WaitGroup
	for side := range 4 {
		sides.Add(1)
		go func() {
			defer sides.Done()
			random := rand.New(rand.NewPCG(seed, uint64(side)))
			for range 50 {
				st.act(random)
			}
		}()
	}
	sides.Wait()
	last := st.image()
	r, err := st.s.Reload(last, Manner{}, noHook)
	if err != nil {
		t.Error(err)
	}
	for _, done := range r.Slots {
		if handed := done.Drains == ""; handed && done.Kept != 1 || !handed && done.Drains != NobodyIs {
			t.Errorf("the last reload: %+v", done)
		}
	}
	served := make(map[string]int)
	for _, p := range st.s.alive() {
		if !p.leaving.Load() && !p.ended() {
			served[p.slot.String()]++
			if p.image != last {
				t.Errorf("%s runs an old program", p)
			}
		}
	}
	if len(served) != 4 || served["a/0"]+served["a/1"]+served["b/0"]+served["b/1"] != 4 {
		t.Errorf("%v serve", served)
	}
	st.s.Stop(Prompt)
	if st.ended != st.s.launched {
		t.Errorf("%d processes were started, %d have ended", st.s.launched, st.ended)
	}
	t.Logf("%d processes, %d times something crossed", st.s.launched, st.kept.Load())
}
