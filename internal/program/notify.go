//go:build unix

package program

import (
	"fmt"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// A Notifier tells a service manager how the program is, by sd_notify(3). Without one, and as nil, it does nothing. Its
// methods may be called on any goroutine, and take a second at most.
type Notifier struct {
	socket   string // empty: there is nobody to tell
	watchdog time.Duration
}

// notifyTime bounds the wait for a service manager that does not read.
const notifyTime = time.Second

// NewNotifier reads from the environment who is to be told.
func NewNotifier(getenv func(string) string) *Notifier {
	n := &Notifier{socket: getenv("NOTIFY_SOCKET")}
	if pid := getenv("WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
		n.watchdog = halfOf(getenv("WATCHDOG_USEC"))
	}
	return n
}

// halfOf is half of a number of microseconds; 0 for what is none.
func halfOf(microseconds string) time.Duration {
	n, err := strconv.ParseInt(microseconds, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/int64(time.Microsecond) {
		return 0
	}
	return time.Duration(n) * time.Microsecond / 2
}

// WatchdogInterval is how often Watchdog is to be called: half of the time after which the service manager would take
// the program for dead. 0 means never.
func (n *Notifier) WatchdogInterval() time.Duration {
	if n == nil {
		return 0
	}
	return n.watchdog
}

// Ready says that the program serves; also after Reloading. An empty status leaves the one before.
func (n *Notifier) Ready(status string) error {
	state := []string{"READY=1", "MAINPID=" + strconv.Itoa(os.Getpid())}
	if status != "" {
		state = append(state, statusLine(status))
	}
	return n.send(state...)
}

// Reloading says that a reload has begun, and when.
func (n *Notifier) Reloading() error {
	return n.send("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", monotonic().Microseconds()))
}

// Stopping says that the program ends.
func (n *Notifier) Stopping() error { return n.send("STOPPING=1") }

// Watchdog says that the program lives.
func (n *Notifier) Watchdog() error { return n.send("WATCHDOG=1") }

// Status says how the program is, in one line for people.
func (n *Notifier) Status(status string) error { return n.send(statusLine(status)) }

// statusLine keeps a status from saying more than that: each line is a statement.
func statusLine(status string) string { return "STATUS=" + strings.ReplaceAll(status, "\n", " ") }

func (n *Notifier) send(state ...string) error {
	if n == nil || n.socket == "" {
		return nil
	}
	c, err := net.Dial("unixgram", n.socket) // package net knows the names that begin with "@"
	if err != nil {
		return fmt.Errorf("lineman: notify: %w", err)
	}
	defer c.Close()
	if err := c.SetWriteDeadline(time.Now().Add(notifyTime)); err != nil {
		return fmt.Errorf("lineman: notify: %w", err)
	}
	if _, err := c.Write([]byte(strings.Join(state, "\n"))); err != nil {
		return fmt.Errorf("lineman: notify: %w", err)
	}
	return nil
}
