package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build is what the program was built of and for.
type build struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"` // with -dirty where files had changed; empty if it was not told
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "version", Short: "Tell what this program was built of", Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			b := thisBuild(debug.ReadBuildInfo())
			if asJSON {
				return writeJSON(c.OutOrStdout(), b)
			}
			_, err := fmt.Fprintln(c.OutOrStdout(), b)
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "for programs")
	return c
}

func (b build) String() string {
	text := "lineman " + b.Version
	if b.Commit != "" {
		text += ", commit " + b.Commit
	}
	return fmt.Sprintf("%s, %s, %s/%s", text, b.Go, b.OS, b.Arch)
}

func thisBuild(info *debug.BuildInfo, ok bool) build {
	b := build{Version: "(unknown version)", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if !ok {
		return b
	}
	b.Version = info.Main.Version
	dirty := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			b.Commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if b.Commit != "" {
		b.Commit += dirty
	}
	return b
}
