package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/push/token"
)

// tokenVariable may have the key, in place of a file.
const tokenVariable = "LINEMAN_TOKEN_KEY"

// keySource is where the key of a command comes from.
type keySource struct{ file, config string }

func (k *keySource) flags(c *cobra.Command) {
	c.PersistentFlags().StringVar(&k.file, "key-file", "", "`file` of the key")
	c.PersistentFlags().StringVar(&k.config, "config", "",
		"`file` of the settings, if there is neither --key-file nor "+tokenVariable)
}

// tokenFlags are the flags of token.
type tokenFlags struct {
	keySource
	claims                token.Claims
	expires               time.Duration
	audience, issuer, kid string
	info                  string
	ticket                bool
}

func tokenCommand() *cobra.Command {
	m := &tokenFlags{}
	c := &cobra.Command{
		Use: "token", Short: "Make a credential for a page, or check one", Args: noArguments,
		Long: `Make a credential, which a page shows to say whose it is:

  lineman token --uid 7 --channel 'chat:*' --expires 1h

The key is the text of --key-file, or of ` + tokenVariable +
			`, or the first of token.secrets in the settings: a secret, for HS256 or a
ticket, or a private key in PEM, for RS256, ES256, ES384, ES512 or EdDSA.`,
		RunE: func(c *cobra.Command, _ []string) error {
			credential, err := m.make()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), credential)
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&m.claims.UID, "uid", "", "whose it is")
	f.DurationVar(&m.expires, "expires", time.Hour, "for how long it is good")
	f.StringArrayVar(&m.claims.Channels, "channel", nil,
		"a `channel` that it may subscribe to, or a beginning and a *; may be given again")
	f.StringArrayVar(&m.claims.Publish, "publish", nil,
		"a `channel` that it may publish to, or a beginning and a *; may be given again")
	f.StringArrayVar(&m.claims.Groups, "group", nil, "a `group` that it joins; may be given again")
	f.StringVar(&m.info, "info", "", "`JSON` that others are told of it where they are told who is present")
	f.StringVar(&m.audience, "audience", "", "its aud; the default is that of the settings")
	f.StringVar(&m.issuer, "issuer", "", "its iss; the default is that of the settings")
	f.StringVar(&m.kid, "kid", "", "what a key set calls the key")
	f.BoolVar(&m.ticket, "ticket", false, "make a ticket, not a JSON Web Token")
	m.keySource.flags(c)
	c.AddCommand(tokenCheckCommand(&m.keySource))
	return c
}

// make signs the claims.
func (m *tokenFlags) make() (string, error) {
	if m.claims.UID == "" {
		return "", fmt.Errorf("%w: say whose it is by --uid", token.ErrUID)
	}
	if m.expires <= 0 {
		return "", &usageError{errors.New("--expires wants a time from now, such as 1h")}
	}
	if m.info != "" && !json.Valid([]byte(m.info)) {
		return "", &usageError{errors.New(`--info wants JSON, such as '{"name":"Ann"}' or '"Ann"'`)}
	}
	m.claims.Info = json.RawMessage(m.info)
	key, settings, err := m.key()
	if err != nil {
		return "", err
	}
	key.ID = m.kid
	algorithm := ""
	if m.ticket {
		algorithm = token.Ticket
	}
	s, err := token.NewSigner(key, algorithm)
	if err != nil {
		return "", err
	}
	s.Claim, s.Audience, s.Issuer = settings.Claim, cmp.Or(m.audience, settings.Audience),
		cmp.Or(m.issuer, settings.Issuer)
	m.claims.Issued = time.Now()
	m.claims.Expires = m.claims.Issued.Add(m.expires)
	return s.Sign(m.claims)
}

func tokenCheckCommand(k *keySource) *cobra.Command {
	return &cobra.Command{
		Use: "check [CREDENTIAL]", Short: "Tell what a credential says, or why it is refused",
		Args: cobra.ArbitraryArgs,
		Long: "Tell what a credential says, or why it is refused. Without one, it is read from the standard input. " +
			"Revocations are not looked at.",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &usageError{errors.New("want one credential")}
			}
			credential, err := credentialOf(c.InOrStdin(), args)
			if err != nil {
				return err
			}
			v, err := k.verifier()
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
	for _, name := range c.Publish {
		fmt.Fprintf(table, "publish\t%s\n", name)
	}
	for _, name := range c.Groups {
		fmt.Fprintf(table, "group\t%s\n", name)
	}
	if c.Info != nil {
		fmt.Fprintf(table, "info\t%s\n", c.Info)
	}
	if !c.Issued.IsZero() {
		fmt.Fprintf(table, "issued\t%s\n", c.Issued.UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(table, "expires\t%s\n", c.Expires.UTC().Format(time.RFC3339))
	return table.Flush()
}

// given is the key of the file or, without one, of the environment; empty if there is neither. It is no flag, as every
// user of a machine can read a command line.
func (k *keySource) given() (token.Key, error) {
	text := []byte(os.Getenv(tokenVariable))
	if k.file != "" {
		var err error
		if text, err = os.ReadFile(k.file); err != nil {
			return token.Key{}, fmt.Errorf("--key-file %s: %w", k.file, bare(err))
		}
		if len(text) == 0 {
			return token.Key{}, fmt.Errorf("%s is empty: want a secret, or a key in PEM", k.file)
		}
	}
	if bytes.Contains(text, []byte("-----BEGIN ")) {
		return token.Key{PEM: text}, nil
	}
	return token.Key{Secret: bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))}, nil
}

// key is what credentials are made by, with the settings that it comes from.
func (k *keySource) key() (token.Key, config.Token, error) {
	key, err := k.given()
	if err != nil || len(key.Secret)+len(key.PEM) > 0 {
		return key, config.Token{}, err
	}
	loaded, err := settingsOf(k.config)
	if err != nil {
		return key, config.Token{}, err
	}
	if len(loaded.Token.Secrets) == 0 {
		return key, config.Token{},
			errors.New("no key: say where it is by --key-file, put it into " + tokenVariable + ", or set token.secrets")
	}
	return token.Key{Secret: []byte(loaded.Token.Secrets[0])}, loaded.Token, nil
}

// verifier checks credentials by the key that is given or, without one, as the server would.
func (k *keySource) verifier() (*token.Verifier, error) {
	key, err := k.given()
	if err != nil {
		return nil, err
	}
	if len(key.Secret)+len(key.PEM) > 0 {
		return token.New(token.Options{Keys: []token.Key{key}})
	}
	loaded, err := settingsOf(k.config)
	if err != nil {
		return nil, err
	}
	if !loaded.Token.HasKey() {
		return nil, errors.New("no key: say where it is by --key-file, put it into " + tokenVariable +
			", or set token.secrets, secret_files, public_keys or jwks")
	}
	return newVerifier(loaded.Token, nil)
}
