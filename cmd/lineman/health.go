package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
)

// healthTime is how long a server may take to say how it is.
const healthTime = 5 * time.Second

func healthCommand() *cobra.Command {
	var ready bool
	c := &cobra.Command{
		Use: "health", Short: "Ask the server of these settings whether it serves", Args: noArguments,
		Long: `Ask the server that runs here with these settings whether it serves: /health on its port for pages. With
--ready, ask whether it takes pages: /ready.

It prints the answer, and exits with 1 if that is not good, or does not come within 5 s. It is for supervisors that run
a command: HEALTHCHECK of a container, an exec probe.`,
		RunE: func(c *cobra.Command, _ []string) error {
			loaded, err := load(c)
			if err != nil {
				return err
			}
			path := "/health"
			if ready {
				path = "/ready"
			}
			said, err := askHealth(c.Context(), &loaded.Config, path)
			if err == nil {
				fmt.Fprintln(c.OutOrStdout(), said)
			}
			return err
		},
	}
	settingFlags(c)
	c.Flags().BoolVar(&ready, "ready", false, "ask whether it takes pages: not while it drains, or has lost Redis")
	return c
}

// askHealth asks the port for pages, and returns its answer if that is good.
func askHealth(ctx context.Context, c *config.Config, path string) (said string, err error) {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	scheme, name := "http://", "localhost"
	switch {
	case len(c.TLS.Auto) > 0:
		scheme, name = "https://", c.TLS.Auto[0] // there is no certificate for another name
	case c.TLS.Cert != "":
		scheme = "https://"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+name+path, nil)
	if err != nil {
		return "", err
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, c.Listen) // an address of all is this machine
		},
		// Pages come by other names. Who answers at an address of this machine is not in doubt.
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return "", fmt.Errorf("no answer from %s: %w", c.Listen, bare(err))
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	said = strings.TrimSpace(string(text))
	switch {
	case err != nil:
		return "", fmt.Errorf("no whole answer from %s: %w", c.Listen, bare(err))
	case answer.StatusCode != http.StatusOK:
		return "", fmt.Errorf("%s answers %s: %s", path, answer.Status, said)
	}
	return said, nil
}
