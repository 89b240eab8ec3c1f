package resp

import (
	"bytes"
	"net"
	"strings"
	"sync"
)

// Conn is a connection to a server, for a client that is not safe from what that says. What comes is read ahead of the client: each
// value has to be right, within bounds, and asked for, but for messages that are pushed. Else the connection is closed, and Read returns
// an error that matches ErrProtocol. One goroutine may read while another writes.
type Conn struct {
	net.Conn
	broken error // owned by who reads

	mu       sync.Mutex // guards the following
	answers  parser
	requests parser
	awaited  awaited
}

// New guards a connection over which nothing has gone yet.
func New(c net.Conn) *Conn { return &Conn{Conn: c} }

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
	return nil
}

// Read gives what came, up to what is wrong.
func (c *Conn) Read(to []byte) (int, error) {
	if c.broken != nil {
		return 0, c.broken
	}
	n, err := c.Conn.Read(to)
	good, wrong := c.judge(to[:n])
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
	return good, nil
}

// isSlots tells what the client takes for granted in the answer to CLUSTER SLOTS: of each range the ends and the servers, of each server
// the address and the port.
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
