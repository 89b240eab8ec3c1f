//go:build unix

package program

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestControlSuspend has a client come while the Control rests: it waits, and is answered after that.
func TestControlSuspend(t *testing.T) {
	c := control(t, echo)
	if err := c.Suspend(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	a := ask(t, c, "early")
	c.mu.Lock()
	clients := c.clients
	c.mu.Unlock()
	if clients != 0 {
		t.Errorf("%d clients were accepted", clients)
	}
	c.Resume()
	if got, err := next(t, a); got != "early" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// TestControlSuspendWaits has clients be there: the Control rests once they are answered, but for the one that asks for
// it.
func TestControlSuspendWaits(t *testing.T) {
	answering, release := make(chan struct{}), make(chan struct{})
	c := control(t, nil)
	c.serve = func(ctx context.Context, request json.RawMessage, answer func(any) error) {
		if string(request) == `"slow"` {
			close(answering)
			<-release
			_ = answer("slow") // who asked reads it
			return
		}
		if clientOf(ctx) == nil {
			t.Error("the context has no client")
		}
		short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		if err := c.Suspend(short, 1); err == nil || !strings.Contains(err.Error(), "other commands are under way") {
			t.Errorf("it rests with another client: %v", err)
		}
		close(release)
		if err := c.Suspend(ctx, 1); err != nil {
			t.Error(err)
		}
		c.Resume()
		_ = answer("rested") // likewise
	}
	slow := ask(t, c, "slow")
	<-answering
	rests := ask(t, c, "rest")
	for want, a := range map[string]*Answers{"slow": slow, "rested": rests} {
		if got, err := next(t, a); got != want || err != nil {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
}

// TestContinueControl has another Control go on at the listener of one that rests, and answer its client.
func TestContinueControl(t *testing.T) {
	told := make(chan int, 1)
	old := control(t, nil)
	old.serve = func(ctx context.Context, _ json.RawMessage, _ func(any) error) {
		fd, err := descriptorOf(clientOf(ctx).conn)
		if err != nil {
			t.Error(err)
		}
		told <- duplicate(t, fd)
		<-ctx.Done() // its program is gone
	}
	asks := ask(t, old, "reload")
	client := <-told
	if err := old.Suspend(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	defer old.Resume()
	late := ask(t, old, "late")
	fd, err := descriptorOf(old.listener)
	if err != nil {
		t.Fatal(err)
	}
	c, err := continueControl(duplicate(t, fd), old.path, echo)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := next(t, late); got != "late" || err != nil {
		t.Errorf("who came meanwhile has %q, %v", got, err)
	}
	if err := answerClient(client, []byte(`"done"`)); err != nil {
		t.Error(err)
	}
	if got, err := next(t, asks); got != "done" || err != nil {
		t.Errorf("who asked has %q, %v", got, err)
	}
}

// TestContinueControlRefuses has a descriptor be none, or no listener's.
func TestContinueControlRefuses(t *testing.T) {
	fds := make([]int, 2)
	if err := unix.Pipe(fds); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[1])
	for _, fd := range []int{fds[0], 9999} {
		if c, err := continueControl(fd, "", echo); err == nil {
			t.Errorf("descriptor %d: it listens", fd)
			c.Close()
		}
		if err := answerClient(fd, nil); err == nil {
			t.Errorf("descriptor %d: somebody was answered", fd)
		}
	}
}

func duplicate(t *testing.T, fd int) int {
	t.Helper()
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(fmt.Errorf("descriptor %d: %w", fd, err))
	}
	return n
}
