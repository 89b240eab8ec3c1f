package lineman_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestListenerPause has connections wait in the kernel's queue while accepting is paused.
func TestListenerPause(t *testing.T) {
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}}
	s := linemantest.Start(t, w)
	first := s.Dial(w)
	first.Send("x")
	first.Receive()
	s.Do(w, func(l *lineman.Loop) { l.Listener(w).Pause() })
	waiting := make([]*linemantest.Client, 5)
	for i := range waiting {
		waiting[i] = s.Dial(w)
		waiting[i].Send("waited")
	}
	first.Send("still served")
	if got := first.Receive(); got != "still served" {
		t.Errorf("got %q", got)
	}
	s.Do(w, func(l *lineman.Loop) {
		// Over package net one connection may have been accepted ahead.
		if n := l.Stats().Conns; n != 1 && !(portable() && n == 2) {
			t.Errorf("%d connections while accepting is paused, want 1", n)
		}
		if _, err := l.Listen(w); err != nil { // W-23: it listens already, so it only goes on
			t.Error(err)
		}
	})
	for _, c := range waiting {
		if got := c.Receive(); got != "waited" {
			t.Errorf("got %q", got)
		}
	}
}

// TestPause stops reading from a connection: nothing is delivered, also of what was read already, and nothing is lost.
func TestPause(t *testing.T) {
	conns := make(chan *lineman.Conn, 1)
	got := make(chan string, 8)
	w := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	w.OnConnect = func(c *lineman.Conn) { conns <- c }
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		got <- string(msg)
		if string(msg) == "pause" {
			c.Pause()
		}
	}
	s := linemantest.Start(t, w)
	client := s.Dial(w)
	c := next(t, conns, "the connection")
	client.Write("pause\nalready read\n")
	if msg := next(t, got, "a message"); msg != "pause" {
		t.Fatalf("got %q", msg)
	}
	client.Write("not read yet\n")
	for range 10 {
		s.Do(w, func(*lineman.Loop) {})
	}
	if len(got) != 0 {
		t.Errorf("a paused connection delivered %q", <-got)
	}
	s.Do(w, func(*lineman.Loop) { c.Resume() })
	for _, want := range []string{"already read", "not read yet"} {
		if msg := next(t, got, "a message"); msg != want {
			t.Errorf("got %q, want %q", msg, want)
		}
	}
}

// TestAddressTaken has the error name the address and the remedy, match the system's, and nothing half served.
func TestAddressTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	first := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "first"}
	first.OnStart = func(*lineman.Loop) error {
		t.Error("OnStart was called though an address was taken")
		return nil
	}
	second := &lineman.Worker{Addr: "text://" + taken.Addr().String(), Name: "second"}
	err = lineman.Run(context.Background(), first, second)
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), second.Addr) ||
		!strings.Contains(strings.ToLower(err.Error()), "in use") || !strings.Contains(err.Error(), "another address") {
		t.Errorf("got %v", err)
	}
}

// TestUnixPlaceTaken tells what has the place of a Unix socket, and what the folder lacks: nothing about ports.
func TestUnixPlaceTaken(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		file:                               "it is no socket (-rw-------): remove it",
		filepath.Join(dir, "none", "sock"): "make its folder first",
		filepath.Join(file, "sock"):        "not a directory",
	} {
		err := lineman.Run(context.Background(), &lineman.Worker{Addr: "unix://" + path})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "1024") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestBadWorkers has each mistake in a description refused with what is allowed.
func TestBadWorkers(t *testing.T) {
	for _, tt := range []struct {
		worker lineman.Worker
		want   string
	}{
		{lineman.Worker{Addr: "127.0.0.1:0"}, "scheme://host:port"},
		{lineman.Worker{Addr: "gopher://127.0.0.1:0"}, "schemes are tcp, udp"},
		{lineman.Worker{Addr: "text+sctp://127.0.0.1:0"}, "unknown transport"},
		{lineman.Worker{Addr: "udp+unix://x"}, "takes no transport"},
		{lineman.Worker{Addr: "text://127.0.0.1"}, "host:port"},
		{lineman.Worker{Addr: "unix://"}, "path"},
		{lineman.Worker{Addr: "websocket+udp://127.0.0.1:0"}, "needs a stream"},
		{lineman.Worker{Addr: "text://127.0.0.1:0", Count: -1}, "Count is -1"},
		{lineman.Worker{Addr: "text://127.0.0.1:0", Count: 2}, "Count is 2"},
		{lineman.Worker{Addr: "text://127.0.0.1:0", Limits: lineman.Limits{MaxMessage: -1}}, "size in Limits"},
		{lineman.Worker{Addr: "text://127.0.0.1:0", Mode: 0o600}, "unix address"},
		{lineman.Worker{}, "neither Name nor Addr"},
		{lineman.Worker{Addr: "text://127.0.0.1:0", Save: saveNothing}, "one of Save and Restore"},
		{lineman.Worker{Addr: "text://127.0.0.1:0", Restore: restoreNothing}, "one of Save and Restore"},
		{lineman.Worker{Addr: "text://127.0.0.1:0", SaveState: saveNoState}, "one of SaveState (or SaveParts)"},
		{lineman.Worker{Addr: "text://127.0.0.1:0", SaveParts: saveNoParts}, "one of SaveState (or SaveParts)"},
		{lineman.Worker{Addr: "text://127.0.0.1:0", SaveState: saveNoState, SaveParts: saveNoParts}, "both SaveState"},
		{lineman.Worker{Addr: "text://127.0.0.1:0", RestoreState: restoreNoState}, "one of SaveState (or SaveParts)"},
		{lineman.Worker{Addr: "text+udp://127.0.0.1:0", Save: saveNothing, Restore: restoreNothing}, "for streams"},
	} {
		err := lineman.Run(context.Background(), &tt.worker)
		if err == nil || !strings.HasPrefix(err.Error(), "lineman: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.worker.Addr, err, tt.want)
		}
	}
	if err := lineman.Run(context.Background()); err == nil {
		t.Error("Run of nothing succeeded")
	}
}

// TestStartFails has an error of OnStart end everything before a connection is served.
func TestStartFails(t *testing.T) {
	linemantest.NoLeaks(t)
	wrong := errors.New("no database")
	var addr net.Addr
	first := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "first"}
	first.OnConnect = func(*lineman.Conn) { t.Error("a connection was served") }
	first.OnStart = func(l *lineman.Loop) error {
		addr = l.Listener(first).Addr()
		c, err := net.Dial(addr.Network(), addr.String())
		if err == nil {
			t.Cleanup(func() { c.Close() })
		}
		return err
	}
	second := &lineman.Worker{
		Addr: "text://127.0.0.1:0", Name: "second", OnStart: func(*lineman.Loop) error { return wrong },
	}
	if err := lineman.Run(context.Background(), first, second); !errors.Is(err, wrong) {
		t.Errorf("got %v", err)
	}
	if c, err := net.Dial(addr.Network(), addr.String()); err == nil {
		c.Close()
		t.Error("the first worker still listens")
	}
}

// TestIPv6 serves the loopback address of IPv6.
func TestIPv6(t *testing.T) {
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	}
	ln.Close()
	for _, scheme := range []string{"text", "udp"} {
		w := &lineman.Worker{Addr: scheme + "://[::1]:0", Events: lineman.Events{OnMessage: echo}}
		s := linemantest.Start(t, w)
		c := s.Dial(w)
		c.Send("six")
		if got := c.Receive(); got != "six" {
			t.Errorf("%s: got %q", scheme, got)
		}
	}
}

// TestReusePort has two workers on one address, which fails without it.
func TestReusePort(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no SO_REUSEPORT")
	}
	got := make(chan string, 1)
	worker := func(name, addr string) *lineman.Worker {
		w := &lineman.Worker{Addr: addr, Name: name, ReusePort: true}
		w.OnMessage = func(_ *lineman.Conn, _ []byte) { got <- name }
		return w
	}
	first := worker("first", "text://127.0.0.1:0")
	s := linemantest.Start(t, first)
	second := worker("second", "text://"+s.Addr(first).String())
	other := linemantest.Start(t, second)
	seen := map[string]bool{}
	for range 200 {
		c := s.Dial(first)
		c.Send("x")
		seen[next(t, got, "a message")] = true
		if len(seen) == 2 {
			break
		}
	}
	if len(seen) != 2 {
		t.Errorf("connections went to %v only", seen)
	}
	_ = other
	third := &lineman.Worker{Addr: second.Addr, Name: "third"}
	if err := lineman.Run(context.Background(), third); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("without ReusePort: %v", err)
	}
}

// TestUnix serves every stream protocol over a Unix socket with its permissions; a stale file is replaced, a live one
// refused, and the file is gone after the end.
func TestUnix(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permissions of a socket file are of Unix systems")
	}
	for _, scheme := range []string{"unix", "text+unix", "frame+unix", "websocket+unix"} {
		t.Run(scheme, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			stale, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			stale.(*net.UnixListener).SetUnlinkOnClose(false)
			stale.Close()
			w := &lineman.Worker{Addr: scheme + "://" + path, Mode: 0o640, Events: lineman.Events{OnMessage: echo}}
			s := linemantest.Start(t, w)
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("permissions are %v, want 0640 (%v)", info.Mode(), err)
			}
			c := s.Dial(w)
			c.Send("hello")
			if got := c.Receive(); got != "hello" {
				t.Errorf("got %q", got)
			}
			again := &lineman.Worker{Addr: w.Addr}
			if err := lineman.Run(context.Background(), again); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("a live socket: %v", err)
			}
			c.Close()
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the file is left: %v", err)
			}
		})
	}
}

// TestUDP serves datagrams with and without a protocol.
func TestUDP(t *testing.T) {
	raw := &lineman.Worker{Addr: "udp://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}}
	text := &lineman.Worker{Addr: "text+udp://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}}
	s := linemantest.Start(t, raw, text)
	c := s.Dial(raw)
	for _, msg := range []string{"x", strings.Repeat("y", 60000)} {
		c.Send(msg)
		if got := c.Receive(); got != msg {
			t.Errorf("got %d bytes, want %d", len(got), len(msg))
		}
	}
	c = s.Dial(text)
	c.Write("one\ntwo\nhalf")
	for _, want := range []string{"one\n", "two\n"} {
		b := make([]byte, 100)
		n, err := c.Conn.Read(b)
		if err != nil || string(b[:n]) != want {
			t.Errorf("got %q, %v, want %q", b[:n], err, want)
		}
	}
	c.Write("three\n") // the half line of the datagram before is forgotten
	b := make([]byte, 100)
	if n, err := c.Conn.Read(b); err != nil || string(b[:n]) != "three\n" {
		t.Errorf("got %q, %v", b[:n], err)
	}
}

// TestSetWorker changes the protocol in the middle of a stream: what follows in the same segment is the new one's.
func TestSetWorker(t *testing.T) {
	inner := &lineman.Worker{Name: "frames", Addr: "", Events: lineman.Events{OnMessage: echo}}
	inner.Protocol = linesBackwards{}
	w := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		if string(msg) != "switch" {
			t.Errorf("the old worker got %q", msg)
		}
		if err := c.SetWorker(inner); err != nil {
			t.Error(err)
		}
		if c.Worker() != inner {
			t.Error("Worker is the old one after SetWorker")
		}
	}
	s := linemantest.Start(t, w)
	c := s.Dial(w)
	c.Write("switch\nabc\nde")
	c.Write("f\n")
	if got := c.Read(8); got != "cba\nfed\n" {
		t.Errorf("got %q", got)
	}
	s.Do(w, func(l *lineman.Loop) {
		for range l.Conns(w) {
			t.Error("the old worker still has the connection")
		}
		n := 0
		for range l.Conns(inner) {
			n++
		}
		if n != 1 {
			t.Errorf("the new worker has %d connections", n)
		}
	})
}

// TestHalfClosed has the peer's end of stream answered after it came, whichever the loop sees first, that or an answer.
func TestHalfClosed(t *testing.T) {
	ends := make(chan error, 1)
	conns := make(chan *lineman.Conn, 1)
	w := &lineman.Worker{Addr: "http://127.0.0.1:0"}
	w.OnMessage = func(c *lineman.Conn, _ []byte) { conns <- c }
	w.OnClose = func(_ *lineman.Conn, err error) { ends <- err }
	s := linemantest.Start(t, w)
	for range 200 {
		client := s.Dial(w)
		client.Write("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
		client.CloseWrite()
		for _, answer := range []string{"first", "second"} {
			c := next(t, conns, "a request")
			if err := c.Send([]byte(answer)); err != nil {
				t.Fatal(err)
			}
			if _, body := client.Response(""); body != answer {
				t.Errorf("got %q, want %q", body, answer)
			}
		}
		if err := next(t, ends, "OnClose"); err != io.EOF {
			t.Errorf("OnClose: %v", err)
		}
		client.Close()
	}
}

// TestKilledPeer has a process that is killed seen as a closed connection.
func TestKilledPeer(t *testing.T) {
	nc, err := exec.LookPath("nc")
	if err != nil {
		t.Skip("nc is not there")
	}
	ends, connected := make(chan error, 1), make(chan struct{}, 1)
	w := &lineman.Worker{Addr: "text://127.0.0.1:0"}
	w.OnConnect = func(*lineman.Conn) { connected <- struct{}{} }
	w.OnClose = func(_ *lineman.Conn, err error) { ends <- err }
	s := linemantest.Start(t, w)
	host, port, _ := net.SplitHostPort(s.Addr(w).String())
	cmd := exec.Command(nc, host, port)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	next(t, connected, "the connection")
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	next(t, ends, "OnClose")
}
