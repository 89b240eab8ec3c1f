package lineman_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// openSSL is its client, a peer that was written by others. Its commands are single letters on a line.
type openSSL struct {
	t     *testing.T
	in    io.Writer
	lines chan string // that it prints
	said  *journal    // what it has to say beside
}

func startOpenSSL(t *testing.T, s *linemantest.Server, w *lineman.Worker, args ...string) *openSSL {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(path, append([]string{"s_client", "-connect", s.Addr(w).String()}, args...)...)
	o := &openSSL{t: t, lines: make(chan string, 1000), said: &journal{}}
	cmd.Stderr = o.said
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	o.in = in
	var reading sync.WaitGroup
	reading.Add(1)
	go func() {
		defer reading.Done()
		for lines := bufio.NewScanner(out); lines.Scan(); {
			o.lines <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill() // it may have ended
		reading.Wait()
		_ = cmd.Wait()
	})
	return o
}

func (o *openSSL) write(line string) {
	o.t.Helper()
	if _, err := io.WriteString(o.in, line+"\n"); err != nil {
		o.t.Fatal(err)
	}
}

// await returns when a line is printed.
func (o *openSSL) await(want string) {
	o.t.Helper()
	for {
		if line := next(o.t, o.lines, want); line == want {
			return
		}
	}
}

// TestTLSOpenSSL has a peer that was written by others get new keys.
func TestTLSOpenSSL(t *testing.T) {
	w := secured(t, "text")
	w.OnMessage = func(c *lineman.Conn, msg []byte) { _ = c.Send(bytes.ToUpper(msg)) }
	s := linemantest.Start(t, w)
	o := startOpenSSL(t, s, w, "-tls1_3")
	o.write("before")
	o.await("BEFORE")
	for n := range 3 {
		o.write("K") // new keys, for both sides
		// What follows at once it takes for part of the command.
		linemantest.Until(t, "no new keys", func() bool { return o.said.count("KEYUPDATE") > n })
		o.write("after")
		o.await("AFTER")
	}
}

// TestTLSRenegotiation has it refused.
func TestTLSRenegotiation(t *testing.T) {
	w := secured(t, "text")
	closed := make(chan error, 1)
	w.OnMessage = func(c *lineman.Conn, msg []byte) { _ = c.Send(bytes.ToUpper(msg)) }
	w.OnClose = func(_ *lineman.Conn, err error) { closed <- err }
	s := linemantest.Start(t, w)
	o := startOpenSSL(t, s, w, "-tls1_2")
	o.write("before")
	o.await("BEFORE")
	o.write("R")
	var broke *lineman.ProtocolError
	if err := next(t, closed, "OnClose"); !errors.As(err, &broke) || broke.Protocol != "tls" ||
		!strings.Contains(err.Error(), "unexpected handshake message") {
		t.Errorf("OnClose: %v", err)
	}
}
