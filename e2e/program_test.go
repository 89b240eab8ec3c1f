package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binaries is the folder that TestMain builds the examples into. Immutable after that.
var binaries string

// told is what the environment tells the tests. The programs do not get it: to lineman it would be misspelt settings.
// Immutable after TestMain.
var told = map[string]string{
	"LINEMAN_SEED": "", "LINEMAN_SCREENSHOTS": "", "LINEMAN_E2E_STRICT": "", "LINEMAN_E2E_LONG": "",
	"LINEMAN_E2E_LARAVEL": "",
}

// TestMain has four tests run at a time, of those that run beside others: they wait for most of their time.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	for name := range told {
		told[name] = os.Getenv(name)
		os.Unsetenv(name)
	}
	var err error
	if binaries, err = os.MkdirTemp("", "lineman-e2e"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(binaries)
	os.Setenv(mark, binaries)
	go endWhenDue()
	folder := binaries + string(filepath.Separator)
	build("..", "-o", folder, "./cmd/...", "./examples/...")
	build(".", "-o", folder, "./misbehave", "./converse")
	build(".", "-o", folder+"converse-2", "-ldflags", "-X main.version=2", "./converse")
	for name, set := range map[string]string{
		"misbehave-2": "version=2", "misbehave-extra": "extra=more", "misbehave-crash": "crash=yes",
		"misbehave-log": "log=elsewhere",
	} {
		build(".", "-o", folder+name, "-ldflags", "-X main."+set, "./misbehave")
	}
	return m.Run()
}

// build runs go build in a folder.
func build(dir string, args ...string) {
	cmd := exec.Command("go", append([]string{"build"}, args...)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		panic(string(out))
	}
}

// patience is how long a test waits for what must happen.
const patience = time.Minute

// program is a running example.
type program struct {
	t      *testing.T
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process is gone

	mu     sync.Mutex // guards output
	output bytes.Buffer
	wrote  chan struct{} // holds one element when output has grown
}

// start runs an example until the end of the test.
func start(t *testing.T, name string, args ...string) *program {
	t.Helper()
	cmd := exec.Command(filepath.Join(binaries, name), args...)
	cmd.Dir = t.TempDir() // where it leaves its files
	return launch(t, cmd)
}

// launch runs a command until the end of the test.
func launch(t *testing.T, cmd *exec.Cmd) *program {
	t.Helper()
	p := &program{t: t, cmd: cmd, exited: make(chan struct{}), wrote: make(chan struct{}, 1)}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // its state is read by who waits for exited
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // gone already, mostly
		<-p.exited
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(cmd.Path), p.said())
		}
	})
	return p
}

// Write takes what the program prints.
func (p *program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case p.wrote <- struct{}{}:
	default:
	}
	return p.output.Write(b)
}

func (p *program) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// find waits until the output matches and returns the groups.
func (p *program) find(pattern string) []string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	for late := time.After(patience); ; {
		if found := re.FindStringSubmatch(p.said()); found != nil {
			return found[1:]
		}
		select {
		case <-p.wrote:
		case <-p.exited:
			if !re.MatchString(p.said()) {
				p.t.Fatalf("it ended without saying %s:\n%s", pattern, p.said())
			}
		case <-late:
			p.t.Fatalf("it does not say %s:\n%s", pattern, p.said())
		}
	}
}

// end waits for the program and returns its exit code.
func (p *program) end() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatal("it does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

// stop ends the program as a service manager does.
func (p *program) stop() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	return p.end()
}

// output runs a command that must end well and returns what it printed.
func output(t *testing.T, input string, name string, args ...string) string {
	t.Helper()
	out, err := try(t, input, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// try is output for a command that may fail.
func try(t *testing.T, input string, name string, args ...string) (string, error) {
	t.Helper()
	return tryIn(t, "", input, name, args...)
}

// tryIn runs it in a folder.
func tryIn(t *testing.T, folder, input, name string, args ...string) (string, error) {
	t.Helper()
	need(t, name)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = folder
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		out = append(out, exit.Stderr...)
	}
	return string(out), err
}

// need skips the test where a command is not installed.
func need(t *testing.T, command string) {
	t.Helper()
	if _, err := exec.LookPath(command); err != nil {
		missing(t, command+" is not installed")
	}
}

// missing skips a test for want of something, or fails it where nothing may be missing.
func missing(t *testing.T, why string) {
	t.Helper()
	if told["LINEMAN_E2E_STRICT"] != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}
