//go:build linux

// Command million holds a million WebSockets on one machine, pushes a message to all of them, and then to one user
// after the other while a reload replaces every process, and keeps every connection; beside it, what the raw loop of
// floor needs for the same. A process has 20,000 descriptors on many a machine, so servers and clients are many
// processes: the servers on the first core, the clients on the second.
//
//	go -C bench run ./million
//	go -C bench run ./million -connections 20000                  in seconds
//	go -C bench run ./million -connections 100000 -idle           what pings cost while nothing else happens
//
// It ends before less than -leave of memory is available, and after -limit. Without pings only the kernel asks whether
// a silent peer is there, after a minute, and it asks all that came within two seconds at once: over loopback what is
// more than net.core.netdev_max_backlog is lost, and after two minutes connections end that are well. Where it takes as
// long as that, raise it: -backlog, as root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	s := scene{out: os.Stdout}
	flag.IntVar(&s.connections, "connections", 1_000_000, "how many in all")
	flag.IntVar(&s.each, "each", 19_700, "the most that a process has of them")
	idle := flag.Bool("idle", false, "push nothing, and watch the CPU time of pings")
	flag.DurationVar(&s.pings, "pings", 25*time.Second, "how long a connection is quiet before a ping, with -idle")
	flag.DurationVar(&s.watched, "for", time.Minute, "how long pings are watched, with -idle")
	flag.DurationVar(&s.quiet, "quiet", 30*time.Second, "from the last connection until memory is looked at")
	only := flag.String("only", "", "only this: floor, or Lineman")
	leave := flag.Int("leave", 3, "GiB of memory that stay available")
	backlog := flag.Int("backlog", 0, "net.core.netdev_max_backlog meanwhile; 0 leaves it as it is")
	limit := flag.Duration("limit", 10*time.Minute, "the longest that it may take")
	flag.Parse()
	if !*idle {
		s.pings = 0
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, *limit, fmt.Errorf("not done within %v", *limit))
	defer cancel()
	ctx, giveUp := context.WithCancelCause(ctx)
	go watchMemory(ctx, uint64(*leave)<<30, giveUp)
	if err := s.show(ctx, *only, *backlog); err != nil {
		if why := context.Cause(ctx); why != nil && errors.Is(err, ctx.Err()) {
			err = why
		}
		fmt.Fprintln(os.Stderr, "million:", err)
		os.Exit(1)
	}
}

// show runs the scene, with all servers or only one, and prints what they have shown.
func (s *scene) show(ctx context.Context, only string, backlog int) error {
	if only != "" && only != "floor" && only != "Lineman" {
		return fmt.Errorf("-only %q: want floor or Lineman", only)
	}
	lower, err := raiseBacklog(backlog)
	if err != nil {
		return err
	}
	defer lower()
	lineman, floor, err := s.run(ctx, s.pings == 0 && only != "Lineman", only != "floor")
	if err == nil {
		s.compare(lineman, floor)
	}
	return err
}
