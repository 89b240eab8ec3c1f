//go:build !linux

// Command measure is for Linux: it reads /proc.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "measure: only on Linux")
	os.Exit(1)
}
