//go:build !linux

// Command pages is for Linux: it waits by epoll.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "pages: only on Linux")
	os.Exit(1)
}
