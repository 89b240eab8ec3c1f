package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
)

func configCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "config", Short: "Write, check and show the settings", Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(configInitCommand(), configCheckCommand(), configShowCommand())
	return c
}

func configInitCommand() *cobra.Command {
	var withSecret bool
	c := &cobra.Command{
		Use: "init [FILE]", Short: "Write a file with every setting and its default", Args: atMostOneFile,
		ValidArgsFunction: yamlFiles,
		Long: "Write a file, " + config.DefaultFile +
			" unless another is named, with every setting, what it is, and its default. It must not exist.",
		RunE: func(c *cobra.Command, args []string) error {
			name, secret := fileOf(args), ""
			if withSecret {
				secret = newSecret()
			}
			if err := writeNew(name, config.Sample(secret)); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(),
				"%s has all settings; take away the # in front of those that you change.\n", name)
			if withSecret {
				fmt.Fprintln(c.OutOrStdout(), "It has a secret now: keep it out of version control (.gitignore).")
			}
			return nil
		},
	}
	c.Flags().BoolVar(&withSecret, "secret", false, "with a fresh secret for tokens, so that dev mode is over")
	return c
}

func configCheckCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "check [FILE]", Short: "Tell what is wrong with the settings", Args: atMostOneFile,
		ValidArgsFunction: yamlFiles,
		Long: "Tell what is wrong with the settings, and with the files that they name, as `lineman start` with the " +
			"same flags,\nthe same environment and the same folder would have them. It sees what its user sees: run " +
			"it as the server's.",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				if err := c.Flags().Set("config", args[0]); err != nil {
					return err
				}
			}
			loaded, err := loadToStart(c)
			if err == nil {
				err = (&lineman.Master{}).CheckFiles()
			}
			if err != nil {
				return err
			}
			for _, w := range loaded.Warnings {
				fmt.Fprintln(c.ErrOrStderr(), "warning:", w)
			}
			fmt.Fprintln(c.OutOrStdout(), "ok")
			return nil
		},
	}
	settingFlags(c)
	return c
}

func configShowCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "show", Short: "List the settings, and where each comes from", Args: noArguments,
		Long: "List the settings, as `lineman start` with the same flags and the same environment would have them, " +
			"and where each comes from.",
		RunE: func(c *cobra.Command, _ []string) error {
			loaded, err := load(c)
			if err != nil {
				return err
			}
			return showSettings(c.OutOrStdout(), loaded.Explain(), asJSON)
		},
	}
	settingFlags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "for programs")
	return c
}

func showSettings(w io.Writer, all []config.Explained, asJSON bool) error {
	if asJSON {
		return writeJSON(w, all)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, e := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\n", e.Key, e.Text(), e.Source)
	}
	return table.Flush()
}

// writeJSON writes a value for programs, which people can read as well.
func writeJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(value)
}

// settingFlags gives a command the flags of the settings.
func settingFlags(c *cobra.Command) {
	config.Flags(c.Flags())
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return &usageError{config.FlagError(c.Flags(), err)} })
}

// load reads the settings of a command that has their flags.
func load(c *cobra.Command) (*config.Loaded, error) { return config.Load(c.Flags(), os.Environ()) }

// loadToStart is load for a server that is to start: the files that settings name have to be good, too.
func loadToStart(c *cobra.Command) (*config.Loaded, error) {
	loaded, err := load(c)
	if err == nil {
		err = checkFiles(loaded)
	}
	return loaded, err
}

// settingsOf reads the settings for a command that has none of their flags but the file.
func settingsOf(file string) (*config.Loaded, error) {
	c := &cobra.Command{}
	settingFlags(c)
	if file != "" {
		if err := c.Flags().Set("config", file); err != nil {
			return nil, err
		}
	}
	return load(c)
}

func fileOf(args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	return config.DefaultFile
}

// newSecret has 256 bits.
func newSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // it fails on no system that this runs on
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// writeNew writes a file that must not exist, for nobody else to read.
func writeNew(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s exists: move it away, or name another file", name)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w: name a file in a folder that is there, and that this user may write to",
			name, bare(err))
	case err != nil:
		return fmt.Errorf("%s: %w", name, bare(err))
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func atMostOneFile(c *cobra.Command, args []string) error {
	if err := cobra.MaximumNArgs(1)(c, args); err != nil {
		return &usageError{err}
	}
	return nil
}
