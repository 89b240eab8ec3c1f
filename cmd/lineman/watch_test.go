package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// until is an output that ends something when it has so many lines.
type until struct {
	bytes.Buffer
	lines int
	end   func()
}

func (u *until) Write(p []byte) (int, error) {
	n, err := u.Buffer.Write(p)
	if bytes.Count(u.Bytes(), []byte("\n")) == u.lines {
		u.end()
	}
	return n, err
}

// watched are what a server tells who watches.
var watched = []string{
	`{"event":"publication","at":"2026-01-02T03:04:05.678Z","node":"a","number":"a.1","from":{"via":"line","remote":` +
		`"127.0.0.1:2","key":"shop"},"to":["u:ann","*"],"others":3,"size":30,"text":"\u001b[2J<é>\u202e\n"}`,
	`{"event":"delivery","at":"2026-01-02T03:04:05.678Z","number":"a.1","n":3,"conns":[{"conn":"c:a.7","uid":"ann"},` +
		`{"conn":"c:a.8"}],"full":1}`,
	`{"event":"outcome","at":"2026-01-02T03:04:05.678Z","number":"a.1","n":1,"incomplete":true}`,
	`{"event":"refusal","at":"2026-01-02T03:04:05.678Z","to":["u:ann"],"size":1,"text":"1","error":{"code":` +
		`"unavailable","text":"other nodes cannot be reached now"}}`,
	`{"event":"missed","at":"2026-01-02T03:04:05.678Z","n":12}`,
}

// TestWatch shows events to people, with nothing that a terminal would obey, and to programs as they come.
func TestWatch(t *testing.T) {
	var asked []string
	addr := serve(t, func(line string) string {
		asked = append(asked, line)
		if strings.Contains(line, "watch") {
			return `{"ok":true}` + "\n" + strings.Join(watched, "\n")
		}
		return `{"ok":true}`
	})
	t.Setenv("LINEMAN_KEY", "k")
	people := []string{
		`publication a.1 to u:ann, * and 3 more, 30 bytes, from line 127.0.0.1:2, key shop: \x1b[2J<é>\u202e\n…`,
		`delivery    a.1 to 3 connections: c:a.7 (ann), c:a.8 and 1 more; 1 connection did not accept it`,
		`outcome     a.1: accepted by 1 connection; a node did not answer in time`,
		`refusal     to u:ann, 1 byte: 1: other nodes cannot be reached now`,
		`missed      12 events: not read fast enough`,
	}
	for _, c := range []struct {
		json bool
		want []string
	}{{false, people}, {true, watched}} {
		asked = nil
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		out, note := &until{lines: len(watched), end: cancel}, &bytes.Buffer{}
		w := &watchFlags{linePort: linePort{server: addr}, json: c.json}
		if err := w.run(ctx, "u:ann", out, note); err != nil {
			t.Errorf("JSON %v: %v", c.json, err)
		}
		cancel()
		for i, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
			if _, what, _ := strings.Cut(line, " "); !c.json {
				line = what // behind the time of day, which is that of this machine
			}
			if i >= len(c.want) || line != c.want[i] {
				t.Errorf("JSON %v: line %d is %q", c.json, i, line)
			}
		}
		if !strings.HasPrefix(note.String(), "watching u:ann on 127.0.0.1:") {
			t.Errorf("the note is %q", note)
		}
		if got := strings.Join(asked, " "); got != `{"cmd":"auth","key":"k"} {"cmd":"watch","to":"u:ann"}` {
			t.Errorf("asked %s", got)
		}
	}
}

// TestWatchFails says what is wrong, and when the server goes.
func TestWatchFails(t *testing.T) {
	denied := serve(t, func(string) string { return `{"ok":false,"error":{"code":"denied","text":"not you"}}` })
	strange := serve(t, func(string) string { return `{"ok":true}` + "\nSSH-2.0" })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ended := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, err = c.Write([]byte(`{"ok":true}` + "\n"))
			c.Close()
		}
		ended <- err
	}()
	for _, c := range []struct {
		server string
		target push.Target
		want   string
	}{
		{denied, "u:ann", "not you"},
		{strange, "u:ann", `is no event: "SSH-2.0`},
		{l.Addr().String(), "u:ann", "the server has ended the connection"},
		{denied, "u:", "has no name"},
	} {
		w := &watchFlags{linePort: linePort{server: c.server}}
		err := w.run(context.Background(), c.target, &bytes.Buffer{}, &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("watching %s: %v, want %s", c.target, err, c.want)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	var usage *usageError
	_, err = runCommand("", "watch", "uid", "ann")
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), "want: watch TARGET") {
		t.Errorf("two arguments: %v", err)
	}
}
