//go:build !unix

// Command subject is for Unix: a signal has it tell what it holds.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "subject: only on Unix")
	os.Exit(1)
}
