package lineman_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// caller is a client of a program whose connections cross.
type caller struct {
	t     *testing.T
	conn  net.Conn
	lines *bufio.Scanner
	id    string
	said  int
}

func callProgram(t *testing.T, addr string) *caller {
	t.Helper()
	c := &caller{t: t, conn: dial(t, tcp(addr))}
	c.lines = bufio.NewScanner(c.conn)
	return c
}

// say says something, and returns which process has answered.
func (c *caller) say() (pid string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, "x\n"); err != nil {
		c.t.Fatal(err)
	}
	if !c.lines.Scan() {
		c.t.Fatalf("connection %s has no answer to message %d: %v", c.id, c.said+1, c.lines.Err())
	}
	c.said++
	answer := strings.Fields(c.lines.Text())
	if c.id == "" {
		c.id = answer[0]
	}
	if want := []string{c.id, fmt.Sprint(c.said)}; !slices.Equal(answer[:2], want) {
		c.t.Errorf("connection %s is answered %q to message %d", c.id, answer, c.said)
	}
	return answer[2]
}

// callers starts a program whose connections cross, and some clients of it.
func callers(t *testing.T, fails string) (r *running, all []*caller, pid string) {
	t.Helper()
	if portable() {
		t.Skip("over package net, connections stay where they are")
	}
	t.Setenv(handoverVariable, fails)
	r = startProgram(t, "")
	said := r.until("Press Ctrl+C")
	i := slices.IndexFunc(said, func(s string) bool { return strings.HasPrefix(s, "OnStart") })
	for range 20 {
		c := callProgram(t, strings.Fields(said[i])[2])
		if _, secure := os.LookupEnv(relayVariable); secure {
			c.conn = tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true}) // it is this test's own
			c.lines = bufio.NewScanner(c.conn)
		}
		pid = c.say()
		all = append(all, c)
	}
	return r, all, pid
}

// TestMasterHandover reloads a program three times: each client goes on with the next process, on the same connection.
func TestMasterHandover(t *testing.T) {
	r, all, pid := callers(t, "")
	for range 3 {
		r.reload()
		said := r.until("master OnExit")
		if !in(said, "OnStart 0", "OnHandover 0", "OnReload 0", "OnStop 0", `master OnExit w/0 code 0 signal ""`) {
			t.Errorf("the reload: %q", said)
		}
		if slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, "OnClose") }) {
			t.Errorf("OnClose was called: %q", said)
		}
		before := pid
		for _, c := range all {
			if pid = c.say(); pid == before {
				t.Errorf("connection %s is served by process %s still", c.id, pid)
			}
		}
		fresh := callProgram(t, all[0].conn.RemoteAddr().String())
		fresh.say()
		if slices.ContainsFunc(all, func(c *caller) bool { return c.id == fresh.id }) {
			t.Errorf("a new connection has the id %s, as an old one", fresh.id)
		}
		all = append(all, fresh)
	}
	r.signal(syscall.SIGTERM)
	if code, said := r.end(); code != 0 || !in(said, "OnClose") {
		t.Errorf("the stop: exit code %d, %q", code, said)
	}
}

// TestMasterHandoverFails has the predecessor go on, wherever its successor fails or dies.
func TestMasterHandoverFails(t *testing.T) {
	for _, where := range []string{"OnStart", "RestoreState", "exit"} {
		t.Run(where, func(t *testing.T) {
			r, all, pid := callers(t, where)
			for range 2 {
				r.reload()
				said := r.until("master OnExit")
				if slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, "OnHandover") }) {
					t.Errorf("OnHandover was called: %q", said)
				}
				for _, c := range all {
					if by := c.say(); by != pid {
						t.Errorf("connection %s is served by process %s", c.id, by)
					}
				}
			}
			r.signal(syscall.SIGTERM)
			r.end()
		})
	}
}

// TestHandoverFailsPortable has a successor fail over package net: who connects while it starts is served by the
// predecessor, as nobody is accepted ahead by a process that may yet fail.
func TestHandoverFailsPortable(t *testing.T) {
	t.Setenv("LINEMAN_POLLER", "portable")
	t.Setenv(handoverVariable, "told")
	r := startProgram(t, "")
	said := r.until("Press Ctrl+C")
	i := slices.IndexFunc(said, func(s string) bool { return strings.HasPrefix(s, "OnStart") })
	first := callProgram(t, strings.Fields(said[i])[2])
	pid := first.say()
	r.reload()
	said = r.until("OnStart waits")
	var all []*caller
	for range 20 { // of which the predecessor may take one ahead
		all = append(all, callProgram(t, first.conn.RemoteAddr().String()))
	}
	dial(t, tcp(strings.Fields(said[len(said)-1])[2])).Close()
	r.until("master OnExit")
	for _, c := range append(all, first) {
		if by := c.say(); by != pid {
			t.Errorf("connection %s is served by process %s", c.id, by)
		}
	}
	r.signal(syscall.SIGTERM)
	r.end()
}

// TestMasterRelay reloads a program twice whose connections are under TLS. The first process relays them, beyond the
// time for a reload, until the last one ends.
func TestMasterRelay(t *testing.T) {
	folder := t.TempDir()
	linemantest.CertificateFiles(t, folder)
	t.Setenv(relayVariable, "1h "+folder)
	r, all, pid := callers(t, "")
	for i := range 2 {
		r.reload()
		if i == 0 {
			if said := r.until("OnStop"); !in(said, "OnHandover 0", "OnReload 0", "OnStop 0") {
				t.Errorf("the first reload: %q", said)
			}
		} else {
			r.until("master OnExit") // of the second process, which relays nothing
		}
		before := pid
		for _, c := range all {
			if pid = c.say(); pid == before {
				t.Errorf("connection %s is served by process %s still", c.id, pid)
			}
		}
	}
	for until := time.Now().Add(2 * second); time.Now().Before(until); { // longer than ReloadTimeout
		for _, c := range all {
			c.say()
		}
	}
	for _, c := range all {
		if err := c.conn.Close(); err != nil {
			t.Error(err)
		}
	}
	if said := r.until("master OnExit"); !in(said, `master OnExit w/0 code 0 signal ""`) {
		t.Errorf("the relay: %q", said)
	}
	r.signal(syscall.SIGTERM)
	if code, said := r.end(); code != 0 {
		t.Errorf("the stop: exit code %d, %q", code, said)
	}
}

// TestMasterRelayTimeout has the relay, and its connections, end when its time is over.
func TestMasterRelayTimeout(t *testing.T) {
	folder := t.TempDir()
	linemantest.CertificateFiles(t, folder)
	t.Setenv(relayVariable, "1500ms "+folder)
	r, all, _ := callers(t, "")
	r.signal(syscall.SIGUSR1)
	r.until("OnStop")
	for _, c := range all {
		c.say()
	}
	for _, c := range all {
		if c.lines.Scan() || c.lines.Err() != nil {
			t.Errorf("connection %s ends with %q, %v", c.id, c.lines.Text(), c.lines.Err())
		}
		c.conn.Close() // else the relay waits for it until nine tenths of StopTimeout
	}
	if said := r.until("master OnExit"); !in(said, `master OnExit w/0 code 0 signal ""`) {
		t.Errorf("the relay: %q", said)
	}
	r.signal(syscall.SIGTERM)
	r.end()
}

// TestMasterRelayDies has the successor notice that the relay has died, and serve others.
func TestMasterRelayDies(t *testing.T) {
	folder := t.TempDir()
	linemantest.CertificateFiles(t, folder)
	t.Setenv(relayVariable, "1h "+folder)
	r, all, pid := callers(t, "")
	r.signal(syscall.SIGUSR1)
	r.until("OnStop")
	relay, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(relay, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for range all {
		if said := r.until("OnClose"); !strings.HasSuffix(said[len(said)-1], syscall.ECONNRESET.Error()) {
			t.Errorf("it ends with %q", said)
		}
	}
	r.signal(syscall.SIGTERM)
	r.end()
}
