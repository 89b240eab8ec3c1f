package program

import (
	"strings"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	var b strings.Builder
	table := NewTable(&b)
	table.Row("pid", "name")
	table.Row(12345, "a b")
	table.End()
	if got, want := b.String(), "pid    name\n12345  a b\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestSize has a number be of the largest unit of which there is one.
func TestSize(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0B", 1023: "1023B", 1024: "1.0KiB", 1536: "1.5KiB", 1 << 20: "1.0MiB", 5 << 30: "5.0GiB",
		1 << 60: "1048576.0TiB",
	} {
		if got := Size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                                "0s",
		1234 * time.Microsecond:          "1ms",
		12345 * time.Millisecond:         "12.3s",
		90*time.Second + 300*time.Minute: "5h1m30s",
		50*time.Hour + 20*time.Second:    "2d 2h0m0s",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
}
