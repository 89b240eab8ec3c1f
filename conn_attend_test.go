package lineman_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol"
)

// many is a stepped loop of a text worker with so many connections, and their clients, in the same order.
type many struct {
	*lineman.Loop
	worker  *lineman.Worker
	conns   []*lineman.Conn
	clients []net.Conn
}

// overMany runs a test over a loop that writes to many connections by one call, if the poller can, and over one that
// cannot.
func overMany(t *testing.T, n int, worker func() lineman.Worker, f func(t *testing.T, m *many)) {
	for _, way := range []string{"together", "each alone"} {
		t.Run(way, func(t *testing.T) {
			log := &journal{}
			w := worker()
			w.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			m, told := openMany(t, n, &w), 0
			if way == "each alone" {
				m.ForbidBatch()
				told = 1
			}
			f(t, m)
			if n := log.count("a system call of its own"); n != told && !portable() {
				t.Errorf("it was told %d times that the system refuses, want %d:\n%s", n, told, log)
			}
		})
	}
}

// openMany opens a loop with so many connections of a worker, a text worker unless it has a protocol of its own.
func openMany(t *testing.T, n int, w *lineman.Worker) *many {
	t.Helper()
	w.Addr = "text://127.0.0.1:0"
	l, err := lineman.Open(w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Shut)
	m := &many{Loop: l, worker: w}
	for range n {
		m.clients = append(m.clients, dial(t, l.Listener(w).Addr()))
		stepTo(t, l, "one more is accepted", func() bool { return l.Stats().Conns == len(m.clients) })
		m.conns = slices.AppendSeq(m.conns, func(yield func(*lineman.Conn) bool) {
			l.Conns(w)(func(c *lineman.Conn) bool { return slices.Contains(m.conns, c) || yield(c) })
		})
	}
	return m
}

// lines fails the test if the client does not receive just these next.
func lines(t *testing.T, client net.Conn, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if n, err := io.ReadFull(client, b); err != nil || string(b) != want {
		t.Errorf("%.100q came, %v, want %.100q", b[:n], err, want)
	}
}

// TestAttend broadcasts to more connections than are written together.
func TestAttend(t *testing.T) {
	overMany(t, 150, func() lineman.Worker { return lineman.Worker{} }, func(t *testing.T, m *many) {
		want := ""
		for i := range 3 {
			msg := fmt.Sprintf("message %d", i)
			if n := m.Broadcast(m.Conns(m.worker), []byte(msg)); n != len(m.conns) {
				t.Errorf("%d have accepted it, want %d", n, len(m.conns))
			}
			if err := m.Step(); err != nil {
				t.Fatal(err)
			}
			want += msg + "\n"
		}
		for i, c := range m.clients {
			lines(t, c, want)
			if s := m.conns[i].Stats(); s.BytesOut != uint64(len(want)) || m.conns[i].Pending() != 0 {
				t.Errorf("connection %d: %d bytes went out, %d wait", i, s.BytesOut, m.conns[i].Pending())
			}
		}
		if n, want := m.Stats().BytesOut, uint64(len(m.conns)*len(want)); n != want {
			t.Errorf("%d bytes went out, want %d", n, want)
		}
	})
}

// TestAttendStalls writes together to peers that do not read until all have stalled, and goes on with each when its
// peer reads.
func TestAttendStalls(t *testing.T) {
	const all = 5
	drained := 0
	worker := func() lineman.Worker {
		drained = 0
		return lineman.Worker{
			Limits: lineman.Limits{MaxPending: 1 << 20},
			Events: lineman.Events{OnDrain: func(*lineman.Conn) { drained++ }},
		}
	}
	overMany(t, all, worker, func(t *testing.T, m *many) {
		sent := make([]strings.Builder, all)
		for full := 0; full < all; {
			full = 0
			for i, c := range m.conns {
				line := fmt.Sprintf("%d %s", sent[i].Len(), strings.Repeat("x", 8<<10))
				if err := c.Send([]byte(line)); err != nil {
					full++
					continue
				}
				sent[i].WriteString(line + "\n")
			}
			if err := m.Step(); err != nil {
				t.Fatal(err)
			}
		}
		var readers sync.WaitGroup
		for i, c := range m.clients {
			readers.Go(func() { lines(t, c, sent[i].String()) })
		}
		stepTo(t, m.Loop, "all drain", func() bool { return drained == all })
		readers.Wait()
	})
}

// TestAttendEnds writes to a peer that has broken the connection, and to connections that are closed and aborted, in
// the tick in which others get their message.
func TestAttendEnds(t *testing.T) {
	const reset, closed, aborted, all = 4, 5, 6, 10
	ended := make(map[*lineman.Conn]error)
	worker := func() lineman.Worker {
		clear(ended)
		return lineman.Worker{
			Events: lineman.Events{OnClose: func(c *lineman.Conn, err error) { ended[c] = err }},
		}
	}
	overMany(t, all, worker, func(t *testing.T, m *many) {
		m.Do(func() { // after the events of the tick: its writes see what happens here first
			m.Broadcast(m.Conns(m.worker), []byte("to all"))
			if err := m.clients[reset].(*net.TCPConn).SetLinger(0); err != nil {
				t.Error(err)
			}
			m.clients[reset].Close()
			_ = m.conns[closed].Close()
			m.conns[aborted].Abort()
		})
		stepTo(t, m.Loop, "the broken one and the aborted one end", func() bool { return len(ended) >= 2 })
		for i, c := range m.clients {
			switch i {
			case reset, aborted:
			default:
				lines(t, c, "to all\n")
			}
		}
		if n, err := m.clients[closed].Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("after Close: %d, %v, want its end", n, err)
		}
		m.clients[closed].Close()
		stepTo(t, m.Loop, "three have ended", func() bool { return len(ended) == 3 })
		if err := ended[m.conns[reset]]; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a reset ends with %v", err)
		}
		if a, b := ended[m.conns[closed]], ended[m.conns[aborted]]; a != nil || b != nil {
			t.Errorf("Close ends with %v, Abort with %v", a, b)
		}
	})
}

// TestAttendSenders has goroutines send, small messages and such as are written at once, while the kernel has the
// output of all connections: each client gets what it had first, and then the messages of each sender whole and in
// order.
func TestAttendSenders(t *testing.T) {
	const conns, senders, rounds = 8, 3, 8
	message := func(sender, i int) string {
		size := 10
		if i%4 == 3 {
			size = 70 << 10
		}
		return fmt.Sprintf("%d %d %s", sender, i, strings.Repeat(string(rune('a'+sender)), size))
	}
	m := openMany(t, conns, &lineman.Worker{Limits: lineman.Limits{MaxPending: 1 << 30}})
	times := 0
	m.BeforeBatch(func() {
		if times++; times > 1 {
			return
		}
		var all sync.WaitGroup
		for s := range senders {
			all.Go(func() {
				for i := range rounds {
					for _, c := range m.conns {
						if err := c.Send([]byte(message(s, i))); err != nil {
							t.Errorf("sender %d: %v", s, err)
						}
					}
				}
			})
		}
		all.Wait()
	})
	m.Broadcast(m.Conns(m.worker), []byte("first"))
	var clients sync.WaitGroup
	for _, c := range m.clients {
		clients.Go(func() {
			lines(t, c, "first\n")
			readAll(t, c, senders, rounds, message)
		})
	}
	done := make(chan struct{})
	go func() { clients.Wait(); close(done) }()
	stepTo(t, m.Loop, "all have everything", func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	if times == 0 {
		t.Error("nothing was written together")
	}
}

// shortLines is a protocol of lines that are cut to ten bytes: what is sent takes far less than was asked room for.
type shortLines struct{ linesBackwards }

func (shortLines) NewCodec(int) protocol.Codec { return shortLines{} }

func (shortLines) Append(dst, msg []byte) ([]byte, error) {
	return append(append(dst, msg[:min(len(msg), 10)]...), '\n'), nil
}

// TestAttendHanded has output that the kernel has stay where it is, though what is sent meanwhile asks for more room
// than there is behind it: its memory would be somebody else's before it was written.
func TestAttendHanded(t *testing.T) {
	const conns = 8
	m := openMany(t, conns, &lineman.Worker{Protocol: shortLines{}})
	send := func(c *lineman.Conn, start string, n int) {
		if err := c.Send([]byte(start + strings.Repeat("x", n))); err != nil {
			t.Error(err)
		}
	}
	times := 0
	m.BeforeBatch(func() {
		if times++; times > 1 {
			return
		}
		for _, c := range m.conns[:conns/2] {
			send(c, "the second", 200<<10)
		}
		for _, c := range m.conns[conns/2:] {
			send(c, "of another", 100<<10) // which takes the memory that is free
		}
	})
	for _, c := range m.conns[:conns/2] {
		send(c, "the first!", 100<<10)
	}
	if err := m.Step(); err != nil || times != 1 {
		t.Fatalf("%d times something was written together: %v", times, err)
	}
	stepTo(t, m.Loop, "all is written", func() bool { return m.Stats().BytesOut == conns/2*33 })
	for i, c := range m.clients {
		if i < conns/2 {
			lines(t, c, "the first!\nthe second\n")
		} else {
			lines(t, c, "of another\n")
		}
	}
}

// readAll reads so many messages of each sender, in the order of each.
func readAll(t *testing.T, c net.Conn, senders, each int, message func(sender, i int) string) {
	have := make([]int, senders)
	var rest []byte
	buf := make([]byte, 64<<10)
	for n := 0; n < senders*each; {
		k, err := c.Read(buf)
		if err != nil {
			t.Errorf("after %d messages: %v", n, err)
			return
		}
		rest = append(rest, buf[:k]...)
		for {
			line, after, whole := bytes.Cut(rest, []byte("\n"))
			if !whole {
				break
			}
			s := int(line[0] - '0')
			if s < 0 || s >= senders || string(line) != message(s, have[s]) {
				t.Errorf("after %v: %.20q of %d bytes", have, line, len(line))
				return
			}
			have[s]++
			n++
			rest = after
		}
	}
}
