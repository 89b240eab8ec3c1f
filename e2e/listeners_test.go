package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// listenerPrograms are those of docs/listeners.md: for each language the file of the class, that of the program which
// uses it, and what runs it.
var listenerPrograms = []struct{ language, class, program, command string }{
	{"php", "Listener.php", "chat.php", "php"},
	{"python", "listener.py", "chat.py", "python3"},
	{"js", "listener.js", "chat.js", "node"},
}

// pasteListener writes the class and the program of a language into a folder, and returns the command that runs it.
func pasteListener(t *testing.T, language string) *exec.Cmd {
	t.Helper()
	folder, found := t.TempDir(), blocks(t, "../docs/listeners.md", language)
	for _, p := range listenerPrograms {
		if p.language != language {
			continue
		}
		need(t, p.command)
		if len(found) != 2 || strings.Count(found[0], "\n") >= 80 {
			t.Fatalf("%d programs, the class has %d lines", len(found), strings.Count(found[0], "\n"))
		}
		write(t, filepath.Join(folder, p.class), found[0])
		write(t, filepath.Join(folder, p.program), found[1])
		cmd := exec.Command(p.command, p.program)
		cmd.Dir = folder
		return cmd
	}
	t.Fatalf("there is no program in %s", language)
	return nil
}

// TestListenerFile has the class of docs/listeners.md be the one in client/php.
func TestListenerFile(t *testing.T) {
	if blocks(t, "../docs/listeners.md", "php")[0] != read(t, "../client/php/Listener.php") {
		t.Error("client/php/Listener.php is not what docs/listeners.md shows")
	}
}

// linePort is a port for lines that a test plays.
type linePort struct {
	t *testing.T
	net.Listener
}

func newLinePort(t *testing.T) linePort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return linePort{t, l}
}

// accept is the next connection, which begins with a key and listens.
func (p linePort) accept() *lineListener {
	p.t.Helper()
	if err := p.Listener.(*net.TCPListener).SetDeadline(time.Now().Add(patience)); err != nil {
		p.t.Fatal(err)
	}
	c, err := p.Accept()
	if err != nil {
		p.t.Fatalf("nobody connects: %v", err)
	}
	p.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		p.t.Fatal(err)
	}
	return &lineListener{t: p.t, Conn: c, lines: bufio.NewReader(c)}
}

// listens is accept, and answers what comes first.
func (p linePort) listens() *lineListener {
	p.t.Helper()
	l := p.accept()
	if auth := l.next(); auth.Cmd != "auth" || auth.Key != "sesame" {
		p.t.Fatalf("it begins with %+v", auth)
	}
	l.say(`{"ok":true}`)
	listen := l.next()
	if listen.Cmd != "listen" || listen.Group != "chat" ||
		!slices.Equal(listen.Events, []string{"message", "join", "leave", "rpc"}) {
		p.t.Fatalf("then comes %+v", listen)
	}
	l.say(`{"ok":true}`)
	return l
}

// lineListener is a connection to it.
type lineListener struct {
	t *testing.T
	net.Conn
	lines *bufio.Reader
	sent  int // events
}

// lineAsked is what a listener writes.
type lineAsked struct {
	Cmd, ID, Key, Group, Call string
	Events                    []string
	N                         int
	Data                      json.RawMessage
}

func (l *lineListener) say(line string) {
	l.t.Helper()
	if _, err := io.WriteString(l, line+"\n"); err != nil {
		l.t.Fatal(err)
	}
}

// event sends one.
func (l *lineListener) event(kind, fields string) {
	l.t.Helper()
	l.sent++
	l.say(fmt.Sprintf(`{"type":%q,%s"time":1795400000123,"n":%d}`, kind, fields, l.sent))
}

// message sends the event of a page that says something.
func (l *lineListener) message(seq int, text string, again ...string) {
	l.t.Helper()
	fields := fmt.Sprintf(`"conn":"c:5f3a.1","uid":"7","seq":%d,"data":%q,`, seq, text)
	l.event("message", fields+strings.Join(again, ""))
}

func (l *lineListener) next() (a lineAsked) {
	l.t.Helper()
	line, err := l.lines.ReadString('\n')
	if err == nil {
		err = json.Unmarshal([]byte(line), &a)
	}
	if err != nil {
		l.t.Fatalf("%q, %v", line, err)
	}
	return a
}

// published wants the command of the program for an event, which may come behind acknowledgements, and answers it.
func (l *lineListener) published(seq int, text string) {
	l.t.Helper()
	l.wants(seq, text)
	l.say(`{"ok":true,"n":1}`)
}

func (l *lineListener) wants(seq int, text string) {
	l.t.Helper()
	a := l.next()
	for a.Cmd == "ack" {
		a = l.next()
	}
	var data struct{ From, Said string }
	if err := json.Unmarshal(a.Data, &data); err != nil || a.Cmd != "pub" || data.From != "7" || data.Said != text ||
		a.ID != fmt.Sprintf("c:5f3a.1 %d", seq) {
		l.t.Fatalf("it says %+v, %s, want a publication of %d, %s", a, a.Data, seq, text)
	}
}

// acknowledged waits until all that was sent is.
func (l *lineListener) acknowledged() {
	l.t.Helper()
	for last := 0; last < l.sent; {
		a := l.next()
		if a.Cmd != "ack" || a.N <= last || a.N > l.sent {
			l.t.Fatalf("it says %+v after the acknowledgement of %d, sent were %d", a, last, l.sent)
		}
		last = a.N
	}
}

// TestListeners has each listener of docs/listeners.md, with a server that the test plays: what is handled and when it
// is acknowledged, links that break, a server that is replaced, and the end.
func TestListeners(t *testing.T) {
	for _, p := range listenerPrograms {
		t.Run(p.language, func(t *testing.T) {
			t.Parallel()
			port := newLinePort(t)
			cmd := pasteListener(t, p.language)
			cmd.Env = append(cmd.Environ(), "LINEMAN_SERVER="+port.Addr().String(), "LINEMAN_KEY=sesame")
			program := launch(t, cmd)
			breaksAndGoesOn(t, port)
			first := port.listens()
			knowsWhoIsThere(t, program, first)
			second := isReplaced(port, first)
			isEnded(t, program, second)
		})
	}
}

// breaksAndGoesOn has connections be lost: with a command that was not answered, and without an answer at the start.
func breaksAndGoesOn(t *testing.T, port linePort) {
	t.Helper()
	l := port.listens()
	for i := range 3 {
		l.message(i+1, "early")
	}
	for i := range 3 {
		l.published(i+1, "early")
	}
	l.acknowledged()
	l.message(4, "one")
	l.wants(4, "one")
	l.message(5, "two") // between a command and its answer
	l.say(`{"ok":true,"n":1}`)
	l.published(5, "two")
	l.message(6, "lost")
	l.wants(6, "lost")
	l.Close()

	l = port.listens()
	l.published(6, "lost") // the command, once more
	l.message(6, "lost", `"again":true,`)
	l.published(6, "lost")
	l.acknowledged() // and no older number
	l.Close()
	port.accept().Close()
	refused := port.accept()
	refused.next()
	refused.say(`{"ok":false,"error":{"code":"unavailable","text":"the server is stopping"}}`)
	refused.Close()
}

// knowsWhoIsThere has it be told of uids, and lineAsked.
func knowsWhoIsThere(t *testing.T, program *program, l *lineListener) {
	t.Helper()
	l.event("join", `"uid":"old","seq":1,`)
	l.event("sync", `"uids":["7","8"],"first":true,`)
	l.event("sync", `"uids":["9"],"last":true,`)
	l.event("leave", `"uid":"8","seq":2,`)
	l.event("join", `"uid":"ann","seq":3,`)
	l.event("dropped", `"events":12,`)
	l.event("unheard-of", "")
	l.event("rpc", `"conn":"c:5f3a.1","uid":"7","seq":4,"call":"c:5f3a.1.9","method":"online","data":null,`)
	a := l.next()
	for a.Cmd == "ack" {
		a = l.next()
	}
	if a.Cmd != "reply" || a.Call != "c:5f3a.1.9" || strings.ReplaceAll(string(a.Data), " ", "") != `["7","9","ann"]` {
		t.Fatalf("it answers %+v, %s", a, a.Data)
	}
	l.say(`{"ok":true}`)
	l.acknowledged()
	program.find(`12 events were dropped`)
}

// isReplaced has the server be replaced, and returns the connection to its successor.
func isReplaced(port linePort, old *lineListener) *lineListener {
	old.event("leaving", "")
	successor := port.listens()
	old.acknowledged()
	old.message(10, "on the old one")
	successor.published(10, "on the old one") // commands go by the newest connection
	old.acknowledged()
	successor.message(11, "on the new one")
	successor.published(11, "on the new one")
	successor.acknowledged()
	old.Close()
	successor.message(12, "after that")
	successor.published(12, "after that")
	successor.acknowledged()
	return successor
}

// isEnded has it be told to end while a callback runs.
func isEnded(t *testing.T, program *program, l *lineListener) {
	t.Helper()
	l.message(20, "last")
	l.wants(20, "last")
	if err := program.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	l.say(`{"ok":true,"n":1}`)
	if a := l.next(); a.Cmd != "ack" || a.N != l.sent {
		t.Errorf("at the end it says %+v, sent were %d", a, l.sent)
	}
	if line, err := l.lines.ReadString('\n'); err != io.EOF {
		t.Errorf("then comes %q, %v", line, err)
	}
	l.Close()
	if code := program.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
