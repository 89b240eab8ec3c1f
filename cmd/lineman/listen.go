package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/lineman-go/lineman/push/events"
)

// listenFlags are the flags of listen.
type listenFlags struct {
	linePort
	group  string
	events []string
	of     []string
	json   bool
}

func listenCommand() *cobra.Command {
	l := &listenFlags{}
	c := &cobra.Command{
		Use:   "listen",
		Short: "Show what back ends hear of pages",
		Long: `Show what back ends hear of pages, as it comes, until Ctrl+C: who connects, what pages say, who goes.

  lineman listen                                all events
  lineman listen --event message --of 'chat:*'  what pages say that are in a channel chat:…
  lineman listen --json                         for programs: an event a line

It observes: listeners and hooks get all events as they did before, no page waits for it, and an answer to a page is
left to them. With --group it takes part in the work of that group instead: no other listener of the group gets what it
prints. It comes back after a reload. A key, where the server wants one, needs the scope listen; it is in --key-file, or
in LINEMAN_KEY.`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := l.check(); err != nil {
				return &usageError{err}
			}
			ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return l.run(ctx, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	l.linePort.addTo(c)
	f := c.Flags()
	f.StringVar(&l.group, "group", "", "`name` of a group whose work it takes part in; empty: it observes")
	f.StringSliceVar(&l.events, "event", nil, "`kinds` of events, with commas between them; empty means all")
	f.StringSliceVar(&l.of, "of", nil,
		"`targets` that events are about, with commas between them: u:7, g:room, chat:*; empty means all")
	f.BoolVar(&l.json, "json", false, "print each event as it comes, a JSON object a line")
	completeWords(c, "event", kinds()...)
	return c
}

// check wants kinds of events that there are.
func (l *listenFlags) check() error {
	for _, kind := range l.events {
		if !slices.Contains(events.Kinds(), events.Kind(kind)) {
			return fmt.Errorf("--event %s: want some of %s", kind, strings.Join(kinds(), ", "))
		}
	}
	return nil
}

// kinds are the events that can be asked for.
func kinds() (all []string) {
	for _, k := range events.Kinds() {
		all = append(all, string(k))
	}
	return all
}

// request is what the server is asked.
func (l *listenFlags) request() map[string]any {
	q := map[string]any{"cmd": "listen", "events": l.events, "group": l.group}
	if len(l.events) == 0 {
		q["events"] = kinds()
	}
	if l.group == "" {
		q["group"], q["observe"] = "tap-"+rand.Text(), true
	}
	if len(l.of) > 0 {
		q["of"] = l.of
	}
	return q
}

// begin connects, and asks for events.
func (l *listenFlags) begin() (*backend, error) {
	b, err := l.dial()
	if err != nil {
		return nil, err
	}
	if _, err := b.ask(l.request(), 0); err != nil {
		b.Close()
		return nil, &refusedError{err}
	}
	return b, b.SetDeadline(time.Time{})
}

// refusedError is what the server answers that does not want it to listen.
type refusedError struct{ error }

// run shows events until ctx ends. A connection that ends is followed by another one.
func (l *listenFlags) run(ctx context.Context, out, note io.Writer) error {
	b, err := l.begin()
	if err != nil {
		return err
	}
	fmt.Fprintf(note, "listening on %s; Ctrl+C ends it\n", l.server)
	ctx, end := context.WithCancel(ctx)
	t := &tap{listenFlags: l, out: out, over: make(chan error)}
	defer t.reading.Wait()
	defer end()
	for {
		t.follow(ctx, b)
		select {
		case <-ctx.Done():
			return nil
		case err = <-t.over:
		}
		if errors.Is(err, errStrange) {
			return err
		}
		if b, err = l.again(ctx, note); err != nil || b == nil {
			return err
		}
	}
}

// again connects once more, when the server is there. It returns nothing if ctx ends first.
func (l *listenFlags) again(ctx context.Context, note io.Writer) (*backend, error) {
	const longest = 10 * time.Second
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, longest) {
		b, err := l.begin()
		var refused *refusedError
		switch {
		case err == nil:
			fmt.Fprintln(note, "the server has ended the connection, as in a reload; listening again")
			return b, nil
		case errors.As(err, &refused):
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(pause):
		}
	}
}

// heard is an event as it comes.
type heard struct {
	Type     events.Kind
	Conn     string
	UID      string
	Time     int64
	N        uint64
	Again    bool
	Remote   string
	Level    int
	Protocol string
	Data     json.RawMessage
	Text     *string
	B64      *string
	Method   string
	Code     int
	Why      string
	Lasted   int64
	Channel  string
	UIDs     []string
	Channels []string
	Events   int
}

// describe tells of an event in a line.
func (e *heard) describe() string {
	what := fmt.Sprintf("%s %-8s", time.UnixMilli(e.Time).Local().Format("15:04:05.000"), e.Type)
	if e.Conn != "" {
		what += " " + e.Conn
	}
	if e.UID != "" {
		what += " (" + e.UID + ")"
	}
	what += e.details()
	if e.Again {
		what += "; perhaps told before"
	}
	return what
}

// details are what belongs to the kind of the event.
func (e *heard) details() string {
	switch e.Type {
	case events.Connect:
		speaks := e.Protocol
		if speaks == "" {
			speaks = "level " + strconv.Itoa(e.Level)
		}
		return fmt.Sprintf(" from %s, %s", e.Remote, speaks)
	case events.Message:
		return ": " + e.said()
	case events.RPC:
		return " " + e.Method + ": " + e.said()
	case events.Close:
		what := fmt.Sprintf(" after %v: %d", time.Duration(e.Lasted)*time.Millisecond, e.Code)
		return strings.TrimRight(what+" "+e.Why, " ")
	case events.Occupied, events.Vacated:
		return " " + e.Channel
	case events.Pusher:
		return " " + e.Channel + ": " + e.said()
	case events.Sync:
		return fmt.Sprintf(" %s; %s", listed(e.UIDs, "uid"), listed(e.Channels, "channel"))
	case events.Dropped:
		return " " + counted(e.Events, "event")
	case events.Leaving:
		return " the server has a successor"
	}
	return ""
}

// said is what a page has said.
func (e *heard) said() string {
	switch {
	case e.Text != nil:
		return *e.Text
	case e.B64 != nil:
		return "base64 " + *e.B64
	}
	return string(e.Data)
}

// listed are some of many names.
func listed(names []string, of string) string {
	const most = 10
	what := counted(len(names), of)
	if len(names) > 0 {
		what += ": " + strings.Join(names[:min(most, len(names))], ", ") + more(len(names)-most)
	}
	return what
}
