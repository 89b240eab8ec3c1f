//go:build unix

package lineman_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRule11ListenerStays reloads a program twice. Who connects meanwhile is let in and answered, and on Linux the
// socket is the same one.
func TestRule11ListenerStays(t *testing.T) {
	r := startProgram(t, "")
	said := r.until("Press Ctrl+C")
	i := slices.IndexFunc(said, func(s string) bool { return strings.HasPrefix(s, "OnStart") })
	addr := strings.Fields(said[i])[2]
	before := listening(t, addr)
	stop, ended := make(chan struct{}), make(chan error)
	answered := 0
	go func() {
		defer close(ended)
		for ; ; answered++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := askOnce(addr); err != nil {
				ended <- fmt.Errorf("after %d answers: %w", answered, err)
				return
			}
		}
	}()
	for range 2 {
		r.reload()
		r.until("master OnExit")
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if after := listening(t, addr); answered == 0 || !slices.Equal(after, before) {
		t.Errorf("%d were answered; the sockets that listen were %q and are %q", answered, before, after)
	}
	r.signal(syscall.SIGTERM)
	if code, said := r.end(); code != 0 {
		t.Errorf("the stop: exit code %d, %q", code, said)
	}
}

// askOnce connects, sends a line and reads it again.
func askOnce(addr string) error {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := c.Write([]byte("hello\n")); err != nil {
		return err
	}
	got, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && got != "hello\n" {
		err = fmt.Errorf("the answer is %q", got)
	}
	return err
}

// listening are the sockets that listen on a port of 127.0.0.1, by their numbers in the kernel: on Linux only.
func listening(t *testing.T, addr string) (inodes []string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return nil
	}
	at, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line) // sl, local address, remote address, state, ..., and the inode as the tenth
		if len(f) > 9 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", at.Port)) && f[3] == "0A" {
			inodes = append(inodes, f[9])
		}
	}
	if len(inodes) == 0 {
		t.Fatalf("nobody listens on %s", addr)
	}
	return inodes
}
