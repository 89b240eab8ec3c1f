package lineman

import (
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/lineman-go/lineman/internal/program"
)

// A Master runs workers in processes of their own, which it starts, watches, replaces and stops, and answers the
// commands about them. The zero value, with Workers, does what most programs want; Main uses it. Its fields must not
// change once a method was called.
//
// Each process is the program itself, started again with the same arguments: everything before the call of Main, Start
// or Run happens in each of them, and that call does not return there. The master opens every listening socket, those
// of Loop.Listen too, and keeps it open while processes come and go. It runs no callback of a Worker.
//
// An instance is known by its files. A command finds the instance that was started with the same names, from any
// process.
type Master struct {
	Workers []*Worker

	// Err is why the program cannot run, such as a configuration that cannot be read; nil if it can. Start, Restart and
	// Run return it. In a process of a running master it is the error of the start or the reload that wants the
	// process, and the predecessor goes on: a program that exits by itself instead can tell nobody but the log.
	Err error

	// LogHandler makes the default of package slog, in the master and in its processes, unless the application has set
	// one: it is to write to w, each line by one call. nil means slog.NewTextHandler.
	LogHandler func(w io.Writer) slog.Handler

	Name    string // in messages and file names; empty means the program's base name
	PIDFile string // locked while the program runs; empty means ./NAME.pid
	Socket  string // for commands, open to this user and root only; empty means ./NAME.sock
	LogFile string // appended to, reopened at SIGHUP; a regular file, or os.DevNull for none; empty means ./NAME.log

	// Limits of time; 0 means the default, and a negative one none.
	StartTimeout    time.Duration // for each step of a process's start, such as OnStart; 0 means 60 s
	StopTimeout     time.Duration // from stop to kill; 0 means 5 s, and what the longest Limits.Drain needs
	ReloadTimeout   time.Duration // for a predecessor to finish what was begun; 0 means 2 s, likewise
	GracefulTimeout time.Duration // for connections to end by themselves, with -g; 0 means 10 min
	RelayTimeout    time.Duration // for a predecessor to relay connections under TLS to its successor; 0 means 24 h
	HangTimeout     time.Duration // a process whose loop stands still for so long is killed and replaced; 0 means 60 s

	// RelayProcesses is how many predecessors of a process may relay connections to its successors at a time: after
	// more reloads the oldest one ends, and so do the connections that it relays. 0 means 4; below zero there is no
	// limit.
	RelayProcesses int

	// Hooks run in the master, one at a time, never on a loop. They should be short: nothing is supervised meanwhile.
	// The master's variables are none of the workers'. On Linux, after a reload from another file, the master's process
	// goes on as that program: with variables of its own, and without OnStart.
	OnStart  func() error // before the first process; an error is a failed start
	OnReload func() error // before a reload; an error is a failed reload
	OnStop   func()       // last of all, when every process has ended
	OnExit   func(Exit)   // when a process has ended, for whatever reason
}

// A Mode is how a program runs.
type Mode int

// The modes of Start and Restart.
const (
	Foreground Mode = iota // until it is stopped, interrupted, or its terminal ends
	Daemon                 // in the background, with its log as its standard output
	AsBefore               // as the program that Restart ends; Foreground if none runs
)

// An Ending is what happens to the connections of processes that end: Prompt within StopTimeout, or ReloadTimeout in a
// reload, Graceful within GracefulTimeout.
type Ending int

// The endings of Stop, Restart and Reload.
const (
	Prompt   Ending = iota // they are told goodbye; in a reload, each when what it has begun is finished
	Graceful               // they end by themselves
)

// A Format is how PrintStatus, WatchStatus and PrintConnections write.
type Format int

// The formats.
const (
	AsTable Format = iota // for people
	AsJSON                // for programs, one object a line
)

// Exit tells how a worker process ended.
type Exit struct {
	Worker string // its name
	ID     int
	PID    int
	Code   int    // exit code; -1 if a signal ended it
	Signal string // such as "9 (killed)"; empty if none did
}

// Errors of commands. ExitCode gives each its code.
var (
	ErrNotRunning = program.ErrNotRunning
	ErrRunning    = program.ErrRunning
	ErrUsage      = program.ErrUsage
)

// ExitCode is what a program ends with after a command: 0 done, 1 failed, 2 wrong usage, 3 not running, 4 already
// running.
func ExitCode(err error) int { return program.ExitCode(err) }

// instance is the program that the commands are about.
func (m *Master) instance() program.Instance {
	i := program.Instance{Name: m.Name, PIDFile: m.PIDFile, Socket: m.Socket, LogFile: m.LogFile}
	return i.Resolve()
}

// name is what the instance is called.
func (m *Master) name() string { return m.instance().Name }

// check finds what is wrong with the workers, before anything is started.
func (m *Master) check() error {
	if m.Err != nil {
		return m.Err
	}
	if len(m.Workers) == 0 {
		return errors.New("lineman: nothing to run: give Main a worker")
	}
	l := &Loop{log: slog.Default()}
	for _, w := range m.Workers {
		if _, err := l.serviceOf(w); err != nil {
			return err
		}
	}
	return nil
}

// count is how many processes a worker has.
func (w *Worker) count() int { return max(w.Count, 1) }
