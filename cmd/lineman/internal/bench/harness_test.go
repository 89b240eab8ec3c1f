package bench_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"regexp"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lineman-go/lineman/cmd/lineman/internal/bench"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs the push server on free ports, and returns what a short run against it needs.
func start(t *testing.T, change func(*config.Config, *server.Options)) bench.Options {
	t.Helper()
	c := config.Default()
	c.Listen, c.Text.Listen, c.API.Listen, c.Admin.Listen = "127.0.0.1:0", "127.0.0.1:0", "", ""
	c.Dev = true
	var said bytes.Buffer
	o := server.Options{Out: &said, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if change != nil {
		change(&c, &o)
	}
	linemantest.Start(t, server.New(c, o).Worker())
	found := regexp.MustCompile(`pages on (ws://\S+), back ends on (\S+)\n`).FindSubmatch(said.Bytes())
	if found == nil {
		t.Fatalf("the greeting is %q", said.String())
	}
	return options(string(found[1]), string(found[2]))
}

// options are those of a short run of 50 pages.
func options(url, text string) bench.Options {
	return bench.Options{
		URL: url, Text: text, Identities: bench.Named("bench-{n}", 50), Mode: bench.ModeUID,
		For: 200 * time.Millisecond, Size: 128, Patience: time.Minute,
	}
}

// run bounds a run.
func run(t *testing.T, o bench.Options) (*bench.Report, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return bench.Run(ctx, o)
}
