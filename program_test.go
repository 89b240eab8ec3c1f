package lineman_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lineman-go/lineman"
)

// programVariable, which TestMain looks at, has a process of the test's binary be a program of Main; its value is the
// user of its processes.
const programVariable = "LINEMAN_TEST_PROGRAM"

// logVariable has it log as a LogHandler says, to its standard output.
const logVariable = "LINEMAN_TEST_LOG"

// handoverVariable has its connections cross in a reload. Its value is where it fails: "", "OnStart", "RestoreState",
// "Restore", "exit" for a successor that ends while it receives, or "told" for one whose OnStart says an address, and
// fails when somebody has connected to that.
const handoverVariable = "LINEMAN_TEST_HANDOVER"

// relayVariable has it speak TLS, with the certificate in a folder, and have little time for a reload. Its value is
// RelayTimeout and the folder.
const relayVariable = "LINEMAN_TEST_RELAY"

// relays has the connections of a program be relayed, and for how long.
func relays(m *lineman.Master, w *lineman.Worker, how string) error {
	timeout, folder, _ := strings.Cut(how, " ")
	pair, err := tls.LoadX509KeyPair(filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem"))
	if err != nil {
		return err
	}
	w.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	m.ReloadTimeout = second
	m.RelayTimeout, err = time.ParseDuration(timeout)
	return err
}

// program is what such a process does: it tells of each callback and hook, one line each.
func program(asUser string) {
	say := func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	w := &lineman.Worker{Name: "w", Addr: "text://127.0.0.1:0", User: asUser}
	w.OnPrepare = func(l *lineman.Loop) error { say("OnPrepare %d", l.ID()); return nil }
	w.OnStart = func(l *lineman.Loop) error {
		say("OnStart %d %s uid %d", l.ID(), l.Listener(w).Addr(), os.Getuid())
		return nil
	}
	w.OnReload = func(l *lineman.Loop) { say("OnReload %d", l.ID()) }
	w.OnStop = func(l *lineman.Loop) { say("OnStop %d", l.ID()) }
	w.OnMessage = func(c *lineman.Conn, msg []byte) {
		if string(msg) == "recycle" {
			c.Loop().Recycle()
		}
		_ = c.Send(msg)
	}
	if where, ok := os.LookupEnv(handoverVariable); ok {
		handsOver(w, where, say)
	}
	m := &lineman.Master{Workers: []*lineman.Worker{w}}
	m.ReloadTimeout, m.StopTimeout = patience, patience // nothing is killed because the machine is busy
	if how, ok := os.LookupEnv(relayVariable); ok {
		m.Err = relays(m, w, how)
	}
	if os.Getenv(logVariable) != "" {
		m.LogHandler = func(io.Writer) slog.Handler { return slog.NewJSONHandler(os.Stdout, nil) }
		w.OnPrepare = func(*lineman.Loop) error { slog.Info("OnPrepare"); return nil }
	}
	m.OnStart = func() error {
		say("master OnStart")
		return nil
	}
	m.OnReload = func() error {
		say("master OnReload")
		return exec.Command("true").Run()
	}
	m.OnStop = func() { say("master OnStop") }
	m.OnExit = func(e lineman.Exit) { say("master OnExit %s/%d code %d signal %q", e.Worker, e.ID, e.Code, e.Signal) }
	os.Args = os.Args[:1]
	m.Main()
}

// untilTold waits until somebody has connected, and fails.
func untilTold(say func(string, ...any)) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ln.Close()
	say("OnStart waits %s", ln.Addr())
	c, err := ln.Accept()
	if err != nil {
		return err
	}
	return errors.Join(errors.New("as the test wants it"), c.Close())
}

// handsOver has the connections of a program's worker cross. Each answers with its id, the number of its messages so
// far, which is its value, and the pid of who serves it.
func handsOver(w *lineman.Worker, where string, say func(string, ...any)) {
	fault := func(l *lineman.Loop, here string) error {
		switch {
		case where == here && l.Succeeds():
			return errors.New("as the test wants it")
		case where == "told" && here == "OnStart" && l.Succeeds():
			return untilTold(say)
		case where == "exit" && here == "Restore":
			os.Exit(3)
		}
		return nil
	}
	start := w.OnStart
	w.OnStart = func(l *lineman.Loop) error {
		if err := fault(l, "OnStart"); err != nil {
			return err
		}
		return start(l)
	}
	w.OnConnect = func(c *lineman.Conn) { c.SetValue(0) }
	w.OnMessage = func(c *lineman.Conn, _ []byte) {
		n := c.Value().(int) + 1
		c.SetValue(n)
		_ = c.Send(fmt.Appendf(nil, "%d %d %d", c.ID(), n, os.Getpid()))
	}
	w.OnClose = func(c *lineman.Conn, err error) { say("OnClose %d %v", c.ID(), err) }
	w.OnHandover = func(l *lineman.Loop) { say("OnHandover %d", l.ID()) }
	w.Save = func(c *lineman.Conn) ([]byte, error) { return strconv.AppendInt(nil, int64(c.Value().(int)), 10), nil }
	w.Restore = func(c *lineman.Conn, value []byte) error {
		n, err := strconv.Atoi(string(value))
		c.SetValue(n)
		return errors.Join(err, fault(c.Loop(), "Restore"))
	}
	w.SaveState = saveNoState
	w.RestoreState = func(l *lineman.Loop, _ []byte) error { return fault(l, "RestoreState") }
}
