//go:build unix

package program

import (
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/lineman-go/lineman/internal/master"
)

// A Program is what an application makes of it: which instance, what it runs, within which times, and its hooks.
type Program struct {
	Instance // resolved

	Err     error                                // why it cannot run; nil if it can
	Workers func() ([]master.Worker, error)      // what it runs, once that was checked
	Explain func(worker int, failed error) error // says why a worker's address cannot be listened on
	Work    func(control *os.File) (code int)    // is the life of a worker process, to its exit code
	Limits  master.Limits

	LogHandler func(io.Writer) slog.Handler // nil means text

	// Hooks, nil for none. They run one at a time.
	OnStart  func() error
	OnReload func() error
	OnStop   func()
	OnExit   func(master.Exit)

	// What the commands status and connections tell, as it goes into JSON.
	TellStatus func(State) any
	TellConns  func(worker string, id, pid int, page json.RawMessage) (any, error)
}

// State is how a running program is.
type State struct {
	master.Snapshot
	Began   time.Time
	Reloads int
}

// Variables that tell a process what it was started for: each is the number of a descriptor. They are taken out of the
// environment before anything of the application's runs in Main.
const (
	workerVariable = "LINEMAN_WORKER" // the channel to the master
	daemonVariable = "LINEMAN_DAEMON" // where to report how the start went
	masterVariable = "LINEMAN_MASTER" // the state of the master that this process was until now
)

// Started reports whether this process was started by a program that runs, as a worker or as a daemon, or was such a
// program until now.
func Started() bool {
	return os.Getenv(workerVariable) != "" || os.Getenv(daemonVariable) != "" || os.Getenv(masterVariable) != ""
}

// Run runs the program in the foreground to its end. It writes no files and takes no commands.
func (p *Program) Run() error { return p.live(false, nil) }

// Start runs the program, with its files and commands, to its end.
func (p *Program) Start() error { return p.live(true, inherited(daemonVariable)) }

// StartDaemon starts the program in the background, and returns when it is ready or has failed. In a process that was
// started by a program it is Start.
func (p *Program) StartDaemon() error {
	if Started() {
		return p.Start()
	}
	return p.daemonize()
}

// live is the life of a master or, in a process that a master has started, of that process. report is where a daemon
// tells how its start went; nil in the foreground.
func (p *Program) live(files bool, report *os.File) error {
	if control := inherited(workerVariable); control != nil {
		os.Exit(p.Work(control))
	}
	if state := inherited(masterVariable); state != nil {
		return p.goOn(state)
	}
	if p.Err != nil && report == nil {
		return p.Err
	}
	r := &running{Program: p, report: report, daemon: report != nil, files: files, log: &Log{}, began: time.Now()}
	if r.daemon {
		r.log.BecomeDaemon()
	}
	err := r.run()
	if err != nil && report != nil {
		r.tell(err)
	}
	return err
}

// inherited is the file that a variable names, or nil.
func inherited(variable string) *os.File {
	text, ok := os.LookupEnv(variable)
	if !ok {
		return nil
	}
	_ = os.Unsetenv(variable) // it has a name
	fd, err := strconv.Atoi(text)
	if err != nil {
		return nil
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), variable)
}
