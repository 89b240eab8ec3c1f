package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// run gives the program a command line, and returns what it says.
func run(args ...string) (string, error) {
	var out bytes.Buffer
	c := root()
	c.SetOut(&out)
	c.SetErr(&out)
	c.SetArgs(args)
	err := c.Execute()
	return out.String(), err
}

// TestConfigInit writes a file that is good, for nobody else to read, and never over another.
func TestConfigInit(t *testing.T) {
	folder := t.TempDir()
	for _, args := range [][]string{{"config", "init"}, {"config", "init", "--secret"}} {
		name := filepath.Join(folder, strings.Join(args, "-")+".yaml")
		if out, err := run(append(args, name)...); err != nil || !strings.Contains(out, name) {
			t.Fatalf("%q, %v", out, err)
		}
		info, err := os.Stat(name)
		if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		if out, err := run("config", "check", name); err != nil || out != "ok\n" {
			t.Errorf("check: %q, %v", out, err)
		}
		before, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := run("config", "init", name); err == nil || !strings.Contains(err.Error(), "exists: move it away") {
			t.Errorf("again: %v", err)
		}
		if after, err := os.ReadFile(name); err != nil || !bytes.Equal(before, after) {
			t.Errorf("it was changed: %v", err)
		}
	}
	if one, two := newSecret(), newSecret(); one == two || len(one) != 43 {
		t.Error("secrets are equal, or short")
	}
	missing := filepath.Join(folder, "missing", "file")
	_, err := run("config", "init", missing)
	if !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), missing) ||
		!strings.Contains(err.Error(), "name a file in") {
		t.Errorf("in a folder that is missing: %v", err)
	}
}

// TestConfigShow lists the settings for people, in columns, and for programs.
func TestConfigShow(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.yaml")
	if err := os.WriteFile(name, []byte("token: {secrets: [hush-hush-0123456789]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := run("config", "show", "--config", name, "--drain", "3s")
	if err != nil || strings.Contains(out, "hush") {
		t.Errorf("%s, %v", out, err)
	}
	column := strings.Index(out, "127.0.0.1:1234")
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		if len(line) < column || line[column-1] != ' ' || line[column] == ' ' {
			t.Errorf("not in columns: %s", line)
		}
	}
	out, err = run("config", "show", "--config", name, "--drain", "3s", "--json")
	var all []struct {
		Key, Source string
		Value       any
	}
	if err := errors.Join(err, json.Unmarshal([]byte(out), &all)); err != nil || strings.Contains(out, "hush") {
		t.Fatalf("%s, %v", out, err)
	}
	found := 0
	for _, e := range all {
		if e.Key == "drain" && e.Value == "3s" && e.Source == "flag --drain" ||
			e.Key == "token.secrets" && e.Source == "file "+name+":1" {
			found++
		}
	}
	if found != 2 {
		t.Errorf("%+v", all)
	}
}

// TestUsage has a command line that cannot be understood be told from a configuration that is wrong.
func TestUsage(t *testing.T) {
	for line, isUsage := range map[string]bool{
		"config check a b": true, "config show x": true, "config show --bananas": true, "config bananas": true,
		"start x": true, "start --drain 10": true, "start --token-secrets x": true, "version x": true,
		"config check /no/such/file": false, "start --config /no/such/file": false,
	} {
		_, err := run(strings.Fields(line)...)
		var wrong *usageError
		if err == nil || errors.As(err, &wrong) != isUsage {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// TestVersion tells of the build, for people and for programs.
func TestVersion(t *testing.T) {
	info := &debug.BuildInfo{
		Main:     debug.Module{Version: "v0.1.2"},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}},
	}
	if text := thisBuild(info, true).String(); !strings.HasPrefix(text, "lineman v0.1.2, commit abc-dirty, go1.") {
		t.Error(text)
	}
	if text := thisBuild(nil, false).String(); !strings.HasPrefix(text, "lineman (unknown version), go1.") {
		t.Error(text)
	}
	out, err := run("version", "--json")
	var b build
	if err := errors.Join(err, json.Unmarshal([]byte(out), &b)); err != nil || b.OS != runtime.GOOS ||
		b.Arch != runtime.GOARCH || b.Go != runtime.Version() {
		t.Errorf("%s, %v", out, err)
	}
}
