package lineman_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// forwarder accepts and pipes each connection to one that it dials. What ended comes out of the channel, with who it
// was.
func forwarder(t *testing.T, target string, d lineman.Dialer) (*lineman.Worker, chan ended) {
	ends := make(chan ended, 16)
	w := &lineman.Worker{Addr: "tcp://127.0.0.1:0", Logger: quiet}
	w.OnClose = func(_ *lineman.Conn, err error) { ends <- ended{"front", err} }
	d.OnClose = func(_ *lineman.Conn, err error) { ends <- ended{"back", err} }
	d.Logger = quiet
	w.OnConnect = func(front *lineman.Conn) {
		back, err := front.Loop().Dial(target, d)
		if err != nil {
			t.Error(err)
			return
		}
		if err := lineman.Pipe(front, back); err != nil {
			t.Error(err)
		}
	}
	return w, ends
}

type ended struct {
	who string
	err error
}

// target is a listener of package net.
func target(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// through dials the forwarder and returns both ends of the way.
func through(t *testing.T, s *linemantest.Server, w *lineman.Worker, ln net.Listener) (client, server *net.TCPConn) {
	t.Helper()
	front := s.Dial(w)
	front.Write("!") // before the connection to the target is there
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	client, server = front.Conn.(*net.TCPConn), c.(*net.TCPConn)
	for _, c := range []net.Conn{client, server} {
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if b := make([]byte, 1); readFull(server, b) != nil || b[0] != '!' {
		t.Fatalf("the first byte is %q", b)
	}
	return client, server
}

func readFull(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	return err
}

// TestPipe has bytes go both ways at once, whole and in order, and each end of stream go on by itself.
func TestPipe(t *testing.T) {
	linemantest.NoLeaks(t)
	ln := target(t)
	w, ends := forwarder(t, "tcp://"+ln.Addr().String(), lineman.Dialer{})
	s := linemantest.Start(t, w)
	client, server := through(t, s, w, ln)
	content := make([]byte, 24<<20)
	_, _ = rand.Read(content)
	sent := make(chan error, 2)
	send := func(c *net.TCPConn, b []byte) {
		_, err := c.Write(b)
		sent <- errors.Join(err, c.CloseWrite())
	}
	got := make(chan []byte, 1)
	go send(client, content)
	go send(server, content[1:])
	go func() {
		b, _ := io.ReadAll(server) // compared below
		got <- b
	}()
	if b, err := io.ReadAll(client); err != nil || !bytes.Equal(b, content[1:]) {
		t.Errorf("to the client: %d bytes, %v", len(b), err)
	}
	if b := next(t, got, "what the server got"); !bytes.Equal(b, content) {
		t.Errorf("to the server: %d bytes", len(b))
	}
	for range 2 {
		if err := next(t, sent, "the end of sending"); err != nil {
			t.Error(err)
		}
		if e := next(t, ends, "OnClose"); e.err != io.EOF {
			t.Errorf("%s: %v", e.who, e.err)
		}
	}
}

// TestPipeHalf has one side end its stream first, and still get the answer: of the other's own pace.
func TestPipeHalf(t *testing.T) {
	linemantest.NoLeaks(t)
	ln := target(t)
	w, ends := forwarder(t, "tcp://"+ln.Addr().String(), lineman.Dialer{})
	s := linemantest.Start(t, w)
	for range 20 {
		client, server := through(t, s, w, ln)
		_, _ = io.WriteString(client, "question")
		_ = client.CloseWrite()
		if b, err := io.ReadAll(server); err != nil || string(b) != "question" {
			t.Fatalf("%q, %v", b, err)
		}
		_, _ = io.WriteString(server, "answer")
		_ = server.Close()
		if b, err := io.ReadAll(client); err != nil || string(b) != "answer" {
			t.Fatalf("%q, %v", b, err)
		}
		for range 2 {
			next(t, ends, "OnClose")
		}
	}
}

// TestPipeSlow has a side that does not read slow down the other, and nothing else: little is read ahead for it.
func TestPipeSlow(t *testing.T) {
	linemantest.NoLeaks(t)
	ln := target(t)
	w, ends := forwarder(t, "tcp://"+ln.Addr().String(), lineman.Dialer{})
	s := linemantest.Start(t, w)
	client, server := through(t, s, w, ln)
	sent := make(chan error, 1)
	content := bytes.Repeat([]byte("0123456789abcdef"), 4<<20)
	go func() {
		_, err := client.Write(content)
		sent <- errors.Join(err, client.CloseWrite())
	}()
	pending, since := -1, time.Now()
	linemantest.Until(t, "the bytes do not stand still", func() bool {
		now := 0
		s.Do(w, func(l *lineman.Loop) {
			for c := range l.Conns(w) {
				now = int(c.Stats().BytesIn)
			}
		})
		if now != pending {
			pending, since = now, time.Now()
		}
		return now > 0 && time.Since(since) > 200*time.Millisecond
	})
	s.Do(w, func(l *lineman.Loop) {
		for c := range l.Conns(w) {
			if in := c.Stats().BytesIn; in > 32<<20 {
				t.Errorf("%d bytes were read for a peer that takes none", in)
			}
		}
	})
	if b, err := io.ReadAll(server); err != nil || !bytes.Equal(b, content) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if err := next(t, sent, "the end of sending"); err != nil {
		t.Error(err)
	}
	server.Close()
	for range 2 {
		next(t, ends, "OnClose")
	}
}

// TestPipeBreaks has a side that is reset, aborted or closed take the other with it.
func TestPipeBreaks(t *testing.T) {
	linemantest.NoLeaks(t)
	ln := target(t)
	w, ends := forwarder(t, "tcp://"+ln.Addr().String(), lineman.Dialer{})
	s := linemantest.Start(t, w)

	client, server := through(t, s, w, ln)
	_ = client.SetLinger(0)
	client.Close()
	if _, err := server.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("after a reset: %v", err)
	}
	for range 2 {
		next(t, ends, "OnClose")
	}

	client, server = through(t, s, w, ln)
	s.Do(w, func(l *lineman.Loop) {
		for c := range l.Conns(w) {
			_ = c.Send([]byte("bye"))
			_ = c.Close()
		}
	})
	if b, err := io.ReadAll(client); err != nil || string(b) != "bye" {
		t.Errorf("Close: %q, %v", b, err)
	}
	client.Close()
	if b, err := io.ReadAll(server); err != nil || len(b) > 0 {
		t.Errorf("the other side of Close: %q, %v", b, err)
	}
	server.Close()
	for range 2 {
		if e := next(t, ends, "OnClose"); e.err != nil {
			t.Errorf("%s: %v", e.who, e.err)
		}
	}
}

// TestPipeNoTarget has a connection that cannot be made end the one that waits for it.
func TestPipeNoTarget(t *testing.T) {
	linemantest.NoLeaks(t)
	written := make(chan struct{})
	refused := errors.New("refused")
	w, ends := forwarder(t, "tcp://127.0.0.1:1",
		lineman.Dialer{Connect: func(context.Context, string, string) (net.Conn, error) {
			<-written
			return nil, refused
		}})
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write("into the void")
	close(written)
	if e := next(t, ends, "OnClose"); e.who != "back" || !errors.Is(e.err, refused) {
		t.Errorf("first %v", e)
	}
	if e := next(t, ends, "OnClose"); e.who != "front" {
		t.Errorf("then %v", e)
	}
	_ = c.Conn.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := c.Conn.Read(make([]byte, 1)); err == nil || errors.Is(err, net.ErrClosed) {
		t.Errorf("the client sees %v", err)
	}
}

// TestPipeTLS puts TLS on either side, and has close_notify pass an end of stream on.
func TestPipeTLS(t *testing.T) {
	linemantest.NoLeaks(t)
	server := linemantest.TLS(t)
	client := &tls.Config{RootCAs: server.RootCAs, ServerName: "localhost"}
	ln := tls.NewListener(target(t), server)
	w, ends := forwarder(t, "tcp://"+ln.Addr().String(), lineman.Dialer{TLS: client})
	w.TLS = server
	s := linemantest.Start(t, w)
	content := strings.Repeat("encrypted on both sides ", 100_000)
	got := make(chan string, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			got <- err.Error()
			return
		}
		defer c.Close()
		b, err := io.ReadAll(c)
		if err != nil {
			got <- err.Error()
			return
		}
		_, _ = c.Write(b[:100]) // the client tells
		got <- string(b)
	}()
	front := s.Dial(w).Conn.(*tls.Conn)
	_ = front.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(front, content); err != nil {
		t.Fatal(err)
	}
	if err := front.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if b := next(t, got, "what the server got"); b != content {
		t.Errorf("%d bytes, or an error: %.100s", len(b), b)
	}
	if b, err := io.ReadAll(front); err != nil || string(b) != content[:100] {
		t.Errorf("%q, %v", b, err)
	}
	front.Close()
	for range 2 {
		if e := next(t, ends, "OnClose"); e.err != io.EOF {
			t.Errorf("%s: %v", e.who, e.err)
		}
	}
}

// TestPipeRefused says what cannot be joined.
func TestPipeRefused(t *testing.T) {
	linemantest.NoLeaks(t)
	w := &lineman.Worker{Addr: "tcp://127.0.0.1:0", Logger: quiet}
	conns := make(chan *lineman.Conn, 1)
	w.OnConnect = func(c *lineman.Conn) { conns <- c }
	lines := &lineman.Worker{Addr: "text://127.0.0.1:0", Logger: quiet}
	w.OnStart = func(l *lineman.Loop) error {
		_, err := l.Listen(lines)
		return err
	}
	lines.OnConnect = w.OnConnect
	s := linemantest.Start(t, w)
	s.Dial(w)
	bytes := next(t, conns, "the connection")
	s.Dial(lines)
	line := next(t, conns, "the connection of lines")
	s.Dial(w)
	gone := next(t, conns, "the one that goes")
	s.Do(w, func(*lineman.Loop) {
		if err := lineman.Pipe(bytes, bytes); err == nil {
			t.Error("a connection was joined with itself")
		}
		if err := lineman.Pipe(bytes, line); err == nil || !strings.Contains(err.Error(), "does not carry bytes") {
			t.Errorf("lines: %v", err)
		}
		gone.Abort()
		if err := lineman.Pipe(bytes, gone); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}
