//go:build !unix

// Command rival is for Unix: a signal has it tell what it holds.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "rival: only on Unix")
	os.Exit(1)
}
