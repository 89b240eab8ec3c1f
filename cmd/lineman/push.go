package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// askTime is how long the server may take for an answer.
const askTime = 5 * time.Second

func pushCommand() *cobra.Command {
	var text string
	c := &cobra.Command{
		Use:   "push uid UID JSON | push all JSON",
		Short: "Push a line to the pages of a uid, or to all",
		Long: `Push a line to the pages of a uid, or to all. JSON is an object; it reaches the pages with the target in it:

  lineman push uid uid1 '{"percent":"88%"}'     the pages of uid1 get {"uid":"uid1","percent":"88%"}

It prints ok, or fail if no page has got it.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			line, err := lineOf(args)
			if err != nil {
				return &usageError{err}
			}
			answer, err := ask(text, line)
			if err != nil {
				return err
			}
			fmt.Println(answer)
			if answer != "ok" {
				return errors.New("no page has got it")
			}
			return nil
		},
	}
	c.Flags().StringVar(&text, "text", "127.0.0.1:5678", "`host:port` of the server's port for back ends")
	return c
}

// lineOf is the line that a command line means.
func lineOf(args []string) (string, error) {
	target, body := "", ""
	switch {
	case len(args) == 3 && args[0] == "uid":
		uid, err := json.Marshal(args[1])
		if err != nil {
			return "", err
		}
		target, body = `"uid":`+string(uid), args[2]
	case len(args) == 2 && args[0] == "all":
		target, body = `"all":true`, args[1]
	default:
		return "", errors.New("want: push uid UID JSON, or push all JSON")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &fields); err != nil || fields == nil {
		return "", fmt.Errorf("%s is no JSON object", body)
	}
	if fields["uid"] != nil || fields["all"] != nil {
		return "", errors.New(`the object has a "uid" or an "all" already`)
	}
	body = strings.TrimSpace(body)
	if len(fields) > 0 {
		target += ","
	}
	line := "{" + target + strings.ReplaceAll(body[1:], "\n", " ")
	return line, nil
}

// ask writes a line to the port for back ends, and reads the answer.
func ask(addr, line string) (string, error) {
	c, err := net.DialTimeout("tcp", addr, askTime)
	if err != nil {
		return "", fmt.Errorf("no server on %s: start it by lineman start, or say where it is by --text: %w", addr, err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(askTime)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(c, "%s\n", line); err != nil {
		return "", err
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("no answer from %s: %w", addr, err)
	}
	return strings.TrimSuffix(answer, "\n"), nil
}
