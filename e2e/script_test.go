package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts drives the examples from their command line: each script of testdata/script is a test. Beside
// testscript's own, they have the commands
//
//	port NAME          a free port of this machine becomes the variable NAME
//	retry COMMAND...   runs the command again and again until it succeeds
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", binaries+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("REALHOME", os.Getenv("HOME"))
			env.Setenv("E", filepath.Join(binaries, "echo")) // where a shell has an echo of its own
			env.Setenv("P", filepath.Join(binaries, "push"))
			root, err := filepath.Abs("..")
			env.Setenv("ROOT", root)
			env.Defer(func() { killDaemons(t, env.WorkDir) })
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"port": port, "retry": retry},
		Condition: func(what string) (bool, error) {
			return what == "root" && os.Geteuid() == 0, nil
		},
	})
}

// killDaemons ends what a script that failed has left running.
func killDaemons(t *testing.T, folder string) {
	files, err := filepath.Glob(filepath.Join(folder, "*.pid"))
	if err != nil {
		t.Error(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL) // likewise
		}
	}
}

func port(ts *testscript.TestScript, neg bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	_, number, err := net.SplitHostPort(ln.Addr().String())
	ts.Check(err)
	ts.Check(ln.Close())
	ts.Setenv(args[0], number)
}

func retry(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec(args[0], args[1:]...)
	for until := time.Now().Add(patience); err != nil; err = ts.Exec(args[0], args[1:]...) {
		if time.Now().After(until) {
			ts.Fatalf("%s: %v", strings.Join(args, " "), err)
		}
	}
}
