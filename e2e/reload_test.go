package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestReloadNew has the program as it is now on disk answer after a reload, and no other.
func TestReloadNew(t *testing.T) {
	i := newInstance(t, "misbehave")
	i.do("start", "-d")
	i.replace(filepath.Join(binaries, "misbehave-2"))
	addr := i.addr("lines")
	kill(t, i.pid("lines", 0), syscall.SIGKILL)
	if answer, err := askLine(addr, "version"); answer != "1" {
		t.Errorf("before the reload: version %q, %v: a replacement is of the program that runs", answer, err)
	}
	i.idle(6)
	i.do("reload")
	for range 20 {
		if answer, err := askLine(addr, "version"); answer != "2" {
			t.Fatalf("after the reload: version %q, %v", answer, err)
		}
	}
	kill(t, i.pid("lines", 0), syscall.SIGKILL)
	i.idle(6)
	for range 20 {
		if answer, err := askLine(addr, "version"); answer != "2" {
			t.Fatalf("after a kill: version %q, %v", answer, err)
		}
	}
	i.do("stop")
}

// TestReloadFails has a reload fail in each way: one line says why, and everything goes on as if nothing had been.
func TestReloadFails(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(i *instance)
		words string
	}{
		"gone": {func(i *instance) { i.remove("bin/misbehave") }, "is gone: put it back, or restart from another"},
		"not executable": {func(i *instance) {
			if err := os.Chmod(i.path, 0o644); err != nil {
				i.t.Fatal(err)
			}
		}, "is not executable"},
		"no program": {func(i *instance) { i.garble() }, "exec format error"},
		"a folder":   {func(i *instance) { i.remove("bin/misbehave"); i.makeDir("bin/misbehave") }, "is a folder"},
		"crashes at once": {func(i *instance) { i.replace(filepath.Join(binaries, "misbehave-crash")) },
			"it ended with exit code 7"},
		"other workers": {func(i *instance) { i.replace(filepath.Join(binaries, "misbehave-extra")) },
			"4 workers now, and had 3: that needs a restart"},
		"fails in OnPrepare": {func(i *instance) { i.put("fail-in-OnPrepare") },
			"there is a file fail-in-OnPrepare"},
		"fails in OnStart": {func(i *instance) { i.put("fail-in-OnStart") }, "there is a file fail-in-OnStart"},
		"another program":  {func(i *instance) { i.replace("/bin/true") }, "it ended with exit code 0"},
	} {
		t.Run(name, func(t *testing.T) {
			i := newInstance(t, "misbehave")
			i.do("start", "-d")
			began := pids(i.status())
			requests, lines := i.addr("requests"), i.addr("lines")
			served := newLoad(2, func() error { return request(requests) })
			talk := dial(t, lines)
			test.spoil(i)
			i.refused(test.words, "reload")
			i.refused(test.words, "reload", "-g")
			served.goOn(t, served.done()+10)
			served.endWhole(t, "requests")
			fmt.Fprintln(talk, "version")
			if answer, err := bufio.NewReader(talk).ReadString('\n'); answer != "1\n" {
				t.Errorf("an old connection has %q, %v", answer, err)
			}
			if s := i.status(); s.Reloads != 0 || !slices.Equal(pids(s), began) {
				t.Errorf("%d reloads; the processes were %v, and are %v", s.Reloads, began, pids(s))
			}
			talk.Close()
			i.do("stop")
		})
	}
}

// garble makes the program's file one that is none.
func (i *instance) garble() {
	i.t.Helper()
	file := filepath.Join(i.dir, "garbage")
	write(i.t, file, "\x7fELF is not all")
	i.replace(file)
}

func (i *instance) makeDir(name string) {
	i.t.Helper()
	if err := os.Mkdir(filepath.Join(i.dir, name), 0o755); err != nil {
		i.t.Fatal(err)
	}
}

// TestReloadTwice asks for a reload while a slow one is under way.
func TestReloadTwice(t *testing.T) {
	i := newInstance(t, "misbehave")
	i.do("start", "-d")
	i.put("wait-in-OnPrepare")
	first := i.background("reload")
	linemantest.Until(t, "no successors start", func() bool { return len(i.status().Processes) == 12 })
	i.refused("a reload is under way: try again when it is over", "reload")
	i.refused("a reload is under way", "reload", "-g")
	if err := request(i.addr("requests")); err != nil {
		t.Errorf("meanwhile: %v", err)
	}
	i.remove("wait-in-OnPrepare")
	if out, code := first(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	if s := i.status(); s.Reloads != 1 {
		t.Errorf("%d reloads", s.Reloads)
	}
	i.do("stop")
}

// TestReloadFinishes is about what had been begun when a reload came.
func TestReloadFinishes(t *testing.T) {
	const flood = 50_000_000
	for name, test := range map[string]struct {
		worker string
		begin  func(t *testing.T, c net.Conn)
		finish func(t *testing.T, c net.Conn)
	}{
		"half a line": {"lines", func(t *testing.T, c net.Conn) { tell(t, c, "pid\nvers"); line(t, c) },
			func(t *testing.T, c net.Conn) {
				tell(t, c, "ion\n")
				if got := line(t, c); got != "1" {
					t.Errorf("the answer is %q", got)
				}
			}},
		"a connection that has just come": {"lines", func(*testing.T, net.Conn) {}, func(t *testing.T, c net.Conn) {
			tell(t, c, "version\n")
			if got := line(t, c); got != "1" {
				t.Errorf("the answer is %q", got)
			}
		}},
		"output that is read slowly": {"lines", func(t *testing.T, c net.Conn) {
			tell(t, c, fmt.Sprintf("flood %d\n", flood))
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}, func(t *testing.T, c net.Conn) {
			if n, err := io.Copy(io.Discard, c); n != flood || err != nil { // with the end of the line, without a byte
				t.Errorf("%d bytes, %v", n, err)
			}
		}},
		"a request": {"requests",
			func(t *testing.T, c net.Conn) { tell(t, c, "GET /500 HTTP/1.1\r\nHost: x\r\n\r\n") }, answered},
		"half a request": {"requests", func(t *testing.T, c net.Conn) {
			tell(t, c, "GET /500 HT")
		}, func(t *testing.T, c net.Conn) {
			tell(t, c, "TP/1.1\r\nHost: x\r\n\r\n")
			answered(t, c)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			i := newInstance(t, "misbehave", "-reload-timeout", "10s", "-count", "1")
			i.do("start", "-d")
			c := dial(t, i.addr(test.worker))
			linemantest.Until(t, "nobody accepts", func() bool { return i.conns() == 1 })
			test.begin(t, c)
			i.replace(filepath.Join(binaries, "misbehave-2"))
			i.do("reload")
			test.finish(t, c)
			c.Close()
			i.idle(3)
			i.do("stop")
		})
	}
}

func tell(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// line reads one, and nothing after it.
func line(t *testing.T, c net.Conn) string {
	t.Helper()
	var text []byte
	for b := make([]byte, 1); ; text = append(text, b[0]) {
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatalf("after %q: %v", text, err)
		}
		if b[0] == '\n' {
			return string(text)
		}
	}
}

// answered wants the whole answer of the old program, which is the last.
func answered(t *testing.T, c net.Conn) {
	t.Helper()
	answer, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") ||
		!bytes.Contains(answer, []byte("\r\nConnection: close\r\n")) || !bytes.HasSuffix(answer, []byte("\r\n\r\n1")) {
		t.Errorf("the answer is %q, %v", answer, err)
	}
}

// conns is how many connections there are.
func (i *instance) conns() (n int) {
	for _, p := range i.status().Processes {
		n += p.Conns
	}
	return n
}

// TestGoodbyes has a page told of a reload and of the stop, each by its code, and a line's end of stream.
func TestGoodbyes(t *testing.T) {
	for command, want := range map[string]ws.StatusCode{"reload": restarts, "stop": ws.StatusGoingAway} {
		t.Run(command, func(t *testing.T) {
			i := newInstance(t, "misbehave")
			i.do("start", "-d")
			page, talk := visit(t, i.addr("echo")), dial(t, i.addr("lines"))
			tell(t, talk, "version\n")
			line(t, talk)
			done := i.background(command)
			f, err := ws.ReadFrame(page)
			if err != nil {
				t.Fatal(err)
			}
			if code, _ := ws.ParseCloseFrameData(f.Payload); f.Header.OpCode != ws.OpClose || code != want {
				t.Errorf("the page has opcode %v, code %d", f.Header.OpCode, code)
			}
			if rest, err := io.ReadAll(talk); err != nil || len(rest) > 0 {
				t.Errorf("the other has %q, %v", rest, err)
			}
			page.Close()
			talk.Close()
			if out, code := done(); code != 0 {
				t.Errorf("exit code %d:\n%s", code, out)
			}
		})
	}
}

// TestReloadGraceful keeps old connections with the old program until they end.
func TestReloadGraceful(t *testing.T) {
	i := newInstance(t, "misbehave", "-count", "1")
	i.do("start", "-d")
	old, page := dial(t, i.addr("lines")), visit(t, i.addr("echo"))
	tell(t, old, "version\n")
	line(t, old)
	i.replace(filepath.Join(binaries, "misbehave-2"))
	i.do("reload", "-g")
	// longer than a prompt reload lets anybody stay
	for until := time.Now().Add(3 * time.Second); time.Now().Before(until); {
		tell(t, old, "version\n")
		if got := line(t, old); got != "1" {
			t.Fatalf("the old connection is answered by version %q", got)
		}
	}
	if err := wsutil.WriteClientText(page, []byte("still here")); err != nil {
		t.Fatal(err)
	}
	if echo, err := wsutil.ReadServerText(page); err != nil || string(echo) != "still here" {
		t.Errorf("the page has %q, %v", echo, err)
	}
	if answer, err := askLine(i.addr("lines"), "version"); answer != "2" {
		t.Errorf("a new connection has version %q, %v", answer, err)
	}
	leaving := func(p lineman.ProcessStatus) bool { return p.State == "leaving" }
	if s := i.status(); !slices.ContainsFunc(s.Processes, leaving) || len(s.Processes) != 5 {
		t.Errorf("the processes are %+v", s.Processes)
	}
	old.Close()
	page.Close()
	i.idle(3)
	i.do("stop")
}
