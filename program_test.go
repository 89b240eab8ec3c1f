package lineman_test

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"

	"github.com/lineman-go/lineman"
)

// programVariable, which TestMain looks at, has a process of the test's binary be a program of Main; its value is the
// user of its processes.
const programVariable = "LINEMAN_TEST_PROGRAM"

// logVariable has it log as a LogHandler says, to its standard output.
const logVariable = "LINEMAN_TEST_LOG"

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
	m := &lineman.Master{Workers: []*lineman.Worker{w}}
	m.ReloadTimeout, m.StopTimeout = patience, patience // nothing is killed because the machine is busy
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
