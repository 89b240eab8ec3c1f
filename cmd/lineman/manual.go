package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
)

func manCommand() *cobra.Command {
	return &cobra.Command{
		Use: "man FOLDER", Short: "Write the manual pages",
		Long: `Write the manual pages to a folder, in which man finds them by the names of its folders man1 and man5:

  sudo lineman man /usr/local/share/man
  man lineman

Each command has a page, lineman-push(1), and the settings have lineman.yaml(5).`,
		Args: func(c *cobra.Command, args []string) error {
			if err := cobra.ExactArgs(1)(c, args); err != nil {
				return &usageError{err}
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(c *cobra.Command, args []string) error { return writeManual(c.Root(), args[0]) },
	}
}

// writeManual writes a page for a command and for each below it, and that of the settings.
func writeManual(root *cobra.Command, folder string) error {
	pages := map[string]string{"man5/lineman.yaml.5": settingsPage()}
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		pages["man1/"+pageName(c)+".1"] = commandPage(c)
		for _, below := range c.Commands() {
			if below.IsAvailableCommand() {
				visit(below)
			}
		}
	}
	visit(root)
	for _, section := range []string{"man1", "man5"} {
		if err := os.MkdirAll(filepath.Join(folder, section), 0o755); err != nil {
			return fmt.Errorf("%s: %w: name a folder that this user may write to", folder, bare(err))
		}
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(folder, name), bare(err))
		}
	}
	return nil
}

// pageName is lineman-config-init for lineman config init.
func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manual is a page that is being written, in the language of man(7).
type manual struct{ strings.Builder }

func newManual(name, section, short string) *manual {
	m := &manual{}
	fmt.Fprintf(m, ".TH %q %s \"\" \"Lineman\" \"Lineman\"\n.SH NAME\n%s \\- %s\n", strings.ToUpper(name), section,
		roff(name), roff(short))
	return m
}

func commandPage(c *cobra.Command) string {
	m := newManual(pageName(c), "1", c.Short)
	fmt.Fprintf(m, ".SH SYNOPSIS\n.B %s\n.SH DESCRIPTION\n", roff(c.UseLine()))
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	m.text(text)
	if c.HasAvailableSubCommands() {
		m.WriteString(".SH COMMANDS\n")
		for _, below := range c.Commands() {
			if below.IsAvailableCommand() {
				fmt.Fprintf(m, ".TP\n.BR %s (1)\n%s\n", roff(pageName(below)), roff(below.Short))
			}
		}
	}
	m.flags("OPTIONS", c.NonInheritedFlags())
	m.flags("OPTIONS OF THE COMMAND ABOVE", c.InheritedFlags())
	m.WriteString(".SH EXIT STATUS\n" +
		"0 done, 1 failed: the message says what, 2 wrong usage, 3 not running, 4 already running.\n.SH SEE ALSO\n")
	if c.HasParent() {
		fmt.Fprintf(m, ".BR %s (1),\n", roff(pageName(c.Parent())))
	}
	m.WriteString(".BR lineman.yaml (5)\n")
	return m.String()
}

func settingsPage() string {
	m := newManual("lineman.yaml", "5", "settings of the push server")
	m.WriteString(".SH DESCRIPTION\n")
	m.text("lineman start reads its settings from lineman.yaml in its folder, from the file of --config or from that " +
		"of LINEMAN_CONFIG. Each can also be said by the environment, as LINEMAN_TEXT_LISTEN for text.listen, and, " +
		"but for secrets, api.keys, namespaces, hooks and pusher.apps, by a flag: --tls-cert for tls.cert. The later " +
		"of file, environment and flags wins. Sizes are written as 64KiB, durations as 10s. A dot stands for a " +
		"section:\n\n" +
		"  text:\n    listen: 127.0.0.1:5678\n\n" +
		"lineman config init writes a file with all of them. lineman config check tells what is wrong with one.")
	m.WriteString(".SH SETTINGS\n")
	for _, s := range config.Settings() {
		fmt.Fprintf(m, ".TP\n.B %s\n%s.\nThe default is\n.IR \"%s\" .\n", roff(s.Key), roff(s.Document),
			strings.ReplaceAll(roff(s.Default), `"`, `\(dq`))
	}
	m.WriteString(".SH SEE ALSO\n.BR lineman (1),\n.BR lineman\\-config (1)\n")
	return m.String()
}

// text writes paragraphs. Lines that are indented are shown as they are.
func (m *manual) text(text string) {
	shown, between := false, ""
	for line := range strings.Lines(strings.TrimSpace(text) + "\n") {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			between = ".PP\n"
			continue
		}
		if code := strings.HasPrefix(line, "  "); code != shown {
			between = map[bool]string{true: ".PP\n.RS 4\n.nf\n", false: ".fi\n.RE\n.PP\n"}[code]
			shown = code
		}
		m.WriteString(between + roff(strings.TrimPrefix(line, "  ")) + "\n")
		between = ""
	}
	if shown {
		m.WriteString(".fi\n.RE\n")
	}
}

// flags writes a section about flags, if there are some. Of settings it names those that the help names.
func (m *manual) flags(title string, all *pflag.FlagSet) {
	if !all.HasAvailableFlags() {
		return
	}
	m.WriteString(".SH " + title + "\n")
	all.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name := "\\fB" + roff("--"+f.Name) + "\\fR"
		if f.Shorthand != "" {
			name = "\\fB" + roff("-"+f.Shorthand) + "\\fR, " + name
		}
		value, usage := pflag.UnquoteUsage(f)
		if value != "" && f.NoOptDefVal == "" {
			name += " \\fI" + roff(value) + "\\fR"
		}
		fmt.Fprintf(m, ".TP\n%s\n%s\n", name, roff(usage))
		switch f.DefValue {
		case "", "0", "0s", "false", "[]":
		default:
			fmt.Fprintf(m, "(default \\fI%s\\fR)\n", roff(f.DefValue))
		}
	})
}

// roff is text that man shows as it is.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\(rs`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}
