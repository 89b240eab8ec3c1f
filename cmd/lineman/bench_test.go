package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// TestBenchUsage puts no load on another machine unless that is said, and has bounds.
func TestBenchUsage(t *testing.T) {
	for _, c := range []struct {
		args string
		want string
	}{
		{"--url ws://192.0.2.1:1234", "say --yes"},
		{"--text 192.0.2.1:5678", "say --yes"},
		{"--connections 30000", "--from 127.0.0.2"},
		{"--for 1h", "at most 10m"},
		{"now", "unknown command"},
	} {
		r := root()
		r.SetArgs(append([]string{"bench"}, strings.Fields(c.args)...))
		r.SetOut(&bytes.Buffer{})
		err := r.Execute()
		var usage *usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("bench %s: %v, want %q", c.args, err, c.want)
		}
	}
}
