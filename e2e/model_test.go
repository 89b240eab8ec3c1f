package e2e

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestModel has spin search all states of the model of subscribing: nothing is violated, unless a part of the rule is
// taken out.
func TestModel(t *testing.T) {
	t.Parallel()
	need(t, "spin")
	need(t, "gcc")
	for _, c := range []struct{ name, flags, how string }{
		{"a cut and a crash", "-DBREAKS=0", "-DSAFETY"},
		{"a cut and broken links", "-DCRASHES=0", "-DSAFETY"},
		{"a crash and broken links", "-DCUTS=0 -DMESSAGES=2", "-DSAFETY"},
		{"all of them", "-DMESSAGES=2", "-DSAFETY"},
		{"every run has an end", "-DMESSAGES=2 -DBREAKS=0", "-DNP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			mustHold(t, search(t, "subscribe", []string{"-O2", c.how}, strings.Fields(c.flags)...))
		})
	}
	for _, part := range []string{"SUBSCRIBING_FIRST", "HOLDING", "SKIPPING", "EPOCH", "REPAIR", "COMPARING"} {
		t.Run("without "+part, func(t *testing.T) {
			mustBreak(t, search(t, "subscribe", []string{"-O0", "-DSAFETY"}, "-DMESSAGES=2", "-DWITHOUT_"+part))
		})
	}
}

// TestModelHandover does the same with the model of a handover.
func TestModelHandover(t *testing.T) {
	t.Parallel()
	need(t, "spin")
	need(t, "gcc")
	for _, c := range []struct{ name, flags, how string }{
		{"all may die", "", "-DSAFETY"},
		{"the socket holds one message", "-DROOM=1", "-DSAFETY"},
		{"every run has an end", "", "-DNP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			mustHold(t, search(t, "handover", []string{"-O2", c.how}, strings.Fields(c.flags)...))
		})
	}
	for _, part := range []string{"READY", "WORD", "ABORT", "INHERITING", "KEEPING", "RETURNING"} {
		t.Run("without "+part, func(t *testing.T) {
			mustBreak(t, search(t, "handover", []string{"-O0", "-DSAFETY"}, "-DWITHOUT_"+part))
		})
	}
}

// mustHold fails the test unless spin has seen all states, and found nothing.
func mustHold(t *testing.T, said string) {
	t.Helper()
	if !strings.Contains(said, "errors: 0\n") || strings.Contains(said, "Search not completed") {
		t.Errorf("spin says:\n%s", said)
	}
}

// mustBreak fails the test unless spin has found what is wrong.
func mustBreak(t *testing.T, said string) {
	t.Helper()
	if !strings.Contains(said, "assertion violated") {
		t.Errorf("nothing is violated:\n%s", said)
	}
}

// search has spin look at every state of a model, for assertions or, with -DNP, for runs without an end.
func search(t *testing.T, name string, compiled []string, flags ...string) (said string) {
	t.Helper()
	model, err := filepath.Abs("../docs/model/" + name + ".pml")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	run := func(name string, arguments ...string) string {
		command := exec.CommandContext(ctx, name, arguments...)
		command.Dir = folder
		said, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, said)
		}
		return string(said)
	}
	run("spin", append(append([]string{"-a"}, flags...), model)...)
	run("gcc", append(compiled, "-DCOLLAPSE", "-DVECTORSZ=2048", "-DMEMLIM=900", "-o", "pan", "pan.c")...)
	arguments := []string{"-n", "-m100000"}
	if slices.Contains(compiled, "-DNP") {
		arguments = append(arguments, "-l")
	}
	return run(filepath.Join(folder, "pan"), arguments...)
}
