package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/top"
)

func topCommand() *cobra.Command {
	var once bool
	c := &cobra.Command{
		Use: "top", Short: "Show what the server does, live", Args: noArguments,
		Long: "Show what the server does, live, until q or Ctrl+C: pages, messages, bytes, lag, what waits, what is\n" +
			"refused, and each process. The numbers are those of the metrics, of the last second.",
	}
	c.Flags().BoolVar(&once, "once", false, "once, and end")
	format := formatFlag(c, "for programs, an object a second")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		if !once && format() == lineman.AsTable && top.Is(os.Stdout) {
			return watchTop(ctx)
		}
		show := top.Text(c.OutOrStdout(), top.Screen{Width: 1000, Height: 1000})
		if format() == lineman.AsJSON {
			show = top.JSON(c.OutOrStdout())
		}
		if once {
			v, err := nextTop()
			if err != nil {
				return err
			}
			return show(v)
		}
		return top.Watch(ctx, nextTop, show)
	}
	return c
}

// nextTop asks the running server what it does.
func nextTop() (*top.View, error) {
	s, err := (&lineman.Master{}).Status()
	if err != nil {
		return nil, err
	}
	return top.NewView(s, time.Now()), nil
}

// watchTop shows it on the terminal.
func watchTop(ctx context.Context) error {
	if _, err := nextTop(); err != nil {
		return err // before anything is cleared
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	restore := top.Keys(os.Stdin)
	defer restore()
	go top.Quit(os.Stdin, end) // until the program ends
	colour := os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	show, leave := top.Live(os.Stdout, colour, func() (int, int) { return top.Size(os.Stdout) })
	defer leave()
	return top.Watch(ctx, nextTop, show)
}
