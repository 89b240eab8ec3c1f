package lineman_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/text"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv("LINEMAN_TEST_LOAD"); addr != "" {
		load(addr)
		return
	}
	if n, _ := strconv.Atoi(os.Getenv("LINEMAN_TEST_HOLD")); n > 0 {
		hold(os.Getenv("LINEMAN_TEST_ADDR"), n)
		return
	}
	if addrs := os.Getenv("LINEMAN_TEST_PROBE"); addrs != "" {
		probe(strings.Split(addrs, ","))
		return
	}
	if user, ok := os.LookupEnv(programVariable); ok {
		program(user)
		return
	}
	goleak.VerifyTestMain(m)
}

// portable reports whether the suite runs over package net, which knows less of what the kernel does.
func portable() bool { return os.Getenv("LINEMAN_POLLER") == "portable" }

// patience is how long a test waits for what must happen.
const patience = time.Minute

// next returns what comes out of a channel, or fails.
func next[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("nothing came: %s", what)
		panic("not reached")
	}
}

// clock is the time of a test: the real one, and what the test has jumped ahead.
type clock struct {
	mu    sync.Mutex // guards ahead
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

// jump moves the time of the test ahead and has the loop of w look at it. What a callback has told the test of has its
// time from before.
func (c *clock) jump(s *linemantest.Server, w *lineman.Worker, d time.Duration) {
	s.Do(w, func(*lineman.Loop) {}) // that callback has returned, and what follows it has been done
	c.mu.Lock()
	c.ahead += d
	c.mu.Unlock()
	s.Do(w, func(*lineman.Loop) {})
	s.Do(w, func(*lineman.Loop) {}) // the first may have run in the tick that began before the jump
}

// startByClock starts workers whose time can jump.
func startByClock(t *testing.T, workers ...*lineman.Worker) (*linemantest.Server, *clock) {
	t.Helper()
	c := &clock{}
	run := func(ctx context.Context, workers ...*lineman.Worker) error {
		return lineman.RunByClock(ctx, c.now, workers...)
	}
	return linemantest.StartBy(t, run, workers...), c
}

// journal keeps what is logged.
type journal struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

func (j *journal) count(what string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), what)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// quiet drops what is logged.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// echo answers each message with itself.
func echo(c *lineman.Conn, msg []byte) {
	send := c.Send
	if c.Binary() {
		send = c.SendBinary
	}
	if err := send(msg); err != nil {
		c.Abort()
	}
}

// dial connects past linemantest, for tests with many connections.
func dial(t *testing.T, addr net.Addr) net.Conn {
	t.Helper()
	c, err := net.DialTimeout(addr.Network(), addr.String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

const second = time.Second

// linesBackwards is a protocol of lines that are written backwards.
type linesBackwards struct{}

func (linesBackwards) Name() string                { return "backwards" }
func (linesBackwards) NewCodec(int) protocol.Codec { return linesBackwards{} }

func (linesBackwards) Decode(data []byte) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i:i], nil
	}
	return 0, nil, nil
}

func (linesBackwards) Append(dst, msg []byte) ([]byte, error) {
	for i := range msg {
		dst = append(dst, msg[len(msg)-1-i])
	}
	return append(dst, '\n'), nil
}

// waitForAccepted returns when so many connections have been accepted.
func waitForAccepted(t *testing.T, s *linemantest.Server, w *lineman.Worker, want uint64) {
	t.Helper()
	linemantest.Until(t, fmt.Sprintf("not even %d connections were accepted", want), func() (there bool) {
		s.Do(w, func(l *lineman.Loop) { there = l.Stats().Accepted >= want })
		return there
	})
}

var textWithoutHTTP = text.Protocol{RefuseHTTP: true}
