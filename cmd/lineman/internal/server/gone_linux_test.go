package server_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
)

// TestLinesOfTheGone has a back end write lines, more than are read at once, read no answer, and go: what they publish
// reaches the page.
func TestLinesOfTheGone(t *testing.T) {
	r := start(t, devMode(), server.Options{})
	p := r.page("7")
	b := r.backend()
	r.known(b, "7")
	const lines = 240
	line := func(n int) string { return fmt.Sprintf(`{"uid":"7","n":%d,"pad":"%s"}`, n, strings.Repeat("x", 270)) }
	held := make(chan bool)
	go r.Do(r.pages, func(*lineman.Loop) { // everything lies in the kernel when the first line is read
		held <- true
		<-held
	})
	<-held
	for n := range lines {
		b.Write(line(n) + "\n")
	}
	arrived(t, b.Conn)
	b.Close()
	held <- true
	for n := range lines {
		if got := p.Receive(); got != line(n) {
			t.Fatalf("%q, want %q", got, line(n))
		}
	}
}

// arrived waits until the server's kernel has all that was written to c.
func arrived(t *testing.T, c net.Conn) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(time.Minute); time.Now().Before(until); {
		left := -1
		if err := raw.Control(func(fd uintptr) { left, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }); err != nil {
			t.Fatal(err)
		}
		if err == nil && left == 0 {
			return
		}
	}
	t.Fatal("the bytes do not arrive")
}
