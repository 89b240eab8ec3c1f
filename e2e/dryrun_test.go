package e2e

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lineman-go/lineman"
)

// TestDryRun tells what a reload would do, and changes nothing: neither processes, nor what status counts.
func TestDryRun(t *testing.T) {
	i := newInstance(t, "misbehave")
	i.do("start", "-d")
	i.idle(6)
	before := pids(i.status())
	i.replace(filepath.Join(binaries, "misbehave-2"))
	if said := i.do("reload", "--dry-run"); !strings.HasPrefix(said, "nothing was replaced; a reload would do: 6 ") {
		t.Errorf("it says %q", said)
	}
	r := i.report("reload", "--dry-run", "--json")
	if !r.DryRun || len(r.Processes) != 6 || r.Kept != 0 || r.OldVersion == "" || r.NewVersion == "" {
		t.Errorf("the report: %+v", r)
	}
	i.put("fail-in-OnPrepare") // neither is run
	i.put("fail-in-OnStart")
	i.do("reload", "--dry-run")
	for program, words := range map[string]string{
		"misbehave-crash": "it ended with exit code 7",
		"misbehave-extra": "4 workers now, and had 3: that needs a restart",
	} {
		i.replace(filepath.Join(binaries, program))
		i.refused(words, "reload", "--dry-run")
	}
	i.remove("bin/misbehave")
	i.refused("is gone: put it back", "reload", "--dry-run")
	if s := i.status(); s.Reloads != 0 || len(s.Exits) != 0 || !slices.Equal(pids(s), before) {
		t.Errorf("%d reloads, exits %v; the processes were %v, and are %v", s.Reloads, s.Exits, before, pids(s))
	}
	i.do("stop")
}

// TestReloadDrain tells that all connections drain as it was asked for.
func TestReloadDrain(t *testing.T) {
	i := newInstance(t, "misbehave")
	i.do("start", "-d")
	r := i.report("reload", "--drain", "--json")
	if r.DryRun || len(r.Processes) != 6 || r.Kept != 0 {
		t.Errorf("the report: %+v", r)
	}
	for _, p := range r.Processes {
		if p.Drains != "it was asked for" {
			t.Errorf("the report: %+v", p)
		}
	}
	if said := i.do("reload"); !strings.HasPrefix(said, "reloaded: ") || strings.Count(said, "\n") != 1 {
		t.Errorf("it says %q", said)
	}
	if s := i.status(); s.Reloads != 2 {
		t.Errorf("%d reloads", s.Reloads)
	}
	i.do("stop")
}

// report is what a reload tells programs.
func (i *instance) report(args ...string) (r lineman.ReloadReport) {
	i.t.Helper()
	if err := json.Unmarshal([]byte(i.do(args...)), &r); err != nil {
		i.t.Fatal(err)
	}
	return r
}

// TestDryRunSettings has a wrong setting of the push server found before a reload.
func TestDryRunSettings(t *testing.T) {
	settings := filepath.Join(t.TempDir(), "lineman.yaml")
	write(t, settings, "drain: 1s\n")
	p := startLineman(t, "--config", settings)
	dryRun := func() (string, error) {
		return tryIn(t, p.cmd.Dir, "", filepath.Join(binaries, "lineman"), "reload", "--dry-run")
	}
	if out, err := dryRun(); err != nil || !strings.HasPrefix(out, "nothing was replaced; ") {
		t.Errorf("%q, %v", out, err)
	}
	for text, words := range map[string]string{
		"drain: soon\n": "drain", "tls: {cert: none.pem, key: none.pem}\n": "none.pem", "dry: yes\n": "dry",
	} {
		write(t, settings, text)
		if out, err := dryRun(); err == nil || !strings.Contains(out, words) {
			t.Errorf("%s: %q, %v", text, out, err)
		}
	}
}
