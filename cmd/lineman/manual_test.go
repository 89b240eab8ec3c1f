package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
)

// TestManual has a page for each command and for the settings, which man shows without a complaint where it is there.
func TestManual(t *testing.T) {
	folder := t.TempDir()
	if out, err := run("man", folder); err != nil || out != "" {
		t.Fatalf("%q, %v", out, err)
	}
	for name, wants := range map[string][]string{
		"man1/lineman.1":             {`.BR lineman\-push (1)`, `.BR lineman\-config (1)`},
		"man1/lineman-push.1":        {`push uid uid1 \(aq{"percent":"88%"}\(aq`, `\fB\-\-wait\fR \fIduration\fR`},
		"man1/lineman-start.1":       {`\fB\-d\fR, \fB\-\-daemon\fR` + "\n", `\fB\-\-config\fR \fIfile\fR`},
		"man1/lineman-config-init.1": {`.BR lineman\-config (1)`},
		"man5/lineman.yaml.5":        {".B text.listen\n", `.IR "127.0.0.1:5678" .`, ".nf\ntext:\n  listen: "},
	} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s has no %s:\n%s", name, want, text)
			}
		}
	}
	pages, err := filepath.Glob(filepath.Join(folder, "man?", "*"))
	if err != nil || len(pages) < len(root().Commands()) {
		t.Fatal(pages, err)
	}
	man, err := exec.LookPath("man")
	if err != nil {
		t.Skip("there is no man, which would show them")
	}
	for _, page := range pages {
		cmd := exec.Command(man, "--warnings", "-l", page)
		cmd.Env = append(cmd.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8", "MANPAGER=cat")
		var complaints strings.Builder
		cmd.Stderr = &complaints
		if shown, err := cmd.Output(); err != nil || complaints.Len() > 0 || len(shown) < 200 {
			t.Errorf("%s: %v: %s%s", page, err, complaints.String(), shown)
		}
	}
}

// TestManualSettings has each setting be on its page, once.
func TestManualSettings(t *testing.T) {
	page := settingsPage()
	for _, s := range config.Settings() {
		if n := strings.Count(page, "\n.B "+roff(s.Key)+"\n"); n != 1 || s.Document == "" {
			t.Errorf("%s is there %d times, with %q", s.Key, n, s.Document)
		}
	}
}

// TestRoff has text be shown as it is, whatever man would take it for.
func TestRoff(t *testing.T) {
	for text, want := range map[string]string{
		".SH": `\&.SH`, "'a'": `\(aqa\(aq`, `a\b`: `a\(rsb`, "--x": `\-\-x`, "`a`": `\(gaa\(ga`,
	} {
		if got := roff(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// TestManualFails tells what to do where a folder cannot be made.
func TestManualFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run("man", file); err == nil || !strings.Contains(err.Error(), "name a folder") {
		t.Error(err)
	}
	if _, err := run("man"); err == nil {
		t.Error("a folder is not asked for")
	}
}
