//go:build !linux

// Command million is for Linux: it reads /proc.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "million: only on Linux")
	os.Exit(1)
}
