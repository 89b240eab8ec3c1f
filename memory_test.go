package lineman_test

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// TestMemory has the memory of idle WebSocket connections grow by at most 250 bytes for each, on one loop and on eight,
// and 110 more if messages are compressed.
func TestMemory(t *testing.T) {
	if portable() || linemantest.Raced() {
		t.Skip("the figure is for the native loop, without the race detector")
	}
	const plain = "\x81\x81\x00\x00\x00\x00x"
	t.Run("plain", func(t *testing.T) { growth(t, 1, nil, plain, 250) })
	t.Run("8 loops", func(t *testing.T) { growth(t, 8, nil, plain, 250) })
	t.Run("compressed", func(t *testing.T) { growth(t, 1, &websocket.Compression{}, compressedZeros, 360) })
}

// TestInitMemory has no package of Lineman's allocate more than 4 KiB when a program begins: each of many processes has
// that, and the runtime a few pages for every size of object that nothing else has.
func TestInitMemory(t *testing.T) {
	const root, most = "github.com/lineman-go/lineman", 4 << 10
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		var name string
		var at, took float64
		var bytes, allocs int
		_, err := fmt.Sscanf(line, "init %s @%f ms, %f ms clock, %d bytes, %d allocs",
			&name, &at, &took, &bytes, &allocs)
		if err != nil || name != root && !strings.HasPrefix(name, root+"/") {
			continue
		}
		seen++
		if bytes > most {
			t.Errorf("%s allocates %d bytes in %d objects at the start, want at most %d: make them when needed",
				name, bytes, allocs, most)
		}
	}
	if seen == 0 {
		t.Errorf("no package of %s in: %s", root, out)
	}
}

// growth measures the heap between a thousand and three thousand connections that another process holds, each after a
// message and its echo. If that is too much, it measures two thousand more, and again: what others in this process have
// taken meanwhile does not grow each time.
func growth(t *testing.T, loops int, compression *websocket.Compression, message string, most float64) {
	const few, more = 1000, 2000
	w := &lineman.Worker{Addr: "websocket://127.0.0.1:0", Loops: loops}
	w.Protocol = &websocket.Protocol{Compression: compression}
	w.PerLoop = func(w *lineman.Worker) { w.OnMessage = echo }
	s := linemantest.Start(t, w)
	hold := func(n int) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "LINEMAN_TEST_HOLD="+fmt.Sprint(n), "LINEMAN_TEST_ADDR="+s.Addr(w).String(),
			"LINEMAN_TEST_SEND="+hex.EncodeToString([]byte(message)))
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
	want, slope := few, math.Inf(1)
	for tries := 3; slope > most && tries > 0; tries-- {
		before := liveHeap()
		hold(more)
		want += more
		slope = min(slope, float64(liveHeap()-before)/more)
	}
	open := 0
	s.DoEach(w, func(l *lineman.Loop) { open += l.Stats().Conns })
	if open != want {
		t.Errorf("%d connections, want %d", open, want)
	}
	t.Logf("%.0f bytes for each connection", slope)
	if slope > most {
		t.Errorf("%.0f bytes for each connection, want at most %.0f", slope, most)
	}
}

// hold opens n WebSockets, exchanges a message on each, says so, and keeps them until its input ends.
func hold(addr string, n int) {
	message, err := hex.DecodeString(os.Getenv("LINEMAN_TEST_SEND"))
	if err != nil {
		fmt.Println(err)
		return
	}
	conns := make([]net.Conn, n)
	b := make([]byte, 1024)
	for i := range conns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, send := range []string{deflateHandshake, string(message)} {
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
