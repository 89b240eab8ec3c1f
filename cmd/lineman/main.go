// Command lineman is the push server, and what goes with it: lineman help.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lineman-go/lineman"
)

func main() {
	err := root().Execute()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lineman:", strings.TrimPrefix(err.Error(), "lineman: "))
	}
	var wrong *usageError
	if errors.As(err, &wrong) {
		os.Exit(lineman.ExitCode(lineman.ErrUsage))
	}
	os.Exit(lineman.ExitCode(err))
}

// nearest asks whether one of some names was meant.
func nearest(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("did you mean %s? ", strings.Join(names, ", or "))
}

// usageError is a command line that cannot be understood.
type usageError struct{ error }

func root() *cobra.Command {
	c := &cobra.Command{
		Use:           "lineman",
		Short:         "A push server: what a back end writes, browsers have",
		Version:       lineman.Version(),
		SilenceErrors: true,
		SilenceUsage:  true,

		SuggestionsMinimumDistance: 2,
		Args:                       cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &usageError{fmt.Errorf("unknown command %q: %slineman help lists them", args[0],
					nearest(c.SuggestionsFor(args[0])))}
			}
			return c.Help()
		},
	}
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	c.AddCommand(startCommand(), restartCommand(), stopCommand(), reloadCommand(), statusCommand(),
		topCommand(), connectionsCommand(), pushCommand(), watchCommand(), listenCommand(),
		tokenCommand(), passwordCommand(), configCommand(), benchCommand(), doctorCommand(), healthCommand(),
		versionCommand(), completionCommand(), manCommand())
	complete(c)
	return c
}
