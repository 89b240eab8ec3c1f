package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/lineman-go/lineman/push/events"
)

// tap prints what comes on one connection, or on two while the server is being replaced.
type tap struct {
	*listenFlags
	over    chan error     // a connection has ended, or will soon
	reading sync.WaitGroup // a goroutine for each connection

	mu  sync.Mutex // guards out
	out io.Writer
}

// errStrange is a line that no server of Lineman writes, or that cannot be printed: another try would be no better.
var errStrange = errors.New("no event")

// follow prints what comes, on a goroutine of its own, until the connection ends or ctx does.
func (t *tap) follow(ctx context.Context, b *backend) {
	t.reading.Add(1)
	go func() {
		defer t.reading.Done()
		defer b.Close()
		stop := context.AfterFunc(ctx, func() { b.Close() })
		defer stop()
		report := func(err error) {
			select {
			case t.over <- err:
			case <-ctx.Done():
			}
		}
		told := false
		for {
			kind, err := t.next(b)
			if (err != nil || kind == events.Leaving) && !told {
				told = true
				report(err)
			}
			if err != nil {
				return
			}
		}
	}()
}

// acknowledgeAfter is how many events are acknowledged together while more have come already.
const acknowledgeAfter = 100

// next prints the next event, and acknowledges it.
func (t *tap) next(b *backend) (events.Kind, error) {
	line, err := b.answers.ReadBytes('\n')
	if err != nil {
		return "", err
	}
	var e heard
	if err := json.Unmarshal(line, &e); err != nil || e.Type == "" {
		return "", fmt.Errorf("%w: %s says %.80q", errStrange, t.server, line)
	}
	if !t.json {
		line = []byte(visible(e.describe()) + "\n")
	}
	if err := t.print(line); err != nil {
		return "", fmt.Errorf("%w was printed: %w", errStrange, err)
	}
	if b.answers.Buffered() == 0 || e.N%acknowledgeAfter == 0 {
		_, err = fmt.Fprintf(b, "{\"cmd\":\"ack\",\"n\":%d}\n", e.N)
	}
	return e.Type, err
}

func (t *tap) print(line []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err := t.out.Write(line)
	return err
}
