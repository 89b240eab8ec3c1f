package lineman_test

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestBackpressure broadcasts 64 MiB to a thousand connections that never read and to one that does. The publisher
// pauses when the reader is full. The reader gets everything, the others are refused and counted, and memory stays
// small, because queued frames are shared.
func TestBackpressure(t *testing.T) {
	const (
		idle    = 1000
		total   = 64 << 20
		size    = 64 << 10
		buffers = 64 << 10
	)
	if portable() {
		t.Skip("over package net each connection has a buffer of its own for writing")
	}
	w := &lineman.Worker{Addr: "frame://127.0.0.1:0"}
	var reader *lineman.Conn
	var publish func()
	sent, paused := 0, false
	accepted := 0
	w.OnConnect = func(c *lineman.Conn) { lineman.SetSendBuffer(t, c, buffers) }
	w.OnMessage = func(c *lineman.Conn, _ []byte) {
		reader = c
		publish()
	}
	msg := make([]byte, size)
	publish = func() {
		if sent == total/size || paused {
			return
		}
		sent++
		l := reader.Loop()
		accepted += l.Broadcast(l.Conns(w), msg)
		l.Do(publish)
	}
	w.OnFull = func(c *lineman.Conn) { paused = paused || c == reader }
	w.OnDrain = func(c *lineman.Conn) {
		if c == reader {
			paused = false
			c.Loop().Do(publish)
		}
	}
	s := linemantest.Start(t, w)
	addr := s.Addr(w)
	conns := make([]net.Conn, idle)
	for i := range conns {
		conns[i] = dial(t, addr)
		_ = conns[i].(*net.TCPConn).SetReadBuffer(buffers)
	}
	waitForAccepted(t, s, w, idle)
	client := s.Dial(w)
	debug.FreeOSMemory() // what earlier tests left would hide or swell the growth
	before := userMemory()
	client.Send("begin")
	most := before
	_ = client.Conn.SetDeadline(time.Now().Add(3 * patience))
	var buf [4]byte
	body := make([]byte, size)
	for range total / size {
		if _, err := io.ReadFull(client.Reader, buf[:]); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(client.Reader, body); err != nil {
			t.Fatal(err)
		}
		most = max(most, userMemory())
	}
	if grown := int64(most) - int64(before); grown > 32<<20 {
		t.Errorf("user memory grew by %d MiB, want at most 32", grown>>20)
	}
	s.Do(w, func(l *lineman.Loop) {
		var refused uint64
		reached := 0
		for c := range l.Conns(w) {
			st := c.Stats()
			refused += uint64(st.Refused)
			reached += int(st.MessagesOut)
			if int(st.Refused+st.MessagesOut) != total/size {
				t.Errorf("connection %d: %d refused and %d accepted of %d", c.ID(), st.Refused,
					st.MessagesOut, total/size)
			}
			if (c == reader) != (st.Refused == 0) {
				t.Errorf("connection %d, the reader: %v, was refused %d messages", c.ID(), c == reader, st.Refused)
			}
		}
		if reached != accepted {
			t.Errorf("Broadcast counted %d deliveries, the connections %d", accepted, reached)
		}
		if got := l.Stats().Refused; got != refused {
			t.Errorf("the loop counts %d refusals, its connections %d", got, refused)
		}
	})
}

// userMemory is the heap in use, and what else the runtime keeps for it.
func userMemory() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// TestDescriptorShortage takes all descriptors away: accepting pauses, which is logged once, what is open is served,
// and it recovers when there are descriptors again.
func TestDescriptorShortage(t *testing.T) {
	log := &journal{}
	w := &lineman.Worker{Addr: "text://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}, Logger: log.logger()}
	s := linemantest.Start(t, w)
	open := s.Dial(w)
	open.Send("x")
	open.Receive()
	leaveOne, restore := takeDescriptors(t)
	var clients []net.Conn
	var shortages uint64
	for late := time.Now().Add(patience); shortages == 0; {
		if time.Now().After(late) {
			t.Fatal("no shortage is noticed")
		}
		leaveOne() // for the client; if another one is closed late, the server has that, and is short the next time
		c, err := net.Dial("tcp", s.Addr(w).String())
		if err != nil {
			continue // over package net, an accept under way holds it for a moment
		}
		clients = append(clients, c)
		t.Cleanup(func() { c.Close() })
		open.Send("served")
		if got := open.Receive(); got != "served" {
			t.Errorf("got %q", got)
		}
		waitUntil(t, s, w, func(l *lineman.Loop) bool {
			shortages = l.Stats().Shortages
			return shortages > 0 || l.Stats().Accepted == uint64(1+len(clients))
		})
	}
	open.Send("still served")
	if got := open.Receive(); got != "still served" {
		t.Errorf("got %q", got)
	}
	restore()
	for i, c := range clients {
		fmt.Fprintf(c, "%d\n", i)
		_ = c.SetDeadline(time.Now().Add(patience))
		b := make([]byte, 10)
		if n, err := c.Read(b); err != nil || string(b[:n]) != fmt.Sprintf("%d\n", i) {
			t.Fatalf("connection %d after the shortage: %q, %v", i, b[:n], err)
		}
	}
	last := s.Dial(w) // over package net all may have been accepted before the shortage
	last.Send("x")
	last.Receive()
	if shortages != 1 || log.count("accepting pauses") != 1 || log.count("accepting again") != 1 {
		t.Errorf("%d shortages, the log says: %s", shortages, log)
	}
}

// takeDescriptors lets this process have few descriptors more than it has, until restore; leaveOne takes all but one.
func takeDescriptors(t *testing.T) (leaveOne, restore func()) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	free, err := syscall.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	taken := []int{free}
	lowered := old
	lowered.Cur = uint64(free) + 32
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lowered); err != nil {
		t.Fatal(err)
	}
	take := func() {
		for fd, err := syscall.Dup(0); err == nil; fd, err = syscall.Dup(0) {
			taken = append(taken, fd)
		}
	}
	restore = func() {
		for _, fd := range taken {
			syscall.Close(fd)
		}
		taken = nil
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(restore)
	leaveOne = func() {
		take()
		syscall.Close(taken[len(taken)-1])
		taken = taken[:len(taken)-1]
	}
	return leaveOne, restore
}
