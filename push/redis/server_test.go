package redis_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// server is a Redis of the test's own, without persistence.
type server struct {
	t         testing.TB
	host      string
	port      string
	arguments []string
	process   *exec.Cmd
	ended     chan struct{} // closed when the process has
}

// startServer starts a redis-server on a free port. Without the program the test is skipped, or fails where nothing may
// be skipped.
func startServer(t testing.TB, arguments ...string) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("LINEMAN_E2E_STRICT") != "" {
			t.Fatal("there is no redis-server")
		}
		t.Skip("there is no redis-server: apt-get install redis-server")
	}
	s := &server{t: t, host: "127.0.0.1", arguments: append([]string{
		"--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir(), "--loglevel", "notice",
	}, arguments...)}
	t.Cleanup(s.kill)
	for range 5 { // another program may be faster to take the port
		s.port = freePort(t)
		if s.start() {
			return s
		}
	}
	t.Fatal("redis-server does not start")
	return nil
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func (s *server) address() string { return net.JoinHostPort(s.host, s.port) }

// start starts the process, again if it was killed, and waits until it serves. It returns false if the process ends
// instead.
func (s *server) start() bool {
	s.t.Helper()
	return s.run(append([]string{"--port", s.port}, s.arguments...)...)
}

func (s *server) run(arguments ...string) bool {
	s.t.Helper()
	s.process = exec.Command("redis-server", arguments...)
	output, err := s.process.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	serves := make(chan struct{})
	s.ended = make(chan struct{})
	go func() {
		defer close(s.ended)
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "Ready to accept connections") ||
				strings.Contains(lines.Text(), "+monitor master") {
				close(serves)
				break
			}
		}
		_, _ = io.Copy(io.Discard, output)
		_ = s.process.Wait()
	}()
	select {
	case <-serves:
		return true
	case <-s.ended:
		return false
	case <-time.After(patience):
		s.t.Fatal("redis-server does not serve")
		return false
	}
}

// kill ends the process at once.
func (s *server) kill() {
	if s.process != nil {
		_ = s.process.Process.Kill()
		<-s.ended
	}
}

// patience is how long anything may take.
const patience = time.Minute

// do has a server do a command by a connection of its own.
func do(t testing.TB, address string, words ...string) rueidis.RedisMessage {
	t.Helper()
	m, err := try(t, rueidis.ClientOption{InitAddress: []string{address}}, words...)
	if err != nil {
		t.Fatalf("%s: %v", strings.Join(words, " "), err)
	}
	return m
}

func try(t testing.TB, o rueidis.ClientOption, words ...string) (rueidis.RedisMessage, error) {
	t.Helper()
	o.ForceSingleClient, o.DisableCache, o.PipelineMultiplex = true, true, -1
	c, err := rueidis.NewClient(o)
	if c != nil {
		defer c.Close()
	}
	if err != nil {
		return rueidis.RedisMessage{}, err
	}
	return c.Do(context.Background(), c.B().Arbitrary(words...).Build()).ToMessage()
}
