package e2e

import (
	"net"
	"os/exec"
	"syscall"
	"testing"
)

// redis is a redis-server.
type redis struct {
	t    *testing.T
	on   *machine // nil means this one
	addr string   // host:port
	keep string   // folder in which it keeps what it has, over its end as well; empty means nowhere
	p    *program
}

// startRedis runs an empty server for the time of the test, on loopback.
func startRedis(t *testing.T) *redis {
	t.Helper()
	r := &redis{t: t, addr: free(t)}
	r.start()
	return r
}

// startLastingRedis runs one on loopback that has lost nothing when it is started again, even if it was killed.
func startLastingRedis(t *testing.T) *redis {
	t.Helper()
	r := &redis{t: t, addr: free(t), keep: t.TempDir()}
	r.start()
	return r
}

// startRedisOn runs it on a machine.
func startRedisOn(t *testing.T, m *machine) *redis {
	t.Helper()
	r := &redis{t: t, on: m, addr: net.JoinHostPort(m.at, "6379")}
	r.start()
	return r
}

// start runs it, with what it has kept.
func (r *redis) start() {
	r.t.Helper()
	need(r.t, "redis-server")
	host, port, _ := net.SplitHostPort(r.addr)
	args := []string{"--bind", host, "--port", port, "--protected-mode", "no", "--save", ""}
	if r.keep != "" {
		args = append(args, "--dir", r.keep, "--appendonly", "yes", "--appendfsync", "always")
	} else {
		args = append(args, "--dir", r.t.TempDir())
	}
	cmd := exec.Command("redis-server", args...)
	if r.on != nil {
		r.p = r.on.launch(cmd)
	} else {
		r.p = launch(r.t, cmd)
	}
	r.p.find("Ready to accept connections")
}

// kill ends it at once. What it knew is gone, unless it is kept.
func (r *redis) kill() {
	r.t.Helper()
	if err := r.p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		r.t.Fatal(err)
	}
	r.p.end()
}

// ask runs a command in a server on loopback, and returns its answer, quoted: what is not text, and each line of it.
func (r *redis) ask(command ...string) string {
	r.t.Helper()
	host, port, _ := net.SplitHostPort(r.addr)
	return output(r.t, "", "redis-cli", append([]string{"-h", host, "-p", port, "--no-raw"}, command...)...)
}
