package e2e

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
)

// cable is the network between pages and a server: it can be cut, and it can lose what crosses it without a word.
type cable struct {
	addr string // where pages come
	to   string // the server

	mu    sync.Mutex // guards the following
	plain bool       // it passes no WebSocket
	ends  map[net.Conn]bool
	stuck map[net.Conn]bool // ends from which nothing is passed on any more
}

// newCable lays a cable to a server, until the end of the test.
func newCable(t *testing.T, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{addr: l.Addr().String(), to: to, ends: map[net.Conn]bool{}, stuck: map[net.Conn]bool{}}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var all sync.WaitGroup
		defer all.Wait()
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { c.join(near) })
		}
	}()
	t.Cleanup(func() {
		l.Close()
		c.cut()
		<-ended
	})
	return c
}

// join passes bytes between a page and the server, until either ends.
func (c *cable) join(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer far.Close()
	c.mu.Lock()
	c.ends[near], c.ends[far] = true, true
	c.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { c.pass(near, far) })
	both.Go(func() { c.pass(far, near) })
	both.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.ends, near)
	delete(c.ends, far)
}

func (c *cable) pass(to, from net.Conn) {
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		c.mu.Lock()
		lost, refused := c.stuck[from], c.plain && bytes.Contains(buffer[:n], []byte("Upgrade: websocket"))
		c.mu.Unlock()
		if refused {
			return
		}
		if lost {
			_, _ = io.Copy(io.Discard, from)
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// cut ends all connections.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for end := range c.ends {
		end.Close()
	}
}

// noWebSockets has only plain HTTP pass from now on, as some proxies do.
func (c *cable) noWebSockets() {
	c.mu.Lock()
	c.plain = true
	c.mu.Unlock()
	c.cut()
}

// lose has nothing pass over the connections that there are, and their ends not notice.
func (c *cable) lose() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for end := range c.ends {
		c.stuck[end] = true
	}
}
