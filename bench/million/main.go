//go:build linux

// Command million holds a million WebSockets on one machine, pushes a message to all of them, and then to one user
// after the other while a reload replaces every process; beside it, what the raw loop of floor needs for the same. A
// process has 20,000 descriptors on many a machine, so servers and clients are many processes: the servers on the first
// core, the clients on the second.
//
//	go -C bench run ./million
//	go -C bench run ./million -connections 20000                  in seconds
//	go -C bench run ./million -connections 100000 -idle           what pings cost while nothing else happens
//
// It ends before less than -leave of memory is available, and after -limit.
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
	flag.IntVar(&s.each, "each", 19_000, "the most that a process has of them")
	idle := flag.Bool("idle", false, "push nothing, and watch the CPU time of pings")
	flag.DurationVar(&s.pings, "pings", 25*time.Second, "how long a connection is quiet before a ping, with -idle")
	flag.DurationVar(&s.watched, "for", time.Minute, "how long pings are watched, with -idle")
	flag.DurationVar(&s.quiet, "quiet", 25*time.Second, "from the last connection until memory is looked at")
	only := flag.String("only", "", "only this: floor, or Lineman")
	leave := flag.Int("leave", 3, "GiB of memory that stay available")
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
	lineman, floor, err := s.run(ctx, !*idle && *only != "Lineman", *only != "floor")
	if err != nil {
		if why := context.Cause(ctx); why != nil && errors.Is(err, ctx.Err()) {
			err = why
		}
		fmt.Fprintln(os.Stderr, "million:", err)
		os.Exit(1)
	}
	s.compare(lineman, floor)
}
