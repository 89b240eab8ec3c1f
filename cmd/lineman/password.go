package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
)

// longestPassword is how long one that is read may be, in bytes.
const longestPassword = 1 << 10

func passwordCommand() *cobra.Command {
	var reads bool
	c := &cobra.Command{
		Use: "password", Short: "Make a password for the dashboard, and its hash for the settings", Args: noArguments,
		Long: `Make a password for the dashboard, and its hash for admin.password or
admin.readonly in the settings. The hash alone lets nobody in.

  lineman password
  lineman password --stdin <password.txt`,
		RunE: func(c *cobra.Command, _ []string) error {
			password := rand.Text()
			if reads {
				text, err := io.ReadAll(io.LimitReader(c.InOrStdin(), longestPassword+1))
				if err != nil {
					return err
				}
				if len(text) > longestPassword {
					return errors.New("that is too long for a password: want it alone, in one line")
				}
				if password = strings.TrimRight(string(text), "\r\n"); strings.ContainsAny(password, "\r\n") {
					return errors.New("that has several lines: want the password alone")
				}
			}
			hash, err := config.HashPassword(password)
			if err != nil {
				return err
			}
			if reads {
				_, err = fmt.Fprintln(c.OutOrStdout(), hash)
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "password: %s\nhash:     %s\n", password, hash)
			return err
		},
	}
	c.Flags().BoolVar(&reads, "stdin", false, "hash the one that is read from the standard input")
	return c
}
