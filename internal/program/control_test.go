//go:build unix

package program

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/internal/processtest"
)

// echo answers a request with itself.
func echo(_ context.Context, request json.RawMessage, answer func(any) error) { _ = answer(request) }

// control is a Control that the end of the test closes. No test lives to see its limits of time: who is answered has
// not waited for those of another client.
func control(t *testing.T, serve Serve) *Control {
	t.Helper()
	return timedControl(t, serve, 2*patience, 2*patience)
}

func timedControl(t *testing.T, serve Serve, requestTime, answerTime time.Duration) *Control {
	t.Helper()
	c := &Control{serve: serve, requestTime: requestTime, answerTime: answerTime}
	if err := c.listen(processtest.SocketFile(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // a test may have closed it
	return c
}

// ask asks c, within patience.
func ask(t *testing.T, c *Control, request any) *Answers {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	a, err := Ask(ctx, c.path, request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// next is the next line of an answer, or its end.
func next(t *testing.T, a *Answers) (got string, err error) {
	t.Helper()
	if err = a.Next(&got); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return got, err
}

// speak connects to c as a speaker of anything, within patience.
func speak(t *testing.T, c *Control) *net.UnixConn {
	t.Helper()
	conn, err := net.Dial("unix", c.path)
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(patience))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.UnixConn)
}

func TestControl(t *testing.T) {
	c := control(t, func(_ context.Context, request json.RawMessage, answer func(any) error) {
		for _, line := range []any{request, "two\nlines", "", "last"} {
			if err := answer(line); err != nil {
				t.Error(err)
			}
		}
	})
	if info, err := os.Lstat(c.path); err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	a := ask(t, c, "what?")
	for _, want := range []string{"what?", "two\nlines", "", "last"} {
		if got, err := next(t, a); got != want || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	for range 2 {
		if got, err := next(t, a); err != io.EOF {
			t.Errorf("got %q, %v after the end", got, err)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(c.path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is left behind: %v", err)
	}
}

func TestListenControlTwice(t *testing.T) {
	c := control(t, echo)
	if _, err := ListenControl(c.path, echo); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v, want address in use", err)
	}
}

// TestListenControlOther says what has the socket's place, and what to do, and leaves it there.
func TestListenControlOther(t *testing.T) {
	path := processtest.SocketFile(t)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"listen": func() error { _, err := ListenControl(path, echo); return err }(),
		"look":   checkPlace("control socket", path, fs.ModeSocket),
	} {
		want := "lineman: control socket " + path + ": it is no socket (-rw-------): remove it"
		if err == nil || !strings.HasPrefix(err.Error(), want) || !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}

// TestControlClose has Close wait for an answer, which is told, and still goes out.
func TestControlClose(t *testing.T) {
	c := control(t, func(ctx context.Context, _ json.RawMessage, answer func(any) error) {
		if err := answer("begun"); err != nil {
			t.Error(err)
		}
		<-ctx.Done()
		if err := answer("stopped"); err != nil {
			t.Error(err)
		}
	})
	a, silent := ask(t, c, "stop"), speak(t, c)
	if got, err := next(t, a); got != "begun" {
		t.Fatal(got, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if got, err := next(t, a); got != "stopped" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := next(t, a); err != io.EOF {
		t.Error(err)
	}
	// One that has asked nothing may not even have been accepted.
	if n, err := silent.Read(make([]byte, 1)); err != io.EOF && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a silent client got %d, %v", n, err)
	}
}

// TestControlClientGone ends ctx when the client closes the connection.
func TestControlClientGone(t *testing.T) {
	ended := make(chan error)
	c := control(t, func(ctx context.Context, _ json.RawMessage, answer func(any) error) {
		_ = answer("begun")
		<-ctx.Done()
		ended <- answer("to nobody")
	})
	a := ask(t, c, "watch")
	if got, err := next(t, a); got != "begun" {
		t.Fatal(got, err)
	}
	a.Close()
	if err := <-ended; err == nil {
		t.Error("an answer to nobody has gone out")
	}
}

// TestControlBusy has as many clients as are answered at a time: one more waits.
func TestControlBusy(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	c := control(t, func(_ context.Context, request json.RawMessage, answer func(any) error) {
		begun <- struct{}{}
		<-finish
		_ = answer(request)
	})
	var all []*Answers
	for range maxAnswered + 1 {
		all = append(all, ask(t, c, "line"))
	}
	for range maxAnswered {
		<-begun
	}
	select {
	case <-begun:
		t.Errorf("%d clients are answered at a time", maxAnswered+1)
	default:
	}
	finish <- struct{}{}
	<-begun
	close(finish)
	for _, a := range all {
		if got, err := next(t, a); got != "line" {
			t.Error(got, err)
		}
	}
}

// TestControlLeavesNothing counts descriptors before and after clients of all kinds.
func TestControlLeavesNothing(t *testing.T) {
	check := processtest.NoMoreFiles(t)
	c := control(t, echo)
	for range 10 {
		a := ask(t, c, "line")
		_, _ = next(t, a)
		a.Close()
		silent := speak(t, c)
		silent.Close()
	}
	speak(t, c).Close()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	check()
}
