package bench_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/bench"
)

// TestCheck refuses what is unbounded, and what cannot be measured.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*bench.Options)
		want   string // of the error; empty means that there is none
	}{
		{"right", func(*bench.Options) {}, ""},
		{"no pages", func(o *bench.Options) { o.Identities = bench.Named("x-{n}", -1) }, "at least one"},
		{"too many pages", func(o *bench.Options) { o.Identities = bench.Named("x-{n}", math.MaxInt) },
			"ip_local_port_range"},
		{"one uid for all", func(o *bench.Options) { o.Identities = bench.Named("uid1", 2) },
			"{n} is the connection's number"},
		{"no uid", func(o *bench.Options) { o.Identities = bench.Named("", 1) }, "1 to 255 bytes"},
		{"mode", func(o *bench.Options) { o.Mode = "both" }, "want uid or all"},
		{"rate", func(o *bench.Options) { o.Rate = -1 }, "as fast as it goes"},
		{"no rate", func(o *bench.Options) { o.Rate = math.NaN() }, "as fast as it goes"},
		{"no time", func(o *bench.Options) { o.For = 0 }, "more than 0"},
		{"too long", func(o *bench.Options) { o.For = time.Hour }, "at most 10m"},
		{"too large", func(o *bench.Options) { o.Size = 1 << 20 }, "at most 32768"},
		{"source", func(o *bench.Options) { o.From = "localhost" }, "127.0.0.2"},
		{"text", func(o *bench.Options) { o.Text = "5678" }, "want host:port"},
		{"URL", func(o *bench.Options) { o.URL = "http://127.0.0.1:1234" }, "want ws://"},
		{"no URL", func(o *bench.Options) { o.URL = "127.0.0.1:1234" }, "want ws://"},
	} {
		o := options("wss://example.com/live", "127.0.0.1:5678")
		c.change(&o)
		err := o.Check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestRemote is what is not of this machine.
func TestRemote(t *testing.T) {
	const here, lines = "ws://localhost:1234/live", "127.0.0.1:5678"
	for _, c := range []struct{ url, text, want string }{
		{here, lines, ""},
		{"wss://[::1]", "[::1]:5678", ""},
		{"wss://example.com", lines, "wss://example.com"},
		{"ws://127.0.0.1.example.com:1234", lines, "ws://127.0.0.1.example.com:1234"},
		{here, "10.0.0.1:5678", "10.0.0.1:5678"},
	} {
		o := options(c.url, c.text)
		if got := o.Remote(); got != c.want {
			t.Errorf("%s and %s: %q, want %q", c.url, c.text, got, c.want)
		}
	}
}

// TestReadIdentities reads as many lines as are wanted.
func TestReadIdentities(t *testing.T) {
	for _, c := range []struct {
		text, last, error string
		n                 int
	}{
		{"7 a.b.c\nbench-2\tx\nnot read", "bench-2=x", "", 2},
		{"7 a.b.c\n", "", "2 connections want as many lines of credentials, and there are 1", 2},
		{"7 a.b.c\n8\n", "", "line 2 of the credentials: want a uid, a space", 2},
		{"7 " + strings.Repeat("x", 1<<20), "", "too long", 1},
	} {
		all, err := bench.ReadIdentities(strings.NewReader(c.text), c.n)
		if c.error != "" {
			if err == nil || !strings.Contains(err.Error(), c.error) {
				t.Errorf("%.20q: %v, want %q", c.text, err, c.error)
			}
			continue
		}
		if err != nil || len(all) != c.n || all[c.n-1].UID+"="+all[c.n-1].Credential != c.last {
			t.Errorf("%.20q: %v, %v", c.text, all, err)
		}
	}
}
