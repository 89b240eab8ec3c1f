package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/lineman-go/lineman/cmd/lineman/internal/bench"
)

// benchFlags are the flags of bench.
type benchFlags struct {
	options     bench.Options
	connections int
	credential  string
	credentials string
	keyFile     string
	yes         bool
	asJSON      bool
}

func benchCommand() *cobra.Command {
	b := &benchFlags{}
	c := &cobra.Command{
		Use: "bench", Short: "Put load on a server that runs, and tell how it does", Args: noArguments,
		Long: `Connect pages to a server that runs, publish to them, and tell how many publications arrived, and when.

  lineman bench                            1000 pages, each publication for one of them
  lineman bench --mode all --rate 10       ten publications a second, each for all pages
  lineman bench --connections 10000 --rate 20000 --for 30s

Without --rate it publishes as fast as it goes: then latencies tell how long publications wait for each other. It takes
a processor of its own, and exits with 1 if something was lost, doubled or closed. Outside of dev mode each page needs a
credential:

  for n in $(seq 1000); do echo "bench-$n $(lineman token --uid bench-$n)"; done > credentials
  lineman bench --credentials-file credentials

The key for the port for lines, where the server wants one, is in --key-file, or in LINEMAN_KEY. With --mode all, each
page of the server gets what is published, also those of its users.`,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return b.run(ctx, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f, o := c.Flags(), &b.options
	f.SortFlags = false
	f.StringVar(&o.URL, "url", "ws://127.0.0.1:1234", "`URL` of the server's port for pages")
	f.StringVar(&o.Text, "text", "127.0.0.1:5678", "`host:port` of its port for lines of back ends")
	f.IntVar(&b.connections, "connections", 1000, "pages")
	f.StringVar(&o.Mode, "mode", bench.ModeUID, "uid: each publication is for one page; all: for all of them")
	f.Float64Var(&o.Rate, "rate", 0, "publications a second; 0 means as fast as they are delivered")
	f.DurationVar(&o.For, "for", 10*time.Second, "that is published, at most 10m")
	f.IntVar(&o.Size, "size", 128, "bytes of a publication")
	f.StringVar(&b.credential, "credential", "bench-{n}", "uid of each page; {n} is its number")
	f.StringVar(&b.credentials, "credentials-file", "",
		"`file` with a line for each page: a uid, a space, and its credential")
	f.StringVar(&b.keyFile, "key-file", "", "`file` that has the key to say")
	f.StringVar(&o.From, "from", "", "IP `address` of this machine that the pages come from, such as 127.0.0.2")
	f.BoolVar(&b.yes, "yes", false, "also against a server on another machine")
	f.BoolVar(&b.asJSON, "json", false, "for programs")
	completeWords(c, "mode", bench.ModeUID, bench.ModeAll)
	return c
}

func (b *benchFlags) run(ctx context.Context, out, warnings io.Writer) error {
	if err := b.complete(); err != nil {
		return err
	}
	if err := b.options.Check(); err != nil {
		return &usageError{err}
	}
	if where := b.options.Remote(); where != "" {
		if !b.yes {
			return &usageError{fmt.Errorf("bench: %s is not this machine: if that server is yours, and may be put "+
				"under load, say --yes", where)}
		}
		fmt.Fprintf(warnings, "WARNING: this puts load on %s, which is not this machine. Ctrl+C ends it.\n", where)
	}
	report, err := bench.Run(ctx, b.options)
	if err != nil {
		return err
	}
	if b.asJSON {
		err = writeJSON(out, report)
	} else {
		err = report.Print(out)
	}
	return errors.Join(err, report.Err())
}

// complete reads the files.
func (b *benchFlags) complete() (err error) {
	if b.options.Key, err = backendKey(b.keyFile); err != nil {
		return err
	}
	if b.credentials == "" {
		b.options.Identities = bench.Named(b.credential, b.connections)
		return nil
	}
	f, err := os.Open(b.credentials)
	if err != nil {
		return err
	}
	defer f.Close()
	b.options.Identities, err = bench.ReadIdentities(f, b.connections)
	return err
}
