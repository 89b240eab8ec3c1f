//go:build unix

package program

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/internal/processtest"
)

func TestAskNobody(t *testing.T) {
	stale, regular := processtest.SocketFile(t), processtest.SocketFile(t)
	ln, err := net.Listen("unix", stale)
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
	if err := os.WriteFile(regular, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		processtest.SocketFile(t):       true,
		stale:                           true,
		filepath.Join(stale, "s"):       false, // no folder
		"/" + strings.Repeat("x", 1000): false,
	} {
		_, err := Ask(context.Background(), path, "line")
		if errors.Is(err, ErrNoMaster) != want || err == nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if text := err.Error(); !strings.HasPrefix(text, "lineman: ") || !strings.Contains(text, path) {
			t.Errorf("%q does not name %s", text, path)
		}
	}
}

// TestAskEnds ends a conversation by its ctx.
func TestAskEnds(t *testing.T) {
	c := control(t, func(ctx context.Context, _ json.RawMessage, answer func(any) error) {
		_ = answer("begun")
		<-ctx.Done()
	})
	ctx, cancel := context.WithCancel(context.Background())
	a, err := Ask(ctx, c.path, "line")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if got, err := next(t, a); got != "begun" {
		t.Fatal(got, err)
	}
	cancel()
	var got string
	if err := a.Next(&got); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), c.path) {
		t.Errorf("got %v", err)
	}
	if _, err := Ask(ctx, c.path, "line"); err == nil || !strings.Contains(err.Error(), c.path) {
		t.Errorf("got %v", err)
	}
}

// TestAskWrongAnswers has the master say what is no answer.
func TestAskWrongAnswers(t *testing.T) {
	for text, want := range map[string]string{
		"\"half":      "unexpected EOF",
		"\"half\"":    "unexpected EOF",
		"garbage\n":   "invalid character",
		"{\"a\":1}\n": "cannot unmarshal",
	} {
		ln, err := net.Listen("unix", processtest.SocketFile(t))
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		a, err := Ask(context.Background(), ln.Addr().String(), "line")
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		// Closing with the request unread would be a reset.
		if _, err := conn.Read(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		var got string
		err = a.Next(&got)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), ln.Addr().String()) {
			t.Errorf("%q: got %q, %v; want %s", text, got, err, want)
		}
	}
}

func TestSocketPath(t *testing.T) {
	longest := "/" + strings.Repeat("x", maxSocketPath-1)
	if got := SocketPath(longest); got != longest {
		t.Errorf("%s became %s", longest, got)
	}
	long, other := SocketPath(longest+"x"), SocketPath(longest+"y")
	if long == other {
		t.Error("two paths have become one")
	}
	if filepath.Dir(long) != filepath.Clean(os.TempDir()) || len(long) > maxSocketPath {
		t.Errorf("a long path became %s", long)
	}
	if again := SocketPath(longest + "x"); again != long {
		t.Errorf("a path became %s and %s", long, again)
	}
	relative := strings.Repeat("x", maxSocketPath+1)
	absolute, err := filepath.Abs(relative)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := SocketPath(relative), SocketPath(absolute); got != want {
		t.Errorf("a relative path became %s, the absolute one %s", got, want)
	}
}

// TestSocketPathFits listens at the longest path.
func TestSocketPathFits(t *testing.T) {
	dir := filepath.Dir(processtest.SocketFile(t))
	path := filepath.Join(dir, strings.Repeat("x", maxSocketPath-len(dir)-1))
	c, err := ListenControl(SocketPath(path), echo)
	if err != nil {
		t.Fatal(err)
	}
	if c.path != path {
		t.Errorf("a path of %d bytes became %s", len(path), c.path)
	}
	wantPrompt(t, c)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
