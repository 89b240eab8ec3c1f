package redis_test

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"
)

// proxy stands between brokers and a server, as a network that can break.
type proxy struct {
	listener net.Listener
	server   string
	wait     sync.WaitGroup

	mu       sync.Mutex // guards the following
	cond     sync.Cond
	conns    []net.Conn
	cut      bool   // nobody gets through
	swallows bool   // nothing gets through, and nobody is told
	count    int    // connections ever made
	muted    int    // those before are as if all was swallowed, for good
	held     string // a connection that sends it waits; empty: none does
	delay    time.Duration
	delayed  string // a connection that sends it waits for that long
	ended    bool
}

// newProxy starts one in front of a server.
func newProxy(t testing.TB, server string) *proxy {
	t.Helper()
	p := listenProxy(t)
	p.serve(server)
	return p
}

// listenProxy makes one whose server is to be given.
func listenProxy(t testing.TB) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener}
	p.cond.L = &p.mu
	t.Cleanup(func() {
		_ = listener.Close()
		p.mu.Lock()
		p.ended = true
		p.mu.Unlock()
		p.Cut()
		p.wait.Wait()
	})
	return p
}

func (p *proxy) serve(server string) {
	p.server = server
	p.wait.Add(1)
	go p.accept()
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	defer p.wait.Done()
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wait.Add(1)
		go func() {
			defer p.wait.Done()
			p.carry(c)
		}()
	}
}

func (p *proxy) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	cut := p.cut
	p.conns = append(p.conns, client, server)
	number := p.count
	p.count++
	p.mu.Unlock()
	if cut {
		return
	}
	p.wait.Add(1)
	go func() {
		defer p.wait.Done()
		p.copy(server, client, number)
		_ = server.Close()
	}()
	p.copy(client, server, number)
}

func (p *proxy) copy(to, from net.Conn, number int) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		for (p.swallows || number < p.muted || p.holds(buffer[:n])) && !p.cut {
			p.cond.Wait()
		}
		delay := p.delayOf(buffer[:n])
		p.mu.Unlock()
		<-time.After(delay)
		if _, failed := to.Write(buffer[:n]); failed != nil || err != nil {
			return
		}
	}
}

func (p *proxy) holds(sent []byte) bool { return p.held != "" && bytes.Contains(sent, []byte(p.held)) }

func (p *proxy) delayOf(sent []byte) time.Duration {
	if p.delayed == "" {
		return 0
	}
	return time.Duration(bytes.Count(sent, []byte(p.delayed))) * p.delay
}

// Delay has each connection that sends a text wait, whenever it does.
func (p *proxy) Delay(text string, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delayed, p.delay = text, delay
}

// Hold has each connection that sends a text wait, until another one is given.
func (p *proxy) Hold(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = text
	p.cond.Broadcast()
}

// Cut breaks every connection, and refuses new ones.
func (p *proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
	p.cond.Broadcast()
}

// Swallow has all be silent.
func (p *proxy) Swallow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallows = true
}

// Mute has all that there is be silent for good. New connections are as they should.
func (p *proxy) Mute() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.muted = p.count
}

// Mend has new connections be as they should.
func (p *proxy) Mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.swallows = p.ended, false
	p.cond.Broadcast()
}
