package program

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman/internal/processtest"
)

// TestControlOtherUser lets another user through the file's permissions, who is still not answered.
func TestControlOtherUser(t *testing.T) {
	c := control(t, func(_ context.Context, request json.RawMessage, answer func(any) error) {
		if string(request) != `"good"` {
			t.Errorf("another user asked %s", request)
		}
		_ = answer(request)
	})
	connect := func() error {
		conn, err := net.Dial("unix", c.path)
		if err != nil {
			return err
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "\"bad\"\n") // it may be closed already
		wantNoWord(t, conn)
		return nil
	}
	if err := processtest.AsOther(t, connect); !errors.Is(err, unix.EACCES) {
		t.Errorf("another user connects: %v, want EACCES", err)
	}
	if err := os.Chmod(c.path, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := processtest.AsOther(t, connect); err != nil {
		t.Error(err)
	}
	wantPrompt(t, c)
}

// TestAskImpostor has another user listen in the master's place.
func TestAskImpostor(t *testing.T) {
	path := processtest.SocketFile(t)
	if err := os.Chmod(path[:len(path)-2], 0o777); err != nil {
		t.Fatal(err)
	}
	var impostor net.Listener
	err := processtest.AsOther(t, func() (err error) {
		impostor, err = net.Listen("unix", path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer impostor.Close()
	a, err := Ask(context.Background(), path, "secret")
	if err == nil {
		a.Close()
		t.Fatal("an impostor was asked")
	}
	if errors.Is(err, ErrNoMaster) || !strings.Contains(err.Error(), path) ||
		!strings.Contains(err.Error(), "by sudo -u '") {
		t.Errorf("got %v, want the place and what to do", err)
	}
	conn, err := impostor.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, err := io.ReadAll(conn); len(got) > 0 || err != nil {
		t.Errorf("the impostor got %q, %v", got, err)
	}
}

// TestWatchHalfClosed tells a client that has ended its stream, and reads on, from one that has gone.
func TestWatchHalfClosed(t *testing.T) {
	ln, err := net.Listen("unix", processtest.SocketFile(t))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	peer, err := net.Dial("unix", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cl := newClient(&Control{ctx: context.Background()}, conn.(*net.UnixConn))
	defer cl.cancel()
	if err := peer.(*net.UnixConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if cl.watch(); cl.ctx.Err() != nil {
		t.Error("a client that reads has gone")
	}
	peer.Close()
	if cl.watch(); cl.ctx.Err() == nil {
		t.Error("a client that was closed has not gone")
	}
}
