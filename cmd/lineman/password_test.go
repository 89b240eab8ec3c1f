package main

import (
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
)

// TestPassword makes passwords with their hashes, and hashes one that is read.
func TestPassword(t *testing.T) {
	made, err := runCommand("", "password")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(made)
	if len(lines) != 4 || !config.IsPassword(lines[3], lines[1]) {
		t.Errorf("it prints %q", made)
	}
	if again, _ := runCommand("", "password"); again == made {
		t.Error("it makes the same password again")
	}
	hash, err := runCommand("correct horse battery\n", "password", "--stdin")
	if err != nil || !config.IsPassword(strings.TrimSuffix(hash, "\n"), "correct horse battery") {
		t.Errorf("the hash of one that is read: %q, %v", hash, err)
	}
	for in, want := range map[string]string{
		"short": "can be guessed", "several lines\nof something": "several lines",
		strings.Repeat("long", 1000): "too long", "": "can be guessed",
	} {
		if out, err := runCommand(in, "password", "--stdin"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %q, %v; want %s", in, out, err, want)
		}
	}
}
