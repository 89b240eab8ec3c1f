package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
)

// master is the program with the settings of the file, the environment and the flags of a command. What is wrong with
// them is the master's to tell: a process that a reload starts has no other way to the command reload.
func master(c *cobra.Command) *lineman.Master {
	loaded, err := loadToStart(c)
	if err != nil {
		return &lineman.Master{Err: err}
	}
	options, err := serverOptions(&loaded.Config)
	if err != nil {
		return &lineman.Master{Err: err}
	}
	return &lineman.Master{
		Workers:    []*lineman.Worker{server.New(loaded.Config, options).Worker()},
		LogHandler: loaded.Log.Handler, RelayTimeout: relayTimeout(&loaded.Config),
		OnStart: func() error {
			for _, w := range loaded.Warnings {
				slog.Warn("lineman: " + w)
			}
			return nil
		},
		OnReload: func() error {
			if fresh, err := load(c); err == nil { // else the process that does not start tells it
				for _, w := range needRestart(&loaded.Config, &fresh.Config) {
					slog.Warn("lineman: " + w)
				}
			}
			return nil
		},
	}
}

// needRestart tells what of changed settings a reload does not apply, because the master goes on with those of its
// start.
func needRestart(started, fresh *config.Config) (why []string) {
	if fresh.Log != started.Log {
		why = append(why, "log: the processes log as it says now; for the master, that needs a restart")
	}
	if fresh.Drain > started.Drain {
		why = append(why,
			fmt.Sprintf("drain: the master was started with %v, and allows no more: that needs a restart",
				started.Drain))
	}
	if fresh.Relay != started.Relay {
		why = append(why, fmt.Sprintf("relay: the master was started with %v: that needs a restart", started.Relay))
	}
	return why
}

// relayTimeout is the setting as the master has it.
func relayTimeout(c *config.Config) time.Duration {
	if c.Relay == 0 {
		return -1
	}
	return c.Relay
}

// serverOptions are what the server gets from the program beside its settings.
func serverOptions(c *config.Config) (o server.Options, err error) {
	o.Command, o.Out = called(), os.Stdout
	if o.TLS, err = tlsConfig(c.TLS); err != nil {
		return o, err
	}
	var among shared
	if len(c.Redis.Addresses) > 0 {
		broker, err := newBroker(c.Redis)
		if err != nil {
			return o, err
		}
		o.Broker, o.BrokerStats, o.BrokerWait, among = broker, brokerStats(broker), broker.Wait, broker
		o.Claim = broker.Claim
	}
	if c.KeepsJournal() {
		o.Journal = func() (server.Journal, error) { return openJournal(&c.History) }
	}
	if !c.Dev && c.Token.HasKey() {
		o.Credentials = func() (server.Credentials, error) { return openCredentials(c.Token, among) }
	}
	return o, nil
}

// called is how people call this program.
func called() string {
	if strings.Contains(os.Args[0], "go-build") {
		return "go run ./cmd/lineman"
	}
	return os.Args[0]
}

// settingsHelp is what the help of a command that runs the server says about settings.
const settingsHelp = `

Settings are read from lineman.yaml, the environment and flags, the later ones winning. These flags are those that are
needed most; "lineman config init" writes a file with all settings, "lineman config show" lists them with their values.`

func startCommand() *cobra.Command {
	var daemon bool
	c := &cobra.Command{
		Use: "start", Short: "Run the server", Long: "Run the server." + settingsHelp, Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if daemon {
				return master(c).Start(lineman.Daemon)
			}
			return master(c).Start(lineman.Foreground)
		},
	}
	c.Flags().BoolVarP(&daemon, "daemon", "d", false, "as a daemon, once it is ready")
	settingFlags(c)
	return c
}

func restartCommand() *cobra.Command {
	var daemon, foreground bool
	c := &cobra.Command{
		Use: "restart", Short: "Stop the server, and run it as it ran before", Args: noArguments,
		Long: "Stop the server, and run it as it ran before: in the foreground, or as a daemon. " +
			"If none runs, it is started in the foreground." + settingsHelp,
	}
	ending := endingFlag(c, "wait until the connections have ended by themselves")
	c.RunE = func(c *cobra.Command, _ []string) error {
		mode := lineman.AsBefore
		switch {
		case daemon && foreground:
			return &usageError{errors.New("--daemon and --foreground contradict each other: want one of them")}
		case daemon:
			mode = lineman.Daemon
		case foreground:
			mode = lineman.Foreground
		}
		return master(c).Restart(mode, ending())
	}
	c.Flags().BoolVarP(&daemon, "daemon", "d", false, "as a daemon, once it is ready")
	c.Flags().BoolVarP(&foreground, "foreground", "f", false, "in the foreground")
	settingFlags(c)
	return c
}

func stopCommand() *cobra.Command {
	c := &cobra.Command{Use: "stop", Short: "Stop the server", Args: noArguments}
	ending := endingFlag(c, "wait until the connections have ended by themselves")
	c.RunE = func(*cobra.Command, []string) error { return (&lineman.Master{}).Stop(ending()) }
	return c
}

func reloadCommand() *cobra.Command {
	var o lineman.ReloadOptions
	c := &cobra.Command{
		Use: "reload", Short: "Replace the processes by the program as it is now on disk", Args: noArguments,
		Long: "Replace the processes by the program as it is now on disk, with its settings read again, and tell " +
			"what that did:\nhow many connections were kept, how long they were not served, and why others drain. " +
			"If the new program fails,\nthe old one goes on, and the command says why.",
	}
	c.Flags().BoolVar(&o.Drain, "drain", false, "end the connections of the predecessors, and hand none over")
	c.Flags().BoolVar(&o.DryRun, "dry-run", false,
		"replace nothing: check the new program and its settings, and tell what a reload would do")
	ending := endingFlag(c, "connections that are not handed over end by themselves; their process stays until then")
	format := formatFlag(c, "for programs")
	c.RunE = func(c *cobra.Command, _ []string) error {
		o.Ending = ending()
		return (&lineman.Master{}).PrintReload(c.OutOrStdout(), o, format())
	}
	return c
}

// endingFlag is the flag for a graceful end, and what it says once it was parsed.
func endingFlag(c *cobra.Command, usage string) func() lineman.Ending {
	graceful := c.Flags().BoolP("graceful", "g", false, usage)
	return func() lineman.Ending {
		if *graceful {
			return lineman.Graceful
		}
		return lineman.Prompt
	}
}

func statusCommand() *cobra.Command {
	var watch bool
	c := &cobra.Command{Use: "status", Short: "Tell how the processes are", Args: noArguments}
	c.Flags().BoolVar(&watch, "watch", false, "again each second")
	format := formatFlag(c, "for programs")
	c.RunE = func(*cobra.Command, []string) error {
		if watch {
			return (&lineman.Master{}).WatchStatus(os.Stdout, format())
		}
		return (&lineman.Master{}).PrintStatus(os.Stdout, format())
	}
	return c
}

func connectionsCommand() *cobra.Command {
	c := &cobra.Command{Use: "connections", Short: "List the connections", Args: noArguments}
	format := formatFlag(c, "for programs, one a line")
	c.RunE = func(*cobra.Command, []string) error { return (&lineman.Master{}).PrintConnections(os.Stdout, format()) }
	return c
}

// formatFlag is the flag for JSON, and what it says once it was parsed.
func formatFlag(c *cobra.Command, usage string) func() lineman.Format {
	asJSON := c.Flags().Bool("json", false, usage)
	return func() lineman.Format {
		if *asJSON {
			return lineman.AsJSON
		}
		return lineman.AsTable
	}
}

func noArguments(c *cobra.Command, args []string) error {
	if err := cobra.NoArgs(c, args); err != nil {
		return &usageError{err}
	}
	return nil
}
