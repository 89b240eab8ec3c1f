//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// audience are the pages of all servers: a crowd for each.
type audience struct{ crowds []*crowd }

// crowd is a process of the program pages.
type crowd struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string // that it writes; closed at its end
}

// counts are what the program pages tells: see Counts there.
type counts struct{ Open, All, One, Pings, Ended, Wrong int }

// invite starts the pages of s, of which the first user is number 0. They connect at once.
func invite(bin string, s *servers, connections int) (*audience, error) {
	a := &audience{}
	n := len(s.ports)
	for i, port := range s.ports {
		first, next := connections*i/n, connections*(i+1)/n
		cmd := exec.Command(bin, "-to", "127.0.0.1:"+port, "-from", fmt.Sprintf("127.0.%d.1", i+1),
			"-first", fmt.Sprint(first), "-count", fmt.Sprint(next-first))
		if err := a.start(cmd); err != nil {
			return a, err
		}
	}
	return a, nil
}

func (a *audience) start(cmd *exec.Cmd) error {
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = os.Stderr
	if err := startOn(clientCore, cmd); err != nil {
		return err
	}
	c := &crowd{cmd, in, make(chan string, 1)}
	a.crowds = append(a.crowds, c)
	go func() {
		defer close(c.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			c.lines <- lines.Text()
		}
	}()
	return nil
}

// leave ends all pages.
func (a *audience) leave() {
	for _, c := range a.crowds {
		c.in.Close()
		_ = c.cmd.Process.Kill() // it may have gone
	}
	for _, c := range a.crowds {
		for range c.lines { // what nobody has asked for
		}
		_ = c.cmd.Wait() // it was killed
	}
}

// command tells every crowd, and gives the next line of each to f.
func (a *audience) command(ctx context.Context, line string, f func(answer string) error) error {
	for _, c := range a.crowds {
		if _, err := io.WriteString(c.in, line+"\n"); err != nil {
			return fmt.Errorf("pages have ended: %w", err)
		}
	}
	for i, c := range a.crowds {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case answer, ok := <-c.lines:
			if !ok {
				return fmt.Errorf("pages %d have ended", i)
			}
			if err := f(answer); err != nil {
				return err
			}
		}
	}
	return nil
}

// counts are those of all pages together.
func (a *audience) counts(ctx context.Context) (sum counts, err error) {
	err = a.command(ctx, "tell", func(answer string) error {
		var one counts
		if err := json.Unmarshal([]byte(answer), &one); err != nil {
			return fmt.Errorf("%w: %s", err, answer)
		}
		sum.Open += one.Open
		sum.All += one.All
		sum.One += one.One
		sum.Pings += one.Pings
		sum.Ended += one.Ended
		sum.Wrong += one.Wrong
		return nil
	})
	return sum, err
}

// hear has the first page of each server send a message to all of it, and returns when every page has it.
func (a *audience) hear(ctx context.Context, number int) error {
	said := fmt.Sprintf("all %d ", number)
	said += strings.Repeat("x", messageSize-len(said))
	return a.command(ctx, "say "+said, func(answer string) error {
		if want := fmt.Sprint("all ", number); answer != want {
			return fmt.Errorf("pages say %q, want %q", answer, want)
		}
		return nil
	})
}
