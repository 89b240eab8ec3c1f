package e2e

import (
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
)

// breaker is a relay to a port whose connections are broken when a test wants that.
type breaker struct {
	net.Listener
	to     string
	refuse atomic.Bool // it answers as a proxy does that finds no server

	mu    sync.Mutex // guards conns
	conns []*net.TCPConn
}

func newBreaker(t *testing.T, to string) *breaker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &breaker{Listener: l, to: to}
	var relaying sync.WaitGroup
	relaying.Add(1)
	go func() {
		defer relaying.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			relaying.Add(1)
			go func() { defer relaying.Done(); b.relay(c.(*net.TCPConn)) }()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		b.cut()
		relaying.Wait()
	})
	return b
}

// relay passes on what both sides say, until one of them ends or it is cut.
func (b *breaker) relay(c *net.TCPConn) {
	defer c.Close()
	if b.refuse.Load() {
		_, _ = io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, c)
		return
	}
	server, err := net.Dial("tcp", b.to)
	if err != nil {
		return // the client sees that it ends
	}
	b.mu.Lock()
	b.conns = append(b.conns, c, server.(*net.TCPConn))
	b.mu.Unlock()
	back := make(chan struct{})
	go func() {
		defer close(back)
		_, _ = io.Copy(c, server) // they end by an error as well
		c.Close()
	}()
	_, _ = io.Copy(server, c)
	server.Close()
	<-back
}

// cut resets all connections, and returns how many there were.
func (b *breaker) cut() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.conns {
		_ = c.SetLinger(0) // it may have closed
		if c.Close() == nil {
			n++
		}
	}
	b.conns = nil
	return n
}

// sentAway has all clients come again at once.
const sentAway = `{"cmd":"kick","to":"*","code":4101,"reason":"{\"retry\":1}"}`

// TestProtocolClient runs the client of docs/protocol-client.md, which was written from docs/protocol.md alone, over a
// network that breaks, and on a server that sends it away: it prints each message once and in order. When the server
// was killed, and has lost what was in its memory, it prints that there is a gap, and goes on.
func TestProtocolClient(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	program := block(t, "../docs/protocol-client.md", "python")
	_, client, _ := strings.Cut(program, "\nclass Client:")
	if n := strings.Count(client, "\n"); n > 60 {
		t.Errorf("the client has %d lines", n)
	}
	m := newMortal(t, append([]string{"--history-groups-size", "100"}, inMemory...)...)
	network := newBreaker(t, m.pages)
	write(t, filepath.Join(m.folder, "client.py"), program)
	c := launch(t, exec.Command("python3", filepath.Join(m.folder, "client.py"), network.Addr().String(), "uid1",
		"chat:1", "chat:2"))
	online := func() bool {
		answer, err := askLine(m.backend, `{"cmd":"count","to":["chat:1","chat:2"]}`)
		return err == nil && answer == `{"ok":true,"counts":{"chat:1":1,"chat:2":1}}`
	}
	linemantest.Until(t, "the client does not come", online)

	var want []string
	publish := func(n int) {
		t.Helper()
		for range n {
			ch := fmt.Sprint("chat:", 1+len(want)%2)
			want = append(want, fmt.Sprintf(`%s {"n": %d}`, ch, len(want)))
			answer, err := askLine(m.backend, fmt.Sprintf(`{"cmd":"pub","to":%q,"data":{"n":%d}}`, ch, len(want)-1))
			if err != nil || !strings.HasPrefix(answer, `{"ok":true,`) {
				t.Fatalf("pub is answered %q, %v", answer, err)
			}
		}
	}
	got := func() []string {
		lines := strings.Split(c.said(), "\n")
		return lines[:len(lines)-1] // what has an end
	}
	for i := range 30 {
		publish(10)
		if i%10 == 9 {
			if network.cut() == 0 {
				t.Error("there was nothing to cut")
			}
		} else if _, err := askLine(m.backend, sentAway); err != nil {
			t.Fatal(err)
		}
		publish(10)
		linemantest.Until(t, "the client does not come back", online)
	}
	publish(1)
	linemantest.Until(t, "not all comes", func() bool { return len(got()) >= len(want) })
	if !sameOrder(got(), want) {
		t.Errorf("it prints %d lines, of %d: %q", len(got()), len(want), got())
	}
	inAGroup(t, m, online, got)

	before := len(got())
	m.kill()
	linemantest.Until(t, "it is not told of a gap", func() bool {
		return slices.Contains(got(), "chat:1 gap: epoch") && slices.Contains(got(), "chat:2 gap: epoch")
	})
	publish(2)
	linemantest.Until(t, "not all comes", func() bool { return len(got()) >= before+4 })
	if all := got(); !sameOrder(all[len(all)-2:], want[len(want)-2:]) {
		t.Errorf("after the kill it prints %q", all[len(all)-4:])
	}
}

// inAGroup has a back end put the client into a group, which ends with the connection, and put it there again when it
// has come back: it prints what it has missed. online reports whether it is there, got has what it has printed.
func inAGroup(t *testing.T, m *mortal, online func() bool, got func() []string) {
	t.Helper()
	ask := func(line, want string) {
		t.Helper()
		if answer, err := askLine(m.backend, line); err != nil || !strings.HasPrefix(answer, want) {
			t.Fatalf("%s is answered %q, %v", line, answer, err)
		}
	}
	const join = `{"cmd":"join","to":"u:uid1","group":"x"}`
	ask(join, `{"ok":true,"n":1}`)
	ask(`{"cmd":"pub","to":"g:x","data":1}`, `{"ok":true,"n":1,`)
	linemantest.Until(t, "it does not get what is for its group",
		func() bool { return slices.Contains(got(), "g:x 1") })
	ask(sentAway, `{"ok":true,"n":1}`)
	ask(`{"cmd":"pub","to":"g:x","data":2}`, `{"ok":true,"n":0,`)
	linemantest.Until(t, "the client does not come back", online)
	ask(join, `{"ok":true,"n":1}`)
	linemantest.Until(t, "it does not get what it has missed in its group",
		func() bool { return slices.Contains(got(), "g:x 2") })
}

// sameOrder reports whether two lists have the same lines of each channel, each in order.
func sameOrder(got, want []string) bool {
	of := func(lines []string) map[string][]string {
		all := map[string][]string{}
		for _, line := range lines {
			ch, _, _ := strings.Cut(line, " ")
			all[ch] = append(all[ch], line)
		}
		return all
	}
	return fmt.Sprint(of(got)) == fmt.Sprint(of(want))
}
