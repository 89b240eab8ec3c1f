package resp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// Conn is a connection to a server, for a client that is not safe from what that says. What comes is read ahead of the
// client: each value has to be right, within bounds, and asked for, but for messages that are pushed. Else the
// connection is closed, and Read returns an error that matches ErrProtocol. One goroutine may read while another
// writes.
type Conn struct {
	net.Conn
	silence time.Duration
	broken  error // owned by who reads

	mu       sync.Mutex // guards the following
	answers  parser
	requests parser
	awaited  awaited
	due      time.Time // when Read ends unless something comes; zero while nothing is awaited
}

// New guards a connection over which nothing has gone yet. A server that owes an answer and says nothing at all for
// longer than silence is given up: Read returns an error that matches os.ErrDeadlineExceeded. 0: it is waited for as
// long as the client does.
func New(c net.Conn, silence time.Duration) *Conn { return &Conn{Conn: c, silence: silence} }

// Write notes what is asked, and sends it.
func (c *Conn) Write(from []byte) (int, error) {
	if err := c.note(from); err != nil {
		return 0, err
	}
	return c.Conn.Write(from)
}

// note expects the answers to what is asked. They cannot come before it was sent.
func (c *Conn) note(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(b) > 0 {
		n, whole, err := c.requests.next(b)
		if err != nil {
			return err
		}
		b = b[n:]
		if whole {
			c.awaited.ask(&c.requests.found)
		}
	}
	if c.due.IsZero() {
		c.waitLocked()
	}
	return nil
}

// waitLocked has Read end if nothing comes though something is awaited. mu is held.
func (c *Conn) waitLocked() {
	if c.silence == 0 {
		return
	}
	due := time.Time{}
	if c.awaited.front() != nil {
		due = time.Now().Add(c.silence)
	}
	if due.IsZero() == c.due.IsZero() && due.Sub(c.due) <= c.silence/16 { // as good as it is
		return
	}
	c.due = due
	_ = c.Conn.SetReadDeadline(due) // else it has closed
}

// Read gives what came, up to what is wrong.
func (c *Conn) Read(to []byte) (int, error) {
	if c.broken != nil {
		return 0, c.broken
	}
	n, err := c.Conn.Read(to)
	good, wrong := c.judge(to[:n])
	if wrong == nil && err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		wrong = fmt.Errorf("redis: the server has said nothing for too long: %w", err)
	}
	if wrong == nil {
		return n, err
	}
	c.broken = wrong
	_ = c.Conn.Close() // there is an error already
	if good == 0 {
		return 0, wrong
	}
	return good, nil
}

// judge looks at what came. Only the values before good are whole and right if it is wrong.
func (c *Conn) judge(b []byte) (good int, wrong error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for at := 0; at < len(b); {
		c.answers.fits = c.awaited.shape()
		n, whole, err := c.answers.next(b[at:])
		if err == nil && whole {
			err = c.awaited.take(&c.answers.found)
		}
		if err != nil {
			return good, err
		}
		at += n
		if whole {
			good = at
		}
	}
	if len(b) > 0 {
		c.waitLocked()
	}
	return good, nil
}

// isSlots tells what the client takes for granted in the answer to CLUSTER SLOTS: of each range the ends and the
// servers, of each server the address and the port.
func isSlots(depth, index int, kind byte, count int) bool {
	switch {
	case depth == 1:
		return kind == array && count >= 3
	case depth == 2 && index >= 2:
		return kind == array && count >= 2
	}
	return true
}

// redirects are errors that say where to go: the client takes it for granted that they do.
func redirects(text []byte) (words int) {
	switch {
	case bytes.HasPrefix(text, []byte("MOVED")), bytes.HasPrefix(text, []byte("ASK")):
		return 3
	case bytes.HasPrefix(text, []byte("REDIRECT")):
		return 2
	}
	return 0
}

func isWord(word []byte, any ...string) bool {
	for _, w := range any {
		if len(w) == len(word) && strings.EqualFold(w, string(word)) {
			return true
		}
	}
	return false
}
