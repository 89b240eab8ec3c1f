package lineman_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/http1"
)

// secured is a worker with TLS.
func secured(t *testing.T, scheme string) *lineman.Worker {
	t.Helper()
	return &lineman.Worker{Addr: scheme + "://127.0.0.1:0", TLS: linemantest.TLS(t), Logger: quiet}
}

// TestTLS echoes messages of all sizes over every stream protocol.
func TestTLS(t *testing.T) {
	linemantest.NoLeaks(t)
	for _, scheme := range []string{"tcp", "text", "frame", "websocket"} {
		t.Run(scheme, func(t *testing.T) {
			w := secured(t, scheme)
			w.OnMessage = echo
			s := linemantest.Start(t, w)
			c := s.Dial(w)
			for _, size := range []int{1, 100, 16 << 10, 16<<10 + 1, 300_000} {
				msg := strings.Repeat("x", size)
				c.Send(msg)
				got := c.Receive()
				for scheme == "tcp" && len(got) < size {
					got += c.Receive()
				}
				if got != msg {
					t.Fatalf("%d bytes came back as %d", size, len(got))
				}
			}
		})
	}
}

// TestTLSHTTP has pipelined requests answered, and the state of TLS seen.
func TestTLSHTTP(t *testing.T) {
	w := secured(t, "http")
	w.TLS.NextProtos = []string{"h2"}
	w.OnRequest = func(c *lineman.Conn, r *http1.Request) {
		state := c.TLS()
		_ = c.Respond(
			&http1.Response{Body: fmt.Appendf(nil, "%s %s %v", r.Path(), state.NegotiatedProtocol,
				state.HandshakeComplete)})
	}
	s := linemantest.Start(t, w)
	conn, err := tls.Dial("tcp", s.Addr(w).String(),
		&tls.Config{RootCAs: w.TLS.RootCAs, ServerName: "localhost", NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	c := linemantest.NewClient(t, conn, w)
	c.Write(strings.Repeat("GET /a HTTP/1.1\r\nHost: x\r\n\r\n", 100))
	for range 100 {
		if _, body := c.Response(""); body != "/a http/1.1 true" {
			t.Fatalf("answer %q", body)
		}
	}
}

// pieces writes at most so many bytes at once: records arrive in pieces.
type pieces struct {
	net.Conn
	most int
}

func (s pieces) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := s.Conn.Write(p[done:min(done+s.most, len(p))])
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// TestTLSPieces has the ciphertext arrive byte by byte.
func TestTLSPieces(t *testing.T) {
	w := secured(t, "text")
	w.OnMessage = echo
	s := linemantest.Start(t, w)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		conn, err := net.Dial("tcp", s.Addr(w).String())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.(*net.TCPConn).SetNoDelay(true)
		c := linemantest.NewClient(t,
			tls.Client(pieces{conn, 1}, &tls.Config{InsecureSkipVerify: true, MaxVersion: version}), w)
		for i := range 20 {
			msg := fmt.Sprint("message ", i)
			c.Send(msg)
			if got := c.Receive(); got != msg {
				t.Fatalf("%q came back as %q", msg, got)
			}
		}
	}
}

// TestTLSClose has the goodbyes of both sides, and none, told apart.
func TestTLSClose(t *testing.T) {
	linemantest.NoLeaks(t)
	w := secured(t, "text")
	reasons := make(chan error, 1)
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		if string(msg) == "bye" {
			_ = c.Send([]byte("last words"))
			_ = c.Close()
		}
	}
	w.OnClose = func(_ *lineman.Conn, err error) { reasons <- err }
	s := linemantest.Start(t, w)

	ours := s.Dial(w)
	ours.Send("bye")
	if got := ours.Receive(); got != "last words" {
		t.Errorf("got %q", got)
	}
	if rest, err := io.ReadAll(ours.Reader); err != nil || len(rest) > 0 {
		t.Errorf("this side's end: %q, %v", rest, err) // without close_notify: io.ErrUnexpectedEOF
	}
	ours.Close()
	if err := next(t, reasons, "OnClose"); err != nil {
		t.Errorf("closed by this side: %v", err)
	}

	theirs := s.Dial(w)
	theirs.Send("hi")
	theirs.Close()
	if err := next(t, reasons, "OnClose"); err != io.EOF {
		t.Errorf("closed by the peer: %v", err)
	}

	cut := s.Dial(w)
	cut.Send("hi")
	s.Do(w, func(*lineman.Loop) {})
	if err := cut.Conn.(*tls.Conn).NetConn().Close(); err != nil {
		t.Fatal(err)
	}
	if err := next(t, reasons, "OnClose"); err != io.ErrUnexpectedEOF && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("cut: %v", err)
	}
}

// TestTLSHalfClose has what came before close_notify answered.
func TestTLSHalfClose(t *testing.T) {
	w := secured(t, "text")
	w.OnMessage = echo
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Send("one")
	c.Send("two")
	c.CloseWrite()
	if got := c.Rest(); got != "one\ntwo\n" {
		t.Errorf("got %q", got)
	}
}

// TestTLSHostile has handshakes that fail: no callback hears of them.
func TestTLSHostile(t *testing.T) {
	linemantest.NoLeaks(t)
	w := secured(t, "text")
	w.OnConnect = func(*lineman.Conn) { t.Error("OnConnect") }
	w.OnClose = func(_ *lineman.Conn, err error) { t.Errorf("OnClose: %v", err) }
	s, clock := startByClock(t, w)
	dial := func() net.Conn {
		c, err := net.Dial("tcp", s.Addr(w).String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		_ = c.SetDeadline(time.Now().Add(patience))
		return c
	}
	for name, bytes := range map[string]string{
		"plain text":         "GET / HTTP/1.1\r\n\r\n",
		"a record too large": "\x16\x03\x01\xff\xff" + strings.Repeat("x", 70_000),
		"zeroes":             strings.Repeat("\x00", 100),
	} {
		c := dial()
		_, _ = io.WriteString(c, bytes) // it may end before it has all
		if _, err := io.ReadAll(c); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: %v", name, err)
		}
		c.Close()
	}
	gone := dial() // vanishes in the handshake
	if _, err := io.WriteString(gone, "\x16\x03\x01\x01\x00\x01"); err != nil {
		t.Fatal(err)
	}
	gone.Close()
	half := dial()
	if _, err := io.WriteString(half, "\x16\x03\x01\x01\x00\x01"); err != nil {
		t.Fatal(err)
	}
	live := func() (n int) {
		s.Do(w, func(l *lineman.Loop) { n = l.Stats().Conns })
		return n
	}
	linemantest.Until(t, "not one connection is left", func() bool { return live() == 1 })
	clock.jump(s, w, 10*time.Second+200*time.Millisecond)
	if _, err := io.ReadAll(half); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("half a handshake: %v", err)
	}
	if n := live(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
	stays := dial() // in the handshake when the loop stops
	linemantest.Until(t, "nobody has come", func() bool { return live() == 1 })
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	_, _ = io.ReadAll(stays)
}

// TestTLSPressure has a slow reader of encrypted messages told from a quick one, and get all that was accepted.
func TestTLSPressure(t *testing.T) {
	w := secured(t, "frame")
	conns := make(chan *lineman.Conn, 1)
	w.OnConnect = func(c *lineman.Conn) { conns <- c }
	const most = 4096 // messages
	// Several times, if the kernel has room after all.
	full, drained := make(chan bool, most), make(chan bool, most)
	w.OnFull = func(*lineman.Conn) { full <- true }
	w.OnDrain = func(*lineman.Conn) { drained <- true }
	s := linemantest.Start(t, w)
	client := s.Dial(w)
	if err := client.Conn.(*tls.Conn).Handshake(); err != nil {
		t.Fatal(err)
	}
	c := next(t, conns, "OnConnect")
	msg := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
	accepted := 0
	for ; ; accepted++ {
		err := c.Send(msg)
		if err == lineman.ErrFull {
			break
		}
		if err != nil || accepted > most {
			t.Fatalf("after %d messages: %v", accepted, err)
		}
	}
	next(t, full, "OnFull")
	if c.Pending() > 1<<20+2*len(msg)+64<<10 {
		t.Errorf("%d bytes are pending", c.Pending())
	}
	for i := range accepted {
		if got := client.Receive(); got != string(msg) {
			t.Fatalf("message %d of %d is wrong", i, accepted)
		}
	}
	next(t, drained, "OnDrain")
}

// TestTLSPause keeps what came with the last record until Resume.
func TestTLSPause(t *testing.T) {
	w := secured(t, "text")
	conns := make(chan *lineman.Conn, 1)
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		echo(c, msg)
		if string(msg) == "pause" {
			c.Pause()
			conns <- c
		}
	}
	s := linemantest.Start(t, w)
	client := s.Dial(w)
	client.Write("pause\nafter\n" + strings.Repeat("x", 100_000) + "\nlast\n")
	if got := client.Receive(); got != "pause" {
		t.Fatalf("got %q", got)
	}
	c := next(t, conns, "the pause")
	s.Do(w, func(*lineman.Loop) { c.Resume() })
	if one, two, three := client.Receive(), client.Receive(), client.Receive(); one != "after" || len(two) != 100_000 ||
		three != "last" {
		t.Errorf("got %q, %d bytes, %q", one, len(two), three)
	}
}

// TestTLSIdentity has client certificates, names and resumed sessions seen.
func TestTLSIdentity(t *testing.T) {
	w := secured(t, "text")
	w.TLS.ClientAuth, w.TLS.ClientCAs = tls.RequireAndVerifyClientCert, w.TLS.RootCAs
	w.OnMessage = func(c *lineman.Conn, _ []byte) {
		state := c.TLS()
		_ = c.Send(fmt.Appendf(nil, "%s %s %v", state.ServerName, state.PeerCertificates[0].Subject.CommonName,
			state.DidResume))
	}
	s := linemantest.Start(t, w)
	config := &tls.Config{
		RootCAs: w.TLS.RootCAs, ServerName: "localhost", Certificates: w.TLS.Certificates,
		ClientSessionCache: tls.NewLRUClientSessionCache(1),
	}
	for i, want := range []string{"localhost localhost false", "localhost localhost true"} {
		conn, err := tls.Dial("tcp", s.Addr(w).String(), config)
		if err != nil {
			t.Fatal(err)
		}
		c := linemantest.NewClient(t, conn, w)
		c.Send("who?")
		if got := c.Receive(); got != want {
			t.Errorf("connection %d: %q", i, got)
		}
	}
	bare, err := tls.Dial("tcp", s.Addr(w).String(), &tls.Config{InsecureSkipVerify: true})
	if err == nil {
		_, err = bare.Read(make([]byte, 1))
		bare.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("without a certificate: %v", err)
	}
}

// TestTLSNoGoroutine has idle connections without one.
func TestTLSNoGoroutine(t *testing.T) {
	if portable() {
		t.Skip("package net takes a goroutine for each connection")
	}
	w := secured(t, "text")
	w.OnMessage = echo
	s := linemantest.Start(t, w)
	s.Dial(w).Send("warm")
	before := runtime.NumGoroutine()
	for range 20 {
		c := s.Dial(w)
		c.Send("hi")
		c.Receive()
	}
	// That of the last handshake is ending.
	linemantest.Until(t, "connections have goroutines", func() bool { return runtime.NumGoroutine() <= before })
}

// TestCertificate has files read again when they have changed, and the old certificate kept when they are bad.
func TestCertificate(t *testing.T) { synctest.Test(t, certificateAgain) }

func certificateAgain(t *testing.T) {
	folder := t.TempDir()
	certFile, keyFile := linemantest.CertificateFiles(t, folder)
	if _, err := lineman.Certificate(certFile+"x", keyFile); err == nil || !strings.Contains(err.Error(), "cert.pemx") {
		t.Errorf("no such file: %v", err)
	}
	get, err := lineman.Certificate(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	current := func() []byte {
		t.Helper()
		pair, err := get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pair.Certificate[0]
	}
	first := current()
	if !bytes.Equal(first, current()) {
		t.Error("it changes without a reason")
	}
	linemantest.CertificateFiles(t, folder)
	time.Sleep(time.Second)
	second := current()
	if bytes.Equal(first, second) {
		t.Error("the new certificate is not read")
	}
	if err := os.WriteFile(certFile, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	if !bytes.Equal(second, current()) {
		t.Error("a bad file has its certificate dropped")
	}
}
