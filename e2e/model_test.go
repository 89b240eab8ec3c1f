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
			said := search(t, []string{"-O2", c.how}, strings.Fields(c.flags)...)
			if !strings.Contains(said, "errors: 0\n") || strings.Contains(said, "Search not completed") {
				t.Errorf("spin says:\n%s", said)
			}
		})
	}
	for _, part := range []string{"SUBSCRIBING_FIRST", "HOLDING", "SKIPPING", "EPOCH", "REPAIR", "COMPARING"} {
		t.Run("without "+part, func(t *testing.T) {
			said := search(t, []string{"-O0", "-DSAFETY"}, "-DMESSAGES=2", "-DWITHOUT_"+part)
			if !strings.Contains(said, "assertion violated") {
				t.Errorf("nothing is violated:\n%s", said)
			}
		})
	}
}

// search has spin look at every state of the model, for assertions or, with -DNP, for runs without an end.
func search(t *testing.T, compiled []string, flags ...string) (said string) {
	t.Helper()
	model, err := filepath.Abs("../docs/model/subscribe.pml")
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
