package lineman_test

import (
	"bufio"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// stepTo runs a loop of Open until done.
func stepTo(t *testing.T, l *lineman.Loop, what string, done func() bool) {
	t.Helper()
	for until := time.Now().Add(patience); !done(); {
		if time.Now().After(until) {
			t.Fatalf("it did not happen: %s", what)
		}
		if err := l.Step(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBroadcastTurns encodes once for each worker, in whatever order their connections come, and allocates nothing.
func TestBroadcastTurns(t *testing.T) {
	const each = 10
	workers := []*lineman.Worker{
		{Addr: "text://127.0.0.1:0", Name: "a"}, {Addr: "frame://127.0.0.1:0", Name: "b"},
		{Addr: "text://127.0.0.1:0", Name: "c"},
	}
	l, err := lineman.Open(workers[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Shut)
	var clients []net.Conn
	for _, w := range workers {
		n, err := l.Listen(w)
		if err != nil {
			t.Fatal(err)
		}
		for range each {
			clients = append(clients, dial(t, n.Addr()))
		}
	}
	stepTo(t, l, "all are accepted", func() bool { return l.Stats().Conns == len(clients) })
	var runs, turns []*lineman.Conn
	for _, w := range workers {
		runs = slices.AppendSeq(runs, l.Conns(w))
	}
	for i := range each {
		for j := range workers {
			turns = append(turns, runs[j*each+i])
		}
	}
	msg := []byte("a message that all of them get")
	encoded := func(to []*lineman.Conn) int {
		before := l.Encoded()
		if n := l.Broadcast(slices.Values(to), msg); n != len(clients) {
			t.Errorf("it reached %d connections, want %d", n, len(clients))
		}
		return l.Encoded() - before
	}
	want := 2*(len(msg)+1) + 4 + len(msg)
	if inRuns, inTurns := encoded(runs), encoded(turns); inRuns != want || inTurns != want {
		t.Errorf("%d bytes were encoded in runs, %d in turns, want %d", inRuns, inTurns, want)
	}
	// What one broadcast has encoded is not what another one sends, nor while the first is under way.
	l.Broadcast(func(yield func(*lineman.Conn) bool) {
		for _, c := range turns {
			if !yield(c) {
				return
			}
			l.Broadcast(slices.Values(turns[:1]), []byte("inner"))
		}
	}, []byte("outer"))
	stepTo(t, l, "all is written",
		func() bool { return !slices.ContainsFunc(runs, func(c *lineman.Conn) bool { return c.Pending() > 0 }) })
	first, last := bufio.NewScanner(clients[each-1]), bufio.NewScanner(clients[len(clients)-1])
	for _, want := range []string{string(msg), string(msg), "outer", "inner"} {
		if first.Scan(); first.Text() != want {
			t.Errorf("the first one got %q, want %q", first.Text(), want)
		}
		if want != "inner" && last.Scan() && last.Text() != want {
			t.Errorf("the last one got %q, want %q", last.Text(), want)
		}
	}
	if portable() {
		return // over package net a write may allocate
	}
	all := slices.Values(turns)
	linemantest.NoAllocations(t, func() {
		l.Broadcast(all, msg)
		if err := l.Step(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestBroadcast reaches connections of several protocols, each in its own, encoded once for each, in order.
func TestBroadcast(t *testing.T) {
	ws := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Name: "ws"}
	text := &lineman.Worker{Addr: "text://127.0.0.1:0", Name: "text"}
	ws.OnStart = func(l *lineman.Loop) error {
		_, err := l.Listen(text)
		return err
	}
	s := linemantest.Start(t, ws)
	clients := []*linemantest.Client{s.Dial(ws), s.Dial(text), s.Dial(ws), s.Dial(text)}
	waitForAccepted(t, s, ws, 4)
	s.Do(ws, func(l *lineman.Loop) {
		all := func(yield func(*lineman.Conn) bool) {
			for c := range l.Conns(ws) {
				if !yield(c) {
					return
				}
			}
			for c := range l.Conns(text) {
				if !yield(c) {
					return
				}
			}
		}
		for range 1000 {
			if n := l.Broadcast(all, []byte("to all")); n != 4 {
				t.Errorf("reached %d", n)
			}
			if n := l.BroadcastBinary(all, []byte("binary")); n != 4 {
				t.Errorf("reached %d", n)
			}
		}
	})
	for i, c := range clients {
		for range 1000 {
			if a, b := c.Receive(), c.Receive(); a != "to all" || b != "binary" {
				t.Fatalf("client %d got %q, %q", i, a, b)
			}
		}
	}
}
