//go:build unix

package program

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"
)

// TestHostile has speakers of all kinds at the socket, and then a good client, which gets its answer within a second.
func TestHostile(t *testing.T) {
	for name, speaker := range map[string]func(t *testing.T, c *Control){
		"byte by byte": byteByByte,
		"never ending": func(t *testing.T, c *Control) { wantClosed(t, c, `{"command":`) },
		"silent":       func(t *testing.T, c *Control) { wantClosed(t, c, "") },
		"huge":         func(t *testing.T, c *Control) { wantClosed(t, c, strings.Repeat("x", 1<<20)) },
		"huge JSON": func(t *testing.T, c *Control) {
			wantClosed(t, c, `"`+strings.Repeat("x", maxRequest)+"\"\n")
		},
		"binary":        func(t *testing.T, c *Control) { wantClosed(t, c, "\x00\xff\x16\x03\x01\n") },
		"HTTP":          func(t *testing.T, c *Control) { wantClosed(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n") },
		"empty line":    func(t *testing.T, c *Control) { wantClosed(t, c, "\n") },
		"half a value":  func(t *testing.T, c *Control) { wantClosed(t, c, "{\"command\":\n\"status\"}\n") },
		"two values":    func(t *testing.T, c *Control) { wantClosed(t, c, "{} {}\n") },
		"gone at once":  func(t *testing.T, c *Control) { speak(t, c).Close() },
		"gone half-way": goneHalfWay,
		"ended":         ended,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each waits for its time to be over, which is long enough for a good one on a busy machine
			c := timedControl(t, echo, time.Second, patience)
			speaker(t, c)
			wantPrompt(t, c)
		})
	}
}

// wantPrompt asks as a good client, which does not wait for the limits of others.
func wantPrompt(t *testing.T, c *Control) {
	t.Helper()
	if got, err := next(t, ask(t, c, "good")); got != "good" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// wantClosed has a speaker be closed without a word.
func wantClosed(t *testing.T, c *Control, text string) {
	t.Helper()
	conn := speak(t, c)
	_, _ = io.WriteString(conn, text) // as much as is taken
	wantNoWord(t, conn)
}

func wantNoWord(t *testing.T, conn net.Conn) {
	t.Helper()
	if got, err := io.ReadAll(conn); len(got) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the speaker got %q, %v", got, err)
	}
}

// byteByByte goes on as long as it can.
func byteByByte(t *testing.T, c *Control) {
	conn := speak(t, c)
	pace := time.NewTicker(5 * time.Millisecond)
	defer pace.Stop()
	for {
		if _, err := conn.Write([]byte{' '}); err != nil {
			break
		}
		<-pace.C
	}
	wantNoWord(t, conn)
}

func goneHalfWay(t *testing.T, c *Control) {
	conn := speak(t, c)
	if _, err := io.WriteString(conn, `{"command":`); err != nil {
		t.Error(err)
	}
	conn.Close()
}

// ended ends its stream without having ended its line.
func ended(t *testing.T, c *Control) {
	conn := speak(t, c)
	if _, err := io.WriteString(conn, `{}`); err != nil {
		t.Error(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Error(err)
	}
	wantNoWord(t, conn)
}

// TestHostileMany has many more silent clients than may wait, whom only a newcomer ends.
func TestHostileMany(t *testing.T) {
	c := control(t, echo)
	first := speak(t, c)
	for range maxWaiting + 200 {
		speak(t, c)
	}
	wantPrompt(t, c)
	wantNoWord(t, first)
}

// TestHostileReader does not read: ctx ends, while others are answered. When it reads after all, nothing follows the
// line that it had not taken.
func TestHostileReader(t *testing.T) {
	stuck, reads, result := make(chan struct{}), make(chan struct{}), make(chan error)
	c := timedControl(t, func(ctx context.Context, request json.RawMessage, answer func(any) error) {
		if string(request) != `"endless"` {
			_ = answer(request)
			return
		}
		page := strings.Repeat("x", 1<<20)
		for ctx.Err() == nil {
			_ = answer(page)
		}
		close(stuck)
		<-reads
		result <- answer("after all")
	}, patience, 100*time.Millisecond)
	speaker := speak(t, c)
	if _, err := io.WriteString(speaker, "\"endless\"\n"); err != nil {
		t.Fatal(err)
	}
	wantPrompt(t, c)
	<-stuck
	if n, err := readAtOnce(t, speaker); n == 0 || err != syscall.EAGAIN {
		t.Errorf("got %d bytes, %v", n, err)
	}
	close(reads)
	if err := <-result; err == nil {
		t.Error("a line was written after one that was not taken")
	}
}

// readAtOnce reads what has come, without waiting for more. It returns how much that was, and why there is no more.
func readAtOnce(t *testing.T, conn net.Conn) (read int, err error) {
	t.Helper()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64<<10)
	failed := raw.Read(func(fd uintptr) bool {
		for n := 1; n > 0 && err == nil; {
			n, err = syscall.Read(int(fd), b)
			read += max(n, 0)
		}
		return true
	})
	if failed != nil {
		t.Fatal(failed)
	}
	return read, err
}

// TestHostileTalker says more than its line: it is told to go.
func TestHostileTalker(t *testing.T) {
	c := control(t, func(ctx context.Context, request json.RawMessage, answer func(any) error) {
		<-ctx.Done()
		_ = answer(request)
	})
	conn := speak(t, c)
	if _, err := io.WriteString(conn, "1\n2\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); string(got) != "1\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestReadLine(t *testing.T) {
	longest := strings.Repeat("x", maxRequest)
	for _, c := range []struct {
		name, in, want string
		ok             bool
	}{
		{"a line", "abc\ndef\n", "abc", true},
		{"an empty line", "\n", "", true},
		{"nothing", "", "", false},
		{"no end", "abc", "", false},
		{"the longest", longest + "\n", longest, true},
		{"one too long", longest + "x\n", "", false},
		{"one too long, without an end", longest + "x", "", false},
	} {
		for how, reader := range map[string]io.Reader{
			"at once": strings.NewReader(c.in), "byte by byte": iotest.OneByteReader(strings.NewReader(c.in)),
		} {
			if got, err := readLine(bufio.NewReader(reader)); string(got) != c.want || (err == nil) != c.ok {
				t.Errorf("%s, %s: got %d bytes, %v", c.name, how, len(got), err)
			}
		}
	}
}

// FuzzReadLine compares with the line as it stands in the input, however that is split.
func FuzzReadLine(f *testing.F) {
	f.Add([]byte("{}\n"), uint16(1))
	f.Add([]byte("\n\n"), uint16(0))
	f.Add(bytes.Repeat([]byte{'x'}, maxRequest+1), uint16(5000))
	f.Fuzz(func(t *testing.T, in []byte, split uint16) {
		at := min(int(split), len(in))
		got, err := readLine(bufio.NewReader(io.MultiReader(bytes.NewReader(in[:at]), bytes.NewReader(in[at:]))))
		want, _, found := bytes.Cut(in, []byte{'\n'})
		if ok := found && len(want) <= maxRequest; ok != (err == nil) || ok && !bytes.Equal(got, want) {
			t.Errorf("got %q, %v of %q", got, err, in)
		}
	})
}
