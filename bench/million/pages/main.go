//go:build linux

// Command pages is some users of a server, each with a WebSocket that comes back when it is told goodbye: one thread
// on one epoll set, a few bytes each. It has no buffer for half a frame: messages are small.
//
//	go -C bench run ./million/pages -to 127.0.0.1:7000 -from 127.0.1.1 -first 0 -count 1000
//
// It reads commands, a line each, until its standard input ends:
//
//	say TEXT   the first page sends TEXT
//	tell       it writes its Counts, as a line of JSON
//
// When each page has got the message "all N …", it writes the line "all N".
package main

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"runtime/debug"
)

func main() {
	to := flag.String("to", "127.0.0.1:7000", "address of the server, IPv4")
	from := flag.String("from", "127.0.1.1", "the first of four source addresses")
	first := flag.Int("first", 0, "number of the first user")
	count := flag.Int("count", 1000, "users")
	flag.Parse()
	debug.SetGCPercent(20) // its memory is not what is measured, and there is little of it
	if err := run(*to, *from, *first, *count); err != nil {
		fmt.Fprintln(os.Stderr, "pages:", err)
		os.Exit(1)
	}
}

func run(to, from string, first, count int) error {
	server, err := netip.ParseAddrPort(to)
	if err != nil {
		return err
	}
	source, err := netip.ParseAddr(from)
	if err != nil {
		return err
	}
	c, err := newCrowd(server, source, first, count)
	if err != nil {
		return err
	}
	return c.serve()
}
