package main

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/doctor"
	"github.com/lineman-go/lineman/push/hook"
)

func doctorCommand() *cobra.Command {
	var connections int
	var asJSON bool
	c := &cobra.Command{
		Use: "doctor", Short: "Tell what this machine lacks for the server, and the fix", Args: noArguments,
		Long: `Check whether this machine is fit for the server, as ` + "`lineman start`" +
			` with the same flags and the same environment
would run it: limits, settings of the kernel, ports, clock, certificate, Redis, hooks. It prints what was found and,
where that is not good, a fix to paste.

  ok     as it should be
  warn   the server runs, but not as well as it could, or not under load
  fail   it does not start, or cannot do what is wanted; then the exit code is 1

Nothing is changed: a hook is told an empty list of events, or is asked who a page is that shows nothing. It sees what
the user sees who runs it: run it as the server's.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if connections < 0 {
				return &usageError{fmt.Errorf("--connections %d: want a number of pages", connections)}
			}
			loaded, err := load(c)
			if err != nil {
				return err
			}
			options := examined(&loaded.Config, connections)
			options.Files = append(fileProblems(loaded), (&lineman.Master{}).CheckFiles())
			options.Warnings = loaded.Warnings
			return tell(c.OutOrStdout(), doctor.Examine(doctor.This(), options), asJSON)
		},
	}
	settingFlags(c)
	c.Flags().IntVar(&connections, "connections", 0,
		"`pages` that it is to be fit for; 0 means limits.connections, or 10000 if that is not set")
	c.Flags().BoolVar(&asJSON, "json", false, "for programs")
	return c
}

// examined is what the settings want of a machine.
func examined(c *config.Config, connections int) doctor.Options {
	ports := []doctor.Port{
		{Flag: "listen", Addr: c.Listen}, {Flag: "text", Addr: c.Text.Listen}, {Flag: "api", Addr: c.API.Listen},
	}
	for process := range c.Count {
		ports = append(ports, doctor.Port{Flag: "admin", Addr: c.Admin.At(process)})
	}
	connections = cmp.Or(connections, c.Count*c.Limits.Connections, 10_000)
	return doctor.Options{
		Connections: connections,
		Descriptors: c.Files(connections),
		Processes:   c.Count,
		Ports:       ports,
		Queued:      c.Count * c.Limits.Memory,
		Cert:        c.TLS.Cert, Key: c.TLS.Key,
		Redis: examinedRedis(c),
		Hooks: examinedHooks(c),
	}
}

// examinedHooks are the URLs that the settings name.
func examinedHooks(c *config.Config) (all []doctor.Hook) {
	for _, name := range slices.Sorted(maps.Keys(c.Hooks)) {
		h := c.Hooks[name]
		all = append(all, doctor.Hook{
			Endpoint: hook.Endpoint{
				Name: name, URL: h.URL, Secrets: h.Secrets, Private: h.Private, Timeout: h.Timeout,
			},
			Tells: len(h.Events) > 0, Decides: h.Decides,
		})
	}
	return all
}

// examinedRedis is where the settings say that nodes meet.
func examinedRedis(all *config.Config) doctor.Redis {
	c, apps := &all.Redis, len(all.PusherApps()) > 0 // whose channels keep and know something
	r := doctor.Redis{
		Addresses: c.Addresses, Master: c.Master, Cluster: c.Cluster, Database: c.Database, Prefix: c.Prefix,
		User: c.User, Password: c.Password, SentinelUser: c.SentinelUser, SentinelPassword: c.SentinelPassword,
		History: apps || all.KeepsHistory(), Presence: apps || all.KnowsPresence(),
	}
	if c.TLS {
		r.TLS = func() (*tls.Config, error) { return redisTLS(*c) }
	}
	return r
}

// tell writes what was found. If a check has failed, that is an error.
func tell(w io.Writer, all []doctor.Finding, asJSON bool) error {
	var err error
	if asJSON {
		err = writeJSON(w, all)
	} else {
		err = doctor.Print(w, all)
	}
	if n := doctor.Failed(all); err == nil && n > 0 {
		err = fmt.Errorf("doctor: %d of %d checks have failed", n, len(all))
	}
	return err
}
