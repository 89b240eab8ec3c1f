//go:build unix

package program

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/internal/processtest"
)

// environment answers as os.Getenv does.
func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for _, pair := range pairs {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

// serviceManager listens for notices.
func serviceManager(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err == nil {
		err = c.SetReadDeadline(time.Now().Add(patience))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func notice(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	var b [1000]byte
	n, err := c.Read(b[:])
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestNotifier(t *testing.T) {
	names := []string{processtest.SocketFile(t)}
	if runtime.GOOS == "linux" {
		names = append(names, "@"+processtest.SocketFile(t))
	}
	for _, name := range names {
		manager := serviceManager(t, name)
		n := NewNotifier(environment("NOTIFY_SOCKET=" + name))
		ready := fmt.Sprintf("READY=1\nMAINPID=%d", os.Getpid())
		for want, tell := range map[string]func() error{
			ready:                      func() error { return n.Ready("") },
			ready + "\nSTATUS=4 lines": func() error { return n.Ready("4 lines") },
			"STOPPING=1":               n.Stopping,
			"WATCHDOG=1":               n.Watchdog,
			"STATUS=up  READY=1":       func() error { return n.Status("up\n\nREADY=1") },
		} {
			if err := tell(); err != nil {
				t.Error(err)
			} else if got := notice(t, manager); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
	}
}

// TestNotifierReloading compares with the clock that the service manager reads too.
func TestNotifierReloading(t *testing.T) {
	name := processtest.SocketFile(t)
	manager := serviceManager(t, name)
	before := monotonic().Microseconds()
	if err := NewNotifier(environment("NOTIFY_SOCKET=" + name)).Reloading(); err != nil {
		t.Fatal(err)
	}
	after := monotonic().Microseconds()
	var at int64
	if _, err := fmt.Sscanf(notice(t, manager), "RELOADING=1\nMONOTONIC_USEC=%d", &at); err != nil {
		t.Fatal(err)
	}
	if at < before || at > after || runtime.GOOS == "linux" && at == 0 {
		t.Errorf("it reloads at %d, which is not between %d and %d", at, before, after)
	}
}

func TestNotifierNobody(t *testing.T) {
	for name, n := range map[string]*Notifier{"nil": nil, "zero": {}, "no variable": NewNotifier(environment())} {
		for _, tell := range []func() error{
			func() error { return n.Ready("up") }, n.Reloading, n.Stopping, n.Watchdog,
			func() error { return n.Status("up") },
		} {
			if err := tell(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if every := n.WatchdogInterval(); every != 0 {
			t.Errorf("%s: the watchdog wants a word every %v", name, every)
		}
	}
}

// TestNotifierGone has the service manager go, and another one not read.
func TestNotifierGone(t *testing.T) {
	name := processtest.SocketFile(t)
	n := NewNotifier(environment("NOTIFY_SOCKET=" + name))
	if err := n.Stopping(); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("got %v", err)
	}
	serviceManager(t, name)
	var err error
	for range 100_000 { // far more than a queue holds
		if err = n.Watchdog(); err != nil {
			break
		}
	}
	if err == nil || !strings.HasPrefix(err.Error(), "lineman: ") {
		t.Errorf("got %v from one that does not read", err)
	}
}

func TestWatchdogInterval(t *testing.T) {
	own, other := fmt.Sprintf("WATCHDOG_PID=%d", os.Getpid()), fmt.Sprintf("WATCHDOG_PID=%d", os.Getppid())
	for _, c := range []struct {
		environment []string
		want        time.Duration
	}{
		{nil, 0},
		{[]string{"WATCHDOG_USEC=30000000"}, 15 * time.Second},
		{[]string{"WATCHDOG_USEC=30000000", own}, 15 * time.Second},
		{[]string{"WATCHDOG_USEC=30000000", other}, 0},
		{[]string{"WATCHDOG_USEC=1"}, 500 * time.Nanosecond},
		{[]string{"WATCHDOG_USEC=0"}, 0},
		{[]string{"WATCHDOG_USEC=-5"}, 0},
		{[]string{"WATCHDOG_USEC=soon"}, 0},
		{[]string{"WATCHDOG_USEC=9223372036854775807"}, 0},
		{[]string{"WATCHDOG_USEC=18446744073709551615"}, 0}, // for ever
	} {
		if got := NewNotifier(environment(c.environment...)).WatchdogInterval(); got != c.want {
			t.Errorf("%q: %v, want %v", c.environment, got, c.want)
		}
	}
}
