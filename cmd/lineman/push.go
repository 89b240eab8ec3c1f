package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lineman-go/lineman/push"
)

// pushFlags are the flags of push.
type pushFlags struct {
	linePort
	text bool
	id   string
	wait time.Duration
}

func pushCommand() *cobra.Command {
	p := &pushFlags{}
	c := &cobra.Command{
		Use:   "push uid|group|channel|conn NAME DATA, or push all DATA",
		Short: "Push to the pages of a uid, of a group, of a channel, or to all",
		Long: `Push to the pages of a uid, of a group, of a channel, to one connection, or to all.

  lineman push uid uid1 '{"percent":"88%"}'     the pages of uid1 get {"percent":"88%"}
  lineman push channel news --text 'hello'      its subscribers get hello
  make 2>&1 | lineman push all --text -         each line of the input is pushed

DATA is JSON, or with --text any text. "-" reads lines from the input. It prints how many connections have accepted
each, and exits with 1 if one was accepted by none, or if that is not known of a node. A key, where the server wants
one, is in --key-file, or in LINEMAN_KEY.`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: completePush,

		RunE: func(c *cobra.Command, args []string) error { return p.run(args, c.InOrStdin(), c.OutOrStdout()) },
	}
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w: what is no flag but begins with - comes behind --, as in lineman push -- "+
			"uid -1 DATA", err)}
	})
	f := c.Flags()
	p.linePort.addTo(c)
	f.BoolVar(&p.text, "text", false, "DATA is text, not JSON")
	f.StringVar(&p.id, "id", "",
		"`name` by which the server knows the request: asked again within five minutes, it is not done again")
	f.DurationVar(&p.wait, "wait", 0,
		"how long the push may wait for other nodes, if the server cannot reach them; at most 30s")
	return c
}

func (p *pushFlags) run(args []string, in io.Reader, out io.Writer) error {
	to, data, err := target(args)
	if err != nil {
		return &usageError{err}
	}
	lines := slices.Values([]string{data})
	if data == "-" {
		lines = linesOf(in, &err)
	} else if _, wrong := p.request(to, data); wrong != nil {
		return wrong
	}
	backend, failed := p.dial()
	if failed != nil {
		return failed
	}
	defer backend.Close()
	missed, unsure := 0, 0
	for line := range lines {
		q, err := p.request(to, line)
		if err != nil {
			return err
		}
		r, err := backend.ask(q, p.wait)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, *r.N)
		switch {
		case r.Incomplete:
			unsure++
		case *r.N == 0:
			missed++
		}
	}
	switch {
	case err != nil:
		return err
	case unsure > 0:
		return errors.New("a node did not answer in time: there may be more pages that have got it")
	case missed > 0:
		return errors.New("no page has got it")
	}
	return nil
}

// linesOf are the lines of an input. What is wrong with it is in err at their end.
func linesOf(in io.Reader, err *error) iter.Seq[string] {
	return func(yield func(string) bool) {
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, 64<<20) // the server says what is too long
		for lines.Scan() && yield(lines.Text()) {
		}
		*err = lines.Err()
	}
}

// target is whom a command line means, and what for.
func target(args []string) (to push.Target, data string, err error) {
	wrong := errors.New("want: push uid|group|channel|conn NAME DATA, or push all DATA")
	switch {
	case len(args) == 2 && args[0] == "all":
		return push.Everyone, args[1], nil
	case len(args) != 3:
		return "", "", wrong
	}
	switch args[0] {
	case "uid":
		to = push.UID(args[1])
	case "group":
		to = push.Group(args[1])
	case "channel":
		to = push.Channel(args[1])
	case "conn":
		to = push.Target(args[1])
	default:
		return "", "", wrong
	}
	switch kind, _ := to.Split(); {
	case args[0] == "channel" && kind != push.ToChannel:
		return "", "", fmt.Errorf("a channel cannot be called %q: that is another kind of target", args[1])
	case args[0] == "conn" && kind != push.ToConn:
		return "", "", fmt.Errorf("no connection is called %q: want the name that list answers, c:…", args[1])
	}
	return to, args[2], to.Check()
}

// beginning shows what data is without filling the terminal, nor having it obeyed there.
func beginning(data string) string {
	const shown = 60
	if len(data) <= shown {
		return strconv.Quote(data)
	}
	return strconv.Quote(strings.ToValidUTF8(data[:shown], "")) + "…"
}

// request is what the server is asked.
func (p *pushFlags) request(to push.Target, data string) (map[string]any, error) {
	q := map[string]any{"cmd": "pub", "to": to}
	switch {
	case p.text:
		q["text"] = data
	case json.Valid([]byte(data)):
		q["data"] = json.RawMessage(strings.TrimSpace(data))
	default:
		return nil, &usageError{fmt.Errorf("%s is no JSON: say --text if it is text", beginning(data))}
	}
	if p.id != "" {
		q["id"] = p.id
	}
	if p.wait != 0 {
		q["wait"] = p.wait.Milliseconds()
	}
	return q, nil
}
