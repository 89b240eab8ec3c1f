package main

import (
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// TestMain takes away variables that would be settings of the server, or mistakes in them.
func TestMain(m *testing.M) {
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "LINEMAN_") && name != "LINEMAN_POLLER" {
			os.Unsetenv(name)
		}
	}
	goleak.VerifyTestMain(m)
}
