//go:build !unix

// Command server is for Unix: it runs in several processes.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "server: only on Unix")
	os.Exit(1)
}
