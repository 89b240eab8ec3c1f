//go:build !linux

// Command floor is for Linux: it serves over epoll.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "floor: only on Linux")
	os.Exit(1)
}
