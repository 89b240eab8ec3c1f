package bench_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/bench"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
)

// TestUID publishes to one uid after the other: each publication arrives once.
func TestUID(t *testing.T) {
	r, err := run(t, start(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Err(); err != nil || r.Interrupted {
		t.Errorf("%+v, %v", r, err)
	}
	if r.Connections != 50 || r.Published == 0 || r.Delivered != r.Published || r.Connects <= 0 || r.Publishes <= 0 ||
		r.Deliveries <= 0 {
		t.Errorf("%+v", r)
	}
	if l := r.Latency; l.P50 <= 0 || l.P50 > l.P99 || l.P99 > l.Max {
		t.Errorf("latencies: %+v", l)
	}
}

// TestAll publishes to everyone: each publication arrives at each page.
func TestAll(t *testing.T) {
	o := start(t, nil)
	o.Mode = bench.ModeAll
	r, err := run(t, o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Err() != nil || r.Published == 0 || r.Delivered != 50*r.Published {
		t.Errorf("%+v", r)
	}
}

// TestRate publishes no more than is wanted.
func TestRate(t *testing.T) {
	o := start(t, nil)
	o.Rate, o.For = 100, 300*time.Millisecond
	r, err := run(t, o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Err() != nil || r.Published < 1 || float64(r.Published) > 100*r.Seconds+2 || r.Delivered != r.Published {
		t.Errorf("%+v", r)
	}
}

// TestInterrupted tells what there was.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	o := fake(t, func(n int, c *lineman.Conn, line []byte) {
		send(c, line)
		if n == 100 {
			cancel()
		}
	})
	o.For = time.Minute
	r, err := bench.Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Interrupted || r.Published < 100 || r.Connections != 50 || r.Err() != nil {
		t.Errorf("%+v", r)
	}
	var said bytes.Buffer
	if err := r.Print(&said); err != nil || !strings.Contains(said.String(), "Interrupted") {
		t.Errorf("%v: %s", err, said.String())
	}
}

// strict believes nobody whose credential is not a secret and the uid.
type strict struct{}

func (strict) IsQuick() bool { return true }

func (strict) Verify(_ context.Context, credential string) (server.Identity, error) {
	uid, ok := strings.CutPrefix(credential, "secret-")
	if !ok {
		return server.Identity{}, errors.New("no secret")
	}
	return server.Identity{UID: uid}, nil
}

func (strict) Revoke(context.Context, string, time.Time) error { return nil }
func (strict) Learn(string, time.Time)                         {}
func (strict) Revoked() map[string]int64                       { return nil }
func (strict) Refresh(context.Context) ([]string, bool, error) { return nil, false, nil }
func (strict) Close() error                                    { return nil }

// protect has pages and back ends prove who they are.
func protect(c *config.Config, o *server.Options) {
	c.Dev, c.Text.Auth = false, true
	c.API.Keys = []config.Key{{Name: "bench", Key: "a key of sixteen characters", Scopes: []string{"publish", "read"}}}
	o.Credentials = func() (server.Credentials, error) { return strict{}, nil }
}

// TestCredentials says who pages and back end are.
func TestCredentials(t *testing.T) {
	o := start(t, protect)
	o.Key = "a key of sixteen characters"
	for i := range o.Identities {
		o.Identities[i].Credential = "secret-" + o.Identities[i].UID
	}
	if r, err := run(t, o); err != nil || r.Err() != nil || r.Delivered == 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// closed is an address at which nobody listens.
func closed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestRefused says what to do.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T) bench.Options
		want    string
	}{
		{"no server", func(t *testing.T) bench.Options { return options("ws://"+closed(t), closed(t)) },
			"start it by lineman start, or say where its port for lines is by --text: connection refused"},
		{"no pages", func(t *testing.T) bench.Options {
			o := start(t, nil)
			o.URL = "ws://" + closed(t)
			return o
		}, "start it by lineman start, or say where it is by --url"},
		{"another port", func(t *testing.T) bench.Options {
			o := start(t, nil)
			o.Text = strings.TrimPrefix(o.URL, "ws://")
			o.Key = "any"
			return o
		}, "is no port for lines of Lineman"},
		{"no key", func(t *testing.T) bench.Options {
			o := start(t, protect)
			for i := range o.Identities {
				o.Identities[i].Credential = "secret-" + o.Identities[i].UID
			}
			return o
		}, "--key-file or LINEMAN_KEY"},
		{"wrong key", func(t *testing.T) bench.Options {
			o := start(t, protect)
			o.Key = "another key of sixteen characters"
			return o
		}, "--key-file or LINEMAN_KEY"},
		{"wrong credential", func(t *testing.T) bench.Options {
			o := start(t, protect)
			o.Key = "a key of sixteen characters"
			return o
		}, "--credentials-file FILE"},
		{"too many", func(t *testing.T) bench.Options {
			return start(t, func(c *config.Config, _ *server.Options) { c.Limits.Connections = 20 })
		}, "of 50 have come: see limits"},
		{"of two servers", func(t *testing.T) bench.Options {
			o := start(t, nil)
			o.Text, o.Patience = start(t, nil).Text, 2*time.Second
			return o
		}, "are they of one server?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if r, err := run(t, c.prepare(t)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v, %v, want %q", r, err, c.want)
			}
		})
	}
}
