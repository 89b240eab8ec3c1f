package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/lineman-go/lineman/internal/resp"
)

// A connection over which nothing comes is asked for a sign of life, and given up if none comes: after 5 s at most.
const (
	askAfter    = time.Second // twice that if something has just come
	giveUpAfter = 3 * time.Second

	// stuckAfter is how long the client waits for the answer to its sign of life while other things come, as from a
	// busy server.
	stuckAfter = 15 * time.Second
)

// dialer makes the connections of a link. They all end with its context.
type dialer struct {
	ctx      context.Context
	options  *Options
	counters *counters

	mu      sync.Mutex // guards the following
	current context.Context
	renew   context.CancelFunc // ends all connections that were made with the current context
}

func newDialer(ctx context.Context, b *Broker) *dialer {
	d := &dialer{ctx: ctx, options: &b.options, counters: &b.counters}
	d.current, d.renew = context.WithCancel(ctx)
	return d
}

// reset ends all connections. New ones go to where the server is by now.
func (d *dialer) reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.renew()
	d.current, d.renew = context.WithCancel(d.ctx)
}

// lifetime is the context of a connection that is made now.
func (d *dialer) lifetime() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.current
}

// client makes the client that sends commands. It connects, so it may take some seconds.
func (d *dialer) client() (rueidis.Client, error) {
	c, err := rueidis.NewClient(d.settings(d.options.Addresses, d.dial))
	if err != nil && c != nil {
		c.Close() // one that could not connect
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// settings are those of a connection that has its own commands only, none of which may be done twice.
func (d *dialer) settings(addresses []string, dial dialFunc) rueidis.ClientOption {
	const buffer = 32 << 10
	return rueidis.ClientOption{
		InitAddress:         addresses,
		ForceSingleClient:   !d.options.Cluster,
		Username:            d.options.Username,
		Password:            d.options.Password,
		SelectDB:            d.options.Database,
		TLSConfig:           d.options.TLS,
		DialCtxFn:           dial,
		Dialer:              net.Dialer{Timeout: giveUpAfter, KeepAlive: askAfter},
		ConnWriteTimeout:    stuckAfter,
		ReadBufferEachConn:  buffer,
		WriteBufferEachConn: buffer,
		RingScaleEachConn:   8,
		PipelineMultiplex:   -1,
		ClientSetInfo:       rueidis.DisableClientSetInfo,
		DisableCache:        true,
		DisableRetry:        true,
	}
}

type dialFunc = func(ctx context.Context, address string, d *net.Dialer, t *tls.Config) (net.Conn, error)

// dial connects to a server: with sentinels, to the one that they name now.
func (d *dialer) dial(ctx context.Context, address string, nd *net.Dialer, t *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.ctx, cancel)()
	if d.options.Master != "" {
		master, err := d.master(ctx)
		if err != nil {
			return nil, err
		}
		address = master
	}
	return d.connect(ctx, address, nd, t)
}

// connect makes a connection that is counted, and guarded: the client could not bear everything that a server can say.
func (d *dialer) connect(ctx context.Context, address string, nd *net.Dialer, t *tls.Config) (net.Conn, error) {
	lifetime := d.lifetime()
	var c net.Conn
	var err error
	if t != nil {
		c, err = (&tls.Dialer{NetDialer: nd, Config: t}).DialContext(ctx, "tcp", address)
	} else {
		c, err = nd.DialContext(ctx, "tcp", address)
	}
	if err != nil {
		return nil, err
	}
	forgetful(c)
	bare := &counted{Conn: c, counters: d.counters, forget: context.AfterFunc(lifetime, func() { _ = c.Close() })}
	return resp.New(bare, giveUpAfter), nil
}

// forgetful makes a connection drop what it has not sent when it ends. Otherwise the system would try to send it for
// minutes. When a network that was cut is whole again, it would come after what the next connection carries.
func forgetful(c net.Conn) {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // else it is closed already
	}
}

// master asks one sentinel after the other where the server is.
func (d *dialer) master(ctx context.Context) (string, error) {
	var failed []error
	for _, sentinel := range d.options.Addresses {
		address, err := d.askSentinel(ctx, sentinel)
		if err == nil {
			return address, nil
		}
		failed = append(failed, fmt.Errorf("sentinel %s: %w", sentinel, err))
	}
	return "", errors.Join(failed...)
}

func (d *dialer) askSentinel(ctx context.Context, sentinel string) (string, error) {
	settings := d.settings([]string{sentinel}, d.connect)
	settings.Username, settings.Password, settings.SelectDB = d.options.SentinelUsername, d.options.SentinelPassword, 0
	c, err := rueidis.NewClient(settings)
	if c != nil {
		defer c.Close()
	}
	if err != nil {
		return "", err
	}
	parts, err := c.Do(ctx, c.B().SentinelGetMasterAddrByName().Master(d.options.Master).Build()).AsStrSlice()
	switch {
	case rueidis.IsRedisNil(err) || err == nil && len(parts) != 2:
		return "", fmt.Errorf("it knows no master %q", d.options.Master)
	case err != nil:
		return "", err
	}
	return net.JoinHostPort(parts[0], parts[1]), nil
}

// counted is a connection whose bytes are counted.
type counted struct {
	net.Conn
	counters *counters
	forget   func() bool
}

func (c *counted) Read(to []byte) (int, error) {
	n, err := c.Conn.Read(to)
	c.counters.bytesIn.Add(uint64(n))
	return n, err
}

func (c *counted) Write(from []byte) (int, error) {
	n, err := c.Conn.Write(from)
	c.counters.bytesOut.Add(uint64(n))
	return n, err
}

func (c *counted) Close() error {
	c.forget()
	return c.Conn.Close()
}
