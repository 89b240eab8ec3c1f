//go:build unix

package master

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// A Notifier tells a service manager of systemd's kind how the program is, by sd_notify(3). Without one it does nothing.
type Notifier struct {
	path     string // empty: there is nobody to tell
	watchdog time.Duration
}

// NewNotifier reads who is to be told from the environment.
func NewNotifier(getenv func(string) string) *Notifier {
	n := &Notifier{path: getenv("NOTIFY_SOCKET")}
	µs, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
	if pid := getenv("WATCHDOG_PID"); err == nil && µs > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		n.watchdog = time.Duration(µs) * time.Microsecond / 2
	}
	return n
}

// WatchdogInterval is how often Watchdog is to be called; 0 means never.
func (n *Notifier) WatchdogInterval() time.Duration { return n.watchdog }

// Ready says that the program serves; also after Reloading.
func (n *Notifier) Ready(status string) error {
	state := []string{"READY=1", "MAINPID=" + strconv.Itoa(os.Getpid())}
	if status != "" {
		state = append(state, "STATUS="+status)
	}
	return n.send(state...)
}

// Reloading says that a reload has begun.
func (n *Notifier) Reloading() error {
	return n.send("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", monotonic().Microseconds()))
}

// Stopping says that the program ends.
func (n *Notifier) Stopping() error { return n.send("STOPPING=1") }

// Watchdog says that the program lives.
func (n *Notifier) Watchdog() error { return n.send("WATCHDOG=1") }

func (n *Notifier) send(state ...string) error {
	if n.path == "" {
		return nil
	}
	c, err := net.Dial("unixgram", n.path) // package net knows the names that begin with "@"
	if err != nil {
		return fmt.Errorf("lineman: notify: %w", err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(strings.Join(state, "\n"))); err != nil {
		return fmt.Errorf("lineman: notify: %w", err)
	}
	return nil
}
