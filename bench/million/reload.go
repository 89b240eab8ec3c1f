//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// reloaded is what happened while every process was replaced.
type reloaded struct {
	command time.Duration // until the last process was replaced
	said    string        // by the command: what was kept, and how long connections waited
	pushes  pushes
}

// pushes are messages to one user each.
type pushes struct {
	taken   int // by the user's connection
	again   int // asked again, as nobody had answered
	answers []time.Duration
}

// reload replaces every process, and pushes to one random user after the other meanwhile. Every page keeps its
// connection, and gets what was pushed to it.
func (s *scene) reload(ctx context.Context, on *servers, by *audience, f *figures) error {
	pushing, stop := context.WithCancel(ctx)
	pushed := make(chan error, 1)
	go func() { pushed <- f.reload.pushes.run(pushing, on, s.connections) }()
	err := s.replace(on, &f.reload)
	stop()
	if err := errors.Join(err, <-pushed); err != nil {
		return err
	}
	if err := s.allOpen(ctx, by); err != nil {
		return err
	}
	return s.allTaken(ctx, by, f)
}

// replace replaces every process.
func (s *scene) replace(on *servers, r *reloaded) error {
	began := time.Now()
	out, err := on.command(s.programs["server"], s.pings, "reload").CombinedOutput()
	if err != nil {
		return fmt.Errorf("reload: %w: %s", err, out)
	}
	r.command, r.said = time.Since(began), strings.TrimSpace(string(out))
	return nil
}

// allTaken waits until each message that a connection took has come, and looks whether each came once.
func (s *scene) allTaken(ctx context.Context, by *audience, f *figures) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var c counts
	err := eventually(ctx, func() (yes bool, err error) {
		c, err = by.counts(ctx)
		return c.One >= f.reload.pushes.taken, err
	})
	if errors.Is(err, context.DeadlineExceeded) || c.One > f.reload.pushes.taken || c.Wrong > 0 {
		return fmt.Errorf("%d messages to one user were taken, %d have come, and %d wrong ones", f.reload.pushes.taken,
			c.One, c.Wrong)
	}
	return err
}

// run pushes until ctx is done.
func (p *pushes) run(ctx context.Context, on *servers, users int) error {
	for ctx.Err() == nil {
		user := rand.IntN(users)
		began := time.Now()
		answer, err := push(on.linesOf(user, users), user)
		switch {
		case err == nil && answer == "1":
			p.taken++
		case ctx.Err() == nil && errors.Is(err, io.EOF):
			p.again++
			continue
		case ctx.Err() == nil:
			return fmt.Errorf("push to user %d: %q: %w", user, answer, err)
		}
		p.answers = append(p.answers, time.Since(began))
		_ = wait(ctx, time.Millisecond) // then it is over
	}
	return nil
}

// push asks once, over a connection of its own, so that whoever accepts now answers.
func push(socket string, user int) (answer string, err error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(conn, "%d one %d\n", user, user); err != nil {
		return "", err
	}
	answer, err = bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSuffix(answer, "\n"), err
}

// linesOf is the Unix socket of the process that has a user.
func (s *servers) linesOf(user, users int) string {
	i := (user*len(s.ports) + len(s.ports) - 1) / users
	for users*(i+1)/len(s.ports) <= user {
		i++
	}
	for users*i/len(s.ports) > user {
		i--
	}
	return s.lines(s.ports[i])
}

// lines is the Unix socket of the process that has a port.
func (s *servers) lines(port string) string { return filepath.Join(s.folder, port+".lines") }

// quantile is the time within which that part of the answers came.
func (p *pushes) quantile(part float64) time.Duration {
	if len(p.answers) == 0 {
		return 0
	}
	slices.Sort(p.answers)
	return p.answers[int(part*float64(len(p.answers)-1))]
}
