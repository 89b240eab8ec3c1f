package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/command"
)

// watchFlags are the flags of watch.
type watchFlags struct {
	linePort
	json bool
}

func watchCommand() *cobra.Command {
	w := &watchFlags{}
	c := &cobra.Command{
		Use:   "watch TARGET",
		Short: "Show what goes to a target, and to whom",
		Long: `Show what goes to a target and to whom, live, until Ctrl+C.

  lineman watch u:uid1     what is published for uid1, and what it gets by groups, channels and *
  lineman watch g:room     what is published for the group
  lineman watch news       and for the channel
  lineman watch '*'        all that the server takes or delivers

It shows what the node does that is asked. A key, where the server wants one, needs the scope watch; it is in
--key-file, or in LINEMAN_KEY.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{errors.New("want: watch TARGET, one of u:UID, g:GROUP, c:CONN, '*', or a channel")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return w.run(ctx, push.Target(args[0]), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	w.linePort.addTo(c)
	c.Flags().BoolVar(&w.json, "json", false, "print each event as it comes, a JSON object a line")
	return c
}

// run shows events until ctx ends, or the connection.
func (w *watchFlags) run(ctx context.Context, target push.Target, out, note io.Writer) error {
	if err := target.Check(); err != nil {
		return &usageError{err}
	}
	backend, err := w.dial()
	if err != nil {
		return err
	}
	defer backend.Close()
	if _, err := backend.ask(map[string]any{"cmd": "watch", "to": target}, 0); err != nil {
		return err
	}
	if err := backend.SetDeadline(time.Time{}); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { backend.Close() })
	defer stop()
	fmt.Fprintf(note, "watching %s on %s; Ctrl+C ends it\n", target, w.server)
	for {
		line, err := backend.answers.ReadBytes('\n')
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("the server has ended the connection, as in a reload: watch again: %w", bare(err))
		}
		if err := w.show(line, out); err != nil {
			return err
		}
	}
}

// show prints an event.
func (w *watchFlags) show(line []byte, out io.Writer) error {
	var e command.Event
	if err := json.Unmarshal(line, &e); err != nil || e.Event == "" {
		return fmt.Errorf("%s is no event: %.80q", w.server, line)
	}
	if !w.json {
		line = []byte(visible(describe(&e)) + "\n")
	}
	_, err := out.Write(line)
	return err
}

// describe tells of an event in a line.
func describe(e *command.Event) string {
	what := fmt.Sprintf("%s %-11s", e.At.Local().Format("15:04:05.000"), e.Event)
	if e.Number != "" {
		what += " " + e.Number
	}
	switch e.Event {
	case string(push.Published), string(push.Refused):
		what += publication(e)
	case string(push.Delivered):
		what += delivery(e)
	case string(push.Finished):
		what += ": accepted by " + counted(number(e.N), "connection")
	case command.Missed:
		what += " " + counted(number(e.N), "event") + ": not read fast enough"
	}
	if e.Incomplete {
		what += "; a node did not answer in time"
	}
	if e.Error != nil {
		what += ": " + e.Error.Text
	}
	return what
}

func publication(e *command.Event) string {
	to := make([]string, 0, len(e.To))
	for _, t := range e.To {
		to = append(to, string(t))
	}
	what := " to " + strings.Join(to, ", ") + more(e.Others) + ", " + counted(number(e.Size), "byte")
	if from := e.From; from != nil {
		what += ", from " + strings.TrimSpace(from.Via+" "+from.Remote)
		if from.Key != "" {
			what += ", key " + from.Key
		}
		if from.Conn != "" {
			what += ", " + push.Recipient{Conn: from.Conn, UID: from.UID}.String()
		}
	}
	if e.Text != nil {
		what += ": " + *e.Text
		if len(*e.Text) < number(e.Size) {
			what += "…"
		}
	}
	return what
}

func delivery(e *command.Event) string {
	conns := make([]string, 0, len(e.Conns))
	for _, c := range e.Conns {
		name := string(c.Conn)
		if c.UID != "" {
			name += " (" + c.UID + ")"
		}
		conns = append(conns, name)
	}
	n := number(e.N)
	what := fmt.Sprintf(" to %s: %s%s", counted(n, "connection"), strings.Join(conns, ", "), more(n-len(conns)))
	if e.Full > 0 {
		what += fmt.Sprintf("; %s did not accept it", counted(e.Full, "connection"))
	}
	return what
}

// number is one that an event may have.
func number(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// counted is so many of something.
func counted(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

// visible is a text as a terminal may show it: what is not seen, or would be obeyed there, is written as in Go.
func visible(text string) string {
	var b strings.Builder
	for _, r := range text {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}
