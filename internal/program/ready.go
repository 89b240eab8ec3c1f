//go:build unix

package program

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"
)

// ready tells everybody that the program serves.
func (r *running) ready() {
	r.tellManager()
	if r.report != nil {
		r.tell(nil)
		return
	}
	fmt.Print(r.banner())
	if r.files {
		fmt.Printf("%s runs in the foreground as pid %d. Press Ctrl+C to stop.\n", r.Name, os.Getpid())
	} else {
		fmt.Println("Press Ctrl+C to stop.")
	}
}

// tellManager tells a service manager that the program serves, and from now on that the master lives.
func (r *running) tellManager() {
	if err := r.notifier.Ready("serves with " + Count(r.processes(), "process", "processes")); err != nil {
		slog.Warn("lineman: the service manager could not be told", "error", err)
	}
	if every := r.notifier.WatchdogInterval(); every > 0 {
		go r.watchdog(every)
	}
}

// watchdog shows a service manager that the master lives.
func (r *running) watchdog(every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-r.stopped:
			return
		case <-t.C:
			_ = r.notifier.Watchdog() // likewise: it has gone
		}
	}
}

// processes is how many processes the program has.
func (r *running) processes() (n int) {
	for _, w := range r.workers {
		n += w.Count
	}
	return n
}

// banner lists the workers and where they listen.
func (r *running) banner() string {
	var b bytes.Buffer
	t := NewTable(&b)
	t.Row("worker", "processes", "listening")
	listening := r.supervisor.Listening()
	for _, w := range r.workers {
		addr := "-"
		if at := listening[w.Name]; len(at) > 0 {
			addr = strings.Join(at, " ")
		}
		t.Row(w.Name, w.Count, addr)
	}
	t.End()
	return b.String()
}
