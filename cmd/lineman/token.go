package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/lineman-go/lineman/push/token"
)

// tokenVariable may have the key, in place of a file.
const tokenVariable = "LINEMAN_TOKEN_KEY"

func tokenCommand() *cobra.Command {
	var key, kid, audience, issuer string
	var ticket bool
	var expires time.Duration
	var claims token.Claims
	c := &cobra.Command{
		Use: "token", Short: "Make a credential for a page, or check one", Args: noArguments,
		Long: `Make a credential, which a page shows to say whose it is:

  lineman token --uid 7 --channel 'chat:*' --key-file secret.txt

The key is the text of the file, or of ` + tokenVariable + `: a secret, for HS256 or a ticket, or a private key in PEM, for RS256, ES256,
ES384, ES512 or EdDSA.`,
		RunE: func(c *cobra.Command, _ []string) error {
			k, err := tokenKey(key)
			if err != nil {
				return err
			}
			k.ID = kid
			algorithm := ""
			if ticket {
				algorithm = token.Ticket
			}
			s, err := token.NewSigner(k, algorithm)
			if err != nil {
				return err
			}
			if expires <= 0 {
				return &usageError{errors.New("--expires wants a time from now, such as 1h")}
			}
			s.Audience, s.Issuer = audience, issuer
			claims.Issued = time.Now()
			claims.Expires = claims.Issued.Add(expires)
			credential, err := s.Sign(claims)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), credential)
			return err
		},
	}
	c.Flags().StringVar(&claims.UID, "uid", "", "whose it is")
	c.Flags().DurationVar(&expires, "expires", time.Hour, "for how long it is good")
	c.Flags().StringArrayVar(&claims.Channels, "channel", nil, "a `channel` that it may subscribe to, or a beginning and a *; may be given again")
	c.Flags().StringArrayVar(&claims.Groups, "group", nil, "a `group` that it joins; may be given again")
	c.Flags().StringVar(&audience, "audience", "", "its aud")
	c.Flags().StringVar(&issuer, "issuer", "", "its iss")
	c.Flags().StringVar(&kid, "kid", "", "what a key set calls the key")
	c.Flags().BoolVar(&ticket, "ticket", false, "make a ticket, not a JSON Web Token")
	c.PersistentFlags().StringVar(&key, "key-file", "", "`file` of the key")
	c.AddCommand(tokenCheckCommand(&key))
	return c
}

func tokenCheckCommand(key *string) *cobra.Command {
	return &cobra.Command{
		Use: "check [CREDENTIAL]", Short: "Tell what a credential says, or why it is refused", Args: cobra.ArbitraryArgs,
		Long: "Tell what a credential says, or why it is refused. Without one, it is read from the standard input.",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &usageError{errors.New("want one credential")}
			}
			credential, err := credentialOf(c.InOrStdin(), args)
			if err != nil {
				return err
			}
			k, err := tokenKey(*key)
			if err != nil {
				return err
			}
			v, err := token.New(token.Options{Keys: []token.Key{k}})
			if err != nil {
				return err
			}
			defer v.Close()
			claims, err := v.Verify(c.Context(), credential)
			if err != nil {
				return err
			}
			return showClaims(c.OutOrStdout(), claims)
		},
	}
}

func credentialOf(in io.Reader, args []string) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	text, err := io.ReadAll(io.LimitReader(in, 2*token.MaxLength))
	return strings.TrimSpace(string(text)), err
}

func showClaims(w io.Writer, c token.Claims) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "uid\t%s\n", c.UID)
	for _, name := range c.Channels {
		fmt.Fprintf(table, "channel\t%s\n", name)
	}
	for _, name := range c.Groups {
		fmt.Fprintf(table, "group\t%s\n", name)
	}
	if !c.Issued.IsZero() {
		fmt.Fprintf(table, "issued\t%s\n", c.Issued.UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(table, "expires\t%s\n", c.Expires.UTC().Format(time.RFC3339))
	return table.Flush()
}

// tokenKey is the key of a file or, without one, of the environment. It is no flag, as every user of a machine can read a command line.
func tokenKey(file string) (token.Key, error) {
	text := []byte(os.Getenv(tokenVariable))
	if file != "" {
		var err error
		if text, err = os.ReadFile(file); err != nil {
			return token.Key{}, err
		}
	}
	switch {
	case len(text) == 0:
		return token.Key{}, errors.New("no key: say where it is by --key-file, or put it into " + tokenVariable)
	case bytes.Contains(text, []byte("-----BEGIN ")):
		return token.Key{PEM: text}, nil
	}
	return token.Key{Secret: bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))}, nil
}
