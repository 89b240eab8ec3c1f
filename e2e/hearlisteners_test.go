package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// listeners are back ends in PHP that share what pages say. They are killed and started at random.
type listeners struct {
	t      *testing.T
	script string
	addr   string // for lines
	group  string
	ledger string // the file in which each notes what it has handled

	mu     sync.Mutex // guards the following
	killed int
	steady bool // nobody is killed any more
}

// startListeners starts some, which live until the context ends; wait returns when they have ended.
func startListeners(t *testing.T, ctx context.Context, n int, addr, group string, lives time.Duration) (
	all *listeners, wait func()) {
	t.Helper()
	need(t, "php")
	script, err := filepath.Abs("testdata/listener.php")
	if err != nil {
		t.Fatal(err)
	}
	all = &listeners{t: t, script: script, addr: addr, group: group, ledger: filepath.Join(t.TempDir(), group)}
	var running sync.WaitGroup
	for i := range n {
		random := rand.New(rand.NewPCG(uint64(i), 3))
		running.Go(func() {
			for ctx.Err() == nil {
				all.live(ctx, time.Duration(random.ExpFloat64()*float64(lives)))
				select {
				case <-ctx.Done():
				case <-time.After(time.Duration(random.Int64N(int64(lives / 2)))):
				}
			}
		})
	}
	return all, running.Wait
}

// live has one live for a time, or until the context ends. Then it is killed.
func (l *listeners) live(ctx context.Context, lasts time.Duration) {
	cmd := exec.Command("php", l.script, l.addr, l.group, l.ledger)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		l.t.Error(err)
		return
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is killed
	}()
	for dies := time.After(lasts); ; dies = time.After(lasts) {
		select {
		case <-ended:
			l.t.Errorf("a listener has ended: %s", said.String())
			return
		case <-ctx.Done():
		case <-dies:
			if !l.mayKill() {
				continue
			}
		}
		_ = cmd.Process.Kill() // it may have ended
		<-ended
		return
	}
}

// mayKill counts that one is killed, unless they are to live now.
func (l *listeners) mayKill() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.steady {
		l.killed++
	}
	return !l.steady
}

// spare has no more of them killed, and returns how many were.
func (l *listeners) spare() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steady = true
	return l.killed
}

// handled reads what they have handled, in order. A line that is cut off was not acknowledged.
func (l *listeners) handled() (all []handling) {
	l.t.Helper()
	text, err := os.ReadFile(l.ledger)
	if err != nil {
		l.t.Fatal(err)
	}
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		by, event, _ := bytes.Cut(line, []byte(" "))
		e := handling{by: string(by)}
		if json.Unmarshal(event, &e) == nil {
			all = append(all, e)
		}
	}
	return all
}
