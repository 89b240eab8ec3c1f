package server

import (
	"os"
	"strings"
	"testing"
)

// TestDocs has a row of docs/push.md for each command, with what it takes.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/push.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range commands {
		row := ""
		for _, line := range strings.Split(string(text), "\n") {
			if first, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " | "); ok && strings.Contains(first, "`"+name+"`") {
				row = line
			}
		}
		if row == "" {
			t.Errorf("no row for %s", name)
		}
		for _, field := range c.fields {
			if !strings.Contains(row, "`"+field+"`") {
				t.Errorf("the row of %s does not have %s", name, field)
			}
		}
	}
}
