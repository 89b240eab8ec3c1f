package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
)

// settings are the flags of start and restart.
type settings struct {
	listen, text string
	dev          bool
	origins      []string
	cookie       string
	cert, key    string
	daemon       bool
	graceful     bool
}

func (s *settings) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&s.listen, "listen", "127.0.0.1:1234", "`host:port` for browsers")
	f.StringVar(&s.text, "text", "127.0.0.1:5678", "`host:port` for back ends")
	f.BoolVar(&s.dev, "dev", false, "a page is whoever it says it is; the default on loopback")
	f.StringSliceVar(&s.origins, "origin", nil, "`origin` of pages that may connect, beside those of the same host; may be repeated")
	f.StringVar(&s.cookie, "cookie", "", "`name` of a cookie that may carry the credential")
	f.StringVar(&s.cert, "tls-cert", "", "`file` of a certificate, for https and wss; read again when it changes")
	f.StringVar(&s.key, "tls-key", "", "`file` of its key")
	f.BoolVarP(&s.daemon, "daemon", "d", false, "as a daemon, once it is ready")
}

// master is the program with these settings.
func (s *settings) master() (*lineman.Master, error) {
	c := server.Config{
		Listen: s.listen, Text: s.text, Dev: s.dev || server.Loopback(s.listen), Origins: s.origins, Cookie: s.cookie,
		Cert: s.cert, Key: s.key,
		Command: called(), Out: os.Stdout,
	}
	if c.Dev {
		c.Origins = append(c.Origins, "null") // a page that was opened from a file
	}
	srv, err := server.New(c)
	if err != nil {
		return nil, err
	}
	return &lineman.Master{Workers: []*lineman.Worker{srv.Worker()}}, nil
}

// called is how people call this program.
func called() string {
	if strings.Contains(os.Args[0], "go-build") {
		return "go run ./cmd/lineman"
	}
	return os.Args[0]
}

func startCommand() *cobra.Command {
	s := &settings{}
	c := &cobra.Command{
		Use: "start", Short: "Run the server", Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			m, err := s.master()
			if err != nil {
				return err
			}
			return m.Start(s.daemon)
		},
	}
	s.flags(c)
	return c
}

func restartCommand() *cobra.Command {
	s := &settings{}
	c := &cobra.Command{
		Use: "restart", Short: "Stop the server, and run it", Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			m, err := s.master()
			if err != nil {
				return err
			}
			return m.Restart(s.daemon, s.graceful)
		},
	}
	s.flags(c)
	c.Flags().BoolVarP(&s.graceful, "graceful", "g", false, "wait until the connections have ended by themselves")
	return c
}

func stopCommand() *cobra.Command {
	var graceful bool
	c := &cobra.Command{
		Use: "stop", Short: "Stop the server", Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return (&lineman.Master{}).Stop(graceful) },
	}
	c.Flags().BoolVarP(&graceful, "graceful", "g", false, "wait until the connections have ended by themselves")
	return c
}

func reloadCommand() *cobra.Command {
	var graceful bool
	c := &cobra.Command{
		Use: "reload", Short: "Replace the processes by the program as it is now on disk", Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return (&lineman.Master{}).Reload(graceful) },
	}
	c.Flags().BoolVarP(&graceful, "graceful", "g", false, "predecessors stay until their connections have ended by themselves")
	return c
}

func statusCommand() *cobra.Command {
	var watch, asJSON bool
	c := &cobra.Command{
		Use: "status", Short: "Tell how the processes are", Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return (&lineman.Master{}).PrintStatus(os.Stdout, watch, asJSON) },
	}
	c.Flags().BoolVar(&watch, "watch", false, "again each second")
	c.Flags().BoolVar(&asJSON, "json", false, "for programs")
	return c
}

func connectionsCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "connections", Short: "List the connections", Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return (&lineman.Master{}).PrintConnections(os.Stdout, asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "for programs, one a line")
	return c
}

func noArguments(c *cobra.Command, args []string) error {
	if err := cobra.NoArgs(c, args); err != nil {
		return &usageError{err}
	}
	return nil
}
