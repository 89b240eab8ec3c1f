package main

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
)

// TestCompletion has a script for each shell, which that shell can read where it is there.
func TestCompletion(t *testing.T) {
	for _, shell := range shells {
		out, err := run("completion", shell)
		if err != nil || !strings.Contains(out, "lineman") {
			t.Errorf("%s: %q, %v", shell, out, err)
		}
		if path, err := exec.LookPath(shell); err == nil && shell != "powershell" {
			cmd := exec.Command(path, "-n")
			cmd.Stdin = strings.NewReader(out)
			if said, err := cmd.CombinedOutput(); err != nil || len(said) > 0 {
				t.Errorf("%s -n: %v: %s", shell, err, said)
			}
		}
	}
	for _, line := range []string{"completion", "completion tcsh", "completion bash zsh"} {
		var wrong *usageError
		if _, err := run(strings.Fields(line)...); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// TestCompletes has a shell be told what may come next: words, files of a kind, any file, folders, or nothing. The
// number behind the words is what cobra tells scripts: 4 no files, 8 files of these kinds, 16 folders, 0 any file.
func TestCompletes(t *testing.T) {
	for line, want := range map[string]string{
		"pu":                          "push :4",
		"push ":                       "uid group channel conn all :4",
		"push uid ":                   ":4",
		"push uid uid1 ":              ":4",
		"status ":                     ":4",
		"config i":                    "init :4",
		"config check ":               "yaml yml json :8",
		"config init ":                "yaml yml json :8",
		"start --config ":             "yaml yml json :8",
		"start --log-format ":         "text json :4",
		"start --token-secret-files ": ":0",
		"start --drain ":              ":4",
		"start --count ":              ":4",
		"start --token-sec":           "--token-secret-files :4",
		"push --key-file ":            ":0",
		"push --server ":              ":4",
		"listen --event ":             "connect message close join leave occupied vacated rpc pusher :4",
		"bench --mode ":               "uid all :4",
		"completion ":                 "bash zsh fish powershell :4",
		"man ":                        ":16",
		"watch ":                      ":4",
	} {
		out, err := run(append([]string{"__complete"}, strings.Split(line, " ")...)...)
		var words []string
		for line := range strings.Lines(out) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			if word != "" && !strings.HasPrefix(word, "Completion ended") {
				words = append(words, word)
			}
		}
		if got := strings.Join(words, " "); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", line, got, err, want)
		}
	}
}
