package lineman_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestMemory has the memory of idle WebSocket connections grow by at most 400 bytes for each, measured by the heap
// between a thousand and three thousand connections that another process holds.
func TestMemory(t *testing.T) {
	const few, many, most = 1000, 3000, 400
	if portable() || linemantest.Raced() {
		t.Skip("the figure is for the native loop, without the race detector")
	}
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Events: lineman.Events{OnMessage: echo}}
	s := linemantest.Start(t, w)
	hold := func(n int) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "LINEMAN_TEST_HOLD="+fmt.Sprint(n), "LINEMAN_TEST_ADDR="+s.Addr(w).String())
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			in.Close() // it ends when nobody holds the other side
			_ = cmd.Wait()
		})
		if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
			t.Fatalf("the process that holds connections says %q", line)
		}
	}
	hold(few)
	before := liveHeap()
	hold(many - few)
	slope := float64(liveHeap()-before) / float64(many-few)
	s.Do(w, func(l *lineman.Loop) {
		if n := l.Stats().Conns; n != many {
			t.Errorf("%d connections, want %d", n, many)
		}
	})
	t.Logf("%.0f bytes for each connection", slope)
	if slope > most {
		t.Errorf("%.0f bytes for each connection, want at most %d", slope, most)
	}
}

// hold opens n WebSockets, exchanges a message on each, says so, and keeps them until its input ends.
func hold(addr string, n int) {
	conns := make([]net.Conn, n)
	b := make([]byte, 1024)
	for i := range conns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, send := range []string{handshake, "\x81\x81\x00\x00\x00\x00x"} {
			if _, err = io.WriteString(c, send); err == nil {
				_, err = c.Read(b)
			}
			if err != nil {
				fmt.Println(err)
				return
			}
		}
		conns[i] = c
	}
	fmt.Println("ready")
	_, _ = os.Stdin.Read(b)
	for _, c := range conns {
		c.Close()
	}
}
