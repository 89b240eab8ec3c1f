package lineman

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/lineman-go/lineman/internal/program"
)

// Main runs the command on the program's command line, on workers in processes of their own, and exits. Without a
// command it runs them in the foreground. Flags of the application stand before the command, parsed by package flag
// before Main is called.
//
//	start [-d]                   in the foreground, or as a daemon once every process is ready
//	stop [-g]                    end it; -g waits for the connections to end by themselves
//	restart [-d|-f] [-g]         stop, then start as it ran before; -d: as a daemon, -f: in the foreground
//	reload [-g] [--json]         replace the processes by new ones of the program as it is now on disk
//	  --drain                    end their connections, and hand none over
//	  --dry-run                  replace nothing: tell what a reload would do, and why it would fail
//	status [--watch] [--json]    how the processes are
//	connections [--json]         which connections they have
//
// Exit codes are those of ExitCode. A Master has more settings, and a method for each command.
func Main(workers ...*Worker) { (&Master{Workers: workers}).Main() }

// Main is the function Main for these settings.
func (m *Master) Main() {
	args := os.Args[1:]
	if flag.Parsed() {
		args = flag.Args()
	}
	err := m.command(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %s\n", m.name(), strings.TrimPrefix(err.Error(), "lineman: "))
	}
	if errors.Is(err, ErrUsage) {
		fmt.Fprintf(os.Stderr, "\n%s", m.usage())
	}
	os.Exit(ExitCode(err))
}

func (m *Master) usage() string {
	return strings.ReplaceAll(`usage: NAME [flags of the program] [command]

  start [-d]                   run in the foreground; -d: as a daemon, once every process is ready
  stop [-g]                    end it; -g: when its connections have ended by themselves
  restart [-d|-f] [-g]         stop, then start as it ran before; -d: as a daemon, -f: in the foreground
  reload [-g] [--json]         replace the processes by new ones of the program as it is now on disk
    --drain                    end their connections, and hand none over
    --dry-run                  replace nothing: tell what a reload would do, and why it would fail
  status [--watch] [--json]    how the processes are
  connections [--json]         which connections they have
  version, help

Without a command it runs in the foreground and writes no files.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not running, 4 already running.
`, "NAME", m.name())
}

// command runs what a command line says.
func (m *Master) command(args []string) error {
	if len(args) == 0 {
		return m.Run()
	}
	o := options{FlagSet: flag.NewFlagSet(args[0], flag.ContinueOnError)}
	o.SetOutput(io.Discard)
	var run func() error
	switch args[0] {
	case "start":
		o.BoolVar(&o.daemon, "d", false, "")
		run = func() error { return m.Start(o.mode(Foreground)) }
	case "stop":
		o.BoolVar(&o.graceful, "g", false, "")
		run = func() error { return m.Stop(o.ending()) }
	case "restart":
		o.BoolVar(&o.daemon, "d", false, "")
		o.BoolVar(&o.foreground, "f", false, "")
		o.BoolVar(&o.graceful, "g", false, "")
		run = func() error { return m.restartAs(&o) }
	case "reload":
		o.BoolVar(&o.graceful, "g", false, "")
		o.BoolVar(&o.drain, "drain", false, "")
		o.BoolVar(&o.dryRun, "dry-run", false, "")
		o.BoolVar(&o.json, "json", false, "")
		run = func() error { return m.PrintReload(os.Stdout, o.reload(), o.format()) }
	case "status":
		o.BoolVar(&o.watch, "watch", false, "")
		o.BoolVar(&o.json, "json", false, "")
		run = func() error { return m.showStatus(&o) }
	case "connections":
		o.BoolVar(&o.json, "json", false, "")
		run = func() error { return m.PrintConnections(os.Stdout, o.format()) }
	case "version", "--version", "-version":
		run = func() error { _, err := fmt.Println(m.name(), Version()); return err }
	case "help", "--help", "-help", "-h":
		run = m.help
	default:
		return program.Usage("unknown command %q", args[0])
	}
	switch err := o.Parse(args[1:]); {
	case errors.Is(err, flag.ErrHelp):
		return m.help()
	case err != nil:
		return program.Usage("%s: %v", args[0], err)
	case o.NArg() > 0:
		return program.Usage("%s takes no argument %q: flags of the program stand before the command",
			args[0], o.Arg(0))
	}
	return run()
}

// options are the flags of a command.
type options struct {
	*flag.FlagSet
	daemon, foreground, graceful, drain, dryRun, watch, json bool
}

// mode is what the flags say, or otherwise.
func (o *options) mode(otherwise Mode) Mode {
	switch {
	case o.daemon:
		return Daemon
	case o.foreground:
		return Foreground
	}
	return otherwise
}

func (o *options) ending() Ending {
	if o.graceful {
		return Graceful
	}
	return Prompt
}

func (o *options) reload() ReloadOptions {
	return ReloadOptions{Ending: o.ending(), Drain: o.drain, DryRun: o.dryRun}
}

func (o *options) format() Format {
	if o.json {
		return AsJSON
	}
	return AsTable
}

func (m *Master) restartAs(o *options) error {
	if o.daemon && o.foreground {
		return program.Usage("restart: -d and -f contradict each other: want one of them")
	}
	return m.Restart(o.mode(AsBefore), o.ending())
}

func (m *Master) showStatus(o *options) error {
	if o.watch {
		return m.WatchStatus(os.Stdout, o.format())
	}
	return m.PrintStatus(os.Stdout, o.format())
}

func (m *Master) help() error {
	_, err := fmt.Print(m.usage())
	return err
}

// Version is the version of the program and that of Lineman in it, as far as the build has recorded them.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown version)"
	}
	text := info.Main.Version
	for _, d := range info.Deps {
		if d.Path == "github.com/lineman-go/lineman" {
			text += ", Lineman " + d.Version
		}
	}
	return fmt.Sprintf("%s, %s", text, info.GoVersion)
}

// programVersion is that of the program, as it was built.
func programVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown version)"
	}
	return cmp.Or(info.Main.Version, "(unknown version)")
}

// linemanVersion is the version of this package in the program.
func linemanVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == "github.com/lineman-go/lineman" {
				return "Lineman/" + d.Version
			}
		}
	}
	return "Lineman/(devel)"
}
