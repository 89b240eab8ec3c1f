package lineman_test

import (
	"io"
	"math"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestConnectReset makes ten thousand connections and resets them, some in the middle of a message: nothing is left.
func TestConnectReset(t *testing.T) {
	rounds := 10000
	if testing.Short() || portable() {
		rounds = 1000
	}
	linemantest.NoLeaks(t)
	var opened, closed atomic.Int64
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Logger: quiet}
	w.OnConnect = func(*lineman.Conn) { opened.Add(1) }
	w.OnMessage = echo
	w.OnClose = func(*lineman.Conn, error) { closed.Add(1) }
	s := linemantest.Start(t, w)
	addr := s.Addr(w).String()
	run := func(rounds int) {
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := range rounds / 8 {
					c, err := net.Dial("tcp", addr)
					if err != nil {
						t.Error(err)
						return
					}
					_, _ = io.WriteString(c, strings.Repeat("x\nhalf", (g+i)%3))
					_ = c.(*net.TCPConn).SetLinger(0)
					c.Close()
				}
			}()
		}
		wg.Wait()
	}
	settled := func() {
		last := s.Dial(w) // accepted after all of them
		last.Send("last")
		last.Receive()
		last.Close()
		for until := time.Now().Add(patience); ; {
			live := -1
			s.Do(w, func(l *lineman.Loop) { live = l.Stats().Conns })
			if live == 0 && opened.Load() == closed.Load() {
				return
			}
			if time.Now().After(until) {
				t.Fatalf("%d connections are left; %d opened, %d closed", live, opened.Load(), closed.Load())
			}
		}
	}
	const most = 32 << 10
	least := int64(math.MaxInt64) // what leaks grows each time; what the runtime keeps does not
	for n := 0; n < 10 && least > most; n++ {
		before := liveHeap()
		run(rounds)
		settled()
		least = min(least, liveHeap()-before)
	}
	if least > most {
		t.Errorf("%d bytes are left of %d connections", least, rounds)
	}
	if got := opened.Load(); got < int64(rounds) {
		t.Errorf("only %d of %d connections were accepted", got, rounds)
	}
}

func liveHeap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
