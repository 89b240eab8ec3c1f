package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// shown is a command line as the documents show it: with a prompt or in code, up to what ends it there.
var shown = regexp.MustCompile("(?m)(?:`|\\$ |^|^\\./|&& |\\| |run \\./cmd/|-u lineman )lineman\\s([a-z][^`\n|#]*)")

// TestDocs has the documents show commands and flags that there are, and each command somewhere.
func TestDocs(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	there := map[string]bool{}
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range shown.FindAllStringSubmatch(string(text), -1) {
			words := strings.Fields(m[1])
			if strings.Contains(words[0], "/") { // the name of a process
				continue
			}
			c, rest, err := root().Find(words)
			if err != nil || !c.HasParent() {
				t.Errorf("%s: %q is no command", page, m[0])
				continue
			}
			there[c.CommandPath()] = true
			for _, word := range rest {
				name, _, _ := strings.Cut(word, "=")
				if word == "--" {
					break
				}
				if flag, long := strings.CutPrefix(name, "--"); long && c.Flags().Lookup(flag) == nil &&
					flag != "help" {
					t.Errorf("%s: %s has no flag %s", page, c.CommandPath(), word)
				}
			}
		}
	}
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		for _, below := range c.Commands() {
			if !below.HasSubCommands() && !there[below.CommandPath()] {
				t.Errorf("no document shows %s", below.CommandPath())
			}
			visit(below)
		}
	}
	visit(root())
}
