package lineman

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/lineman-go/lineman/internal/output"
	"github.com/lineman-go/lineman/internal/poll"
	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// A Dialer says how Loop.Dial connects and what happens on the connection. The zero value connects once, by the address
// alone.
type Dialer struct {
	Name string // in the log, and for Loop.ExpectDial; "" means the address

	// Protocol replaces what the scheme of the address names, as Worker.Protocol does.
	Protocol protocol.Protocol

	// TLS puts TLS below the protocol; wss implies it. Its ServerName is the host of the address unless it is set.
	TLS *tls.Config

	// Header has further fields for the request of a WebSocket's handshake, such as Authorization and Origin. With
	// other protocols it is an error.
	Header []http1.Field

	// Limits bound the connection as they do an accepted one. Handshake bounds connecting, from the look-up of the name
	// to the end of the last handshake.
	Limits Limits

	// Connect replaces net.Dialer: for a proxy, or a source address. It runs on a goroutine, within Limits.Handshake,
	// and must return a connection of package net: one that has a descriptor.
	Connect func(ctx context.Context, network, address string) (net.Conn, error)

	// Backoff connects again when the connection has ended. The zero value does not.
	Backoff Backoff

	Logger *slog.Logger // nil means slog.Default()

	// Save and Restore have connections cross to the successor of the process, in a reload, as those of Worker do; not
	// those of datagrams. The successor knows the Dialer by Loop.ExpectDial. It dials what is not there yet: then Send
	// has accepted for it what it had accepted in the predecessor, and OnConnect follows.
	Save    func(c *Conn) ([]byte, error)
	Restore func(c *Conn, value []byte) error

	// Events are what happens: OnConnect after all handshakes, each time; OnClose each time that the connection ended,
	// or did not come about. A connection of datagrams tells by OnInvalid what the system could not send, or could not
	// deliver, such as syscall.ECONNREFUSED: it goes on, or ends with that error if OnInvalid is nil. OnRequest and
	// OnUpgrade are not used.
	Events
}

// Backoff is how long Dial waits before it connects again: First, then twice as long each time up to Most, each time
// between half of that and all of it, by chance, so that many clients do not come back at once. A connection that
// lasted longer than the last wait begins with First again. It ends with Close, CloseWith or Abort, also in OnClose,
// and with the loop.
//
// What Send accepts between two connections waits for the next one. What it had accepted for one that breaks, and the
// kernel has not taken, is lost with it.
type Backoff struct {
	First time.Duration // 0 means never; less is an error
	Most  time.Duration // 0 means 30 s; less is an error
}

// dialing is a connection that this side opens.
type dialing struct {
	dialer   Dialer
	own      *service          // of the Dialer's events; SetWorker may take the connection elsewhere
	protocol protocol.Protocol // what the scheme names
	network  string
	target   string
	host     string             // for the handshake of a WebSocket
	uri      string             // likewise; "" for other protocols
	secure   bool               // TLS, whatever the Dialer says
	request  []byte             // of the handshake, as far as it is not written. Guarded by the connection's lock.
	kept     *output.Queue      // accepted by Send, for the next attempt. Guarded by the connection's lock.
	began    uint32             // tick of the attempt's beginning. Owned by the loop.
	cancel   context.CancelFunc // of the attempt under way. Owned by the loop.
	wait     time.Duration      // before the next attempt. Owned by the loop.
	since    time.Time          // of the last connection's beginning. Owned by the loop.
	again    *Timer             // Owned by the loop.
	stopped  bool               // Close was called. Guarded by the connection's lock.
}

// Dial connects to an address and returns at once. A goroutine looks up the name and makes the connection, by
// net.Dialer; then the loop has it. What Send accepts meanwhile waits, up to Limits.MaxPending, and is written before
// what OnConnect sends. Conn.Connected tells whether the connection is ready. If the connection fails, OnClose gets the
// reason, and what waited is dropped, unless Dialer.Backoff makes it again. Close drops it, too. The error is about the
// arguments.
//
// The schemes are those of Worker.Addr but http, and for a WebSocket ws://host:port/path and wss://host:port/path, with
// the ports 80 and 443 if there is none. A WebSocket offers the subprotocols and the compression of its
// *websocket.Protocol; an answer other than 101, a redirect too, makes OnClose's error a *websocket.AnswerError.
//
// A connection of datagrams (udp, text+udp, frame+udp) sends and takes those of its peer only. Each Send is one
// datagram.
func (l *Loop) Dial(addr string, d Dialer) (*Conn, error) {
	target, err := l.newTarget(addr, d)
	if err != nil {
		return nil, err
	}
	if l.stopping {
		return nil, fmt.Errorf("lineman: dial %s: %w: the loop is stopping", addr, net.ErrClosed)
	}
	c := newDialed(target.own, target, lastID.Add(1))
	target.attempt(c)
	return c, nil
}

// newTarget is what one connection of a Dialer dials.
func (l *Loop) newTarget(addr string, d Dialer) (*dialing, error) {
	target, err := parseDialAddress(addr)
	if err != nil {
		return nil, err
	}
	if d.Backoff.First < 0 || d.Backoff.Most < 0 {
		return nil, fmt.Errorf("lineman: dial %s: Backoff is below zero", addr)
	}
	d.Backoff.Most = cmp.Or(d.Backoff.Most, 30*time.Second)
	if d.Protocol == nil {
		d.Protocol = target.protocol
	}
	target.dialer = d
	s, err := newService(l, &Worker{
		Name: cmp.Or(d.Name, addr), Protocol: d.Protocol, Limits: d.Limits, Logger: d.Logger, Events: d.Events,
		Save: d.Save, Restore: d.Restore,
	})
	if err != nil {
		return nil, err
	}
	if err := target.check(s.kind); err != nil {
		return nil, fmt.Errorf("lineman: dial %s: %w", addr, err)
	}
	s.address.network = target.network
	if target.network == "udp" {
		s.transport, s.packet, s.direct = &dialedUDP{}, true, false
	}
	target.own = s
	return target, nil
}

// newDialed makes a connection that is not there yet, without the lock: nobody else knows it.
func newDialed(s *service, d *dialing, id uint64) *Conn {
	c := &Conn{loop: s.loop, id: id, service: s, link: &link{dial: d}}
	d.resetLocked(c)
	return c
}

// check refuses what cannot be dialed.
func (d *dialing) check(k kind) error {
	isWebSocket := d.uri != ""
	switch {
	case k == speaksHTTP:
		return errors.New("for requests use net/http on a goroutine, and come back by Do")
	case k == speaksWebSocket && !isWebSocket:
		return errors.New("the address of a WebSocket is ws://host:port/path or wss://host:port/path")
	case k != speaksWebSocket && isWebSocket:
		return errors.New("ws and wss take a *websocket.Protocol and no other")
	case d.network == "udp" && d.dialer.TLS != nil:
		return errors.New("TLS is for streams")
	case d.network == "udp" && d.dialer.Save != nil:
		return errors.New("Save and Restore are for streams")
	case isWebSocket:
		h := d.handshake()
		_, err := h.AppendRequest(nil)
		return err
	case len(d.dialer.Header) > 0:
		return errors.New("Header is for ws and wss")
	}
	return nil
}

// failed is why a connection does not come about, or a datagram does not.
func (d *dialing) failed(err error) error { return fmt.Errorf("lineman: dial %s: %w", d.target, err) }

// resetLocked makes c a connection that is not there yet.
func (d *dialing) resetLocked(c *Conn) {
	c.state, c.end, c.link.secure, c.handle = 0, 0, nil, absent
	if refused := c.extra.refusedLocked(); refused > 0 {
		c.extra = &extra{refused: refused}
	} else {
		c.extra = nil
	}
	stays := dirty
	if c.out.queue, d.kept = d.kept, nil; c.out.queue != nil {
		stays |= full | notifyFull
	}
	switch {
	case d.uri != "":
		c.session = newGreeting(d, c.service.limits)
	case c.out.queue == nil: // what was kept is of the session that there is, which has not been used for anything else
		c.session = c.service.newSession()
	}
	d.request = nil
	c.flags = c.flags&stays | opening
	c.phase.connect(false)
	c.phase.set(open)
}

// absent is the handle of a connection that is not there yet, or not there again.
const absent = poll.Handle(-1)

// parseDialAddress takes an address apart.
func parseDialAddress(addr string) (*dialing, error) {
	u, err := url.Parse(addr)
	if err != nil {
		return nil, fmt.Errorf("lineman: dial: %w", err)
	}
	switch u.Scheme {
	case "ws":
		return parseURI(u, "80")
	case "wss":
		return parseURI(u, "443")
	}
	a, err := parseAddress(addr)
	if err != nil {
		return nil, err
	}
	return &dialing{protocol: a.protocol, network: a.network, target: a.target}, nil
}

// parseURI takes the address of a WebSocket apart (RFC 6455, 3).
func parseURI(u *url.URL, port string) (*dialing, error) {
	switch {
	case u.Hostname() == "":
		return nil, fmt.Errorf("lineman: dial %s: no host", u.Redacted())
	case u.User != nil:
		return nil, fmt.Errorf("lineman: dial %s: give credentials in Header, as Authorization", u.Redacted())
	case u.Fragment != "":
		return nil, fmt.Errorf("lineman: dial %s: the address of a WebSocket has no fragment", u.Redacted())
	}
	name, _, _ := strings.Cut(u.Hostname(), "%") // the zone means something here only
	host := net.JoinHostPort(name, u.Port())
	if p := u.Port(); p == "" || p == port {
		host = strings.TrimSuffix(net.JoinHostPort(name, ""), ":")
	}
	return &dialing{
		protocol: &websocket.Protocol{}, network: "tcp", target: net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port)),
		host: host, uri: u.RequestURI(), secure: u.Scheme == "wss",
	}, nil
}

// attempt begins to connect.
func (d *dialing) attempt(c *Conn) {
	l := c.loop
	ctx, cancel := context.WithTimeout(l.ctx, d.timeout(c.service.limits.Handshake))
	d.cancel, d.again, d.began = cancel, nil, l.present
	l.dials[c] = true
	l.live++
	l.outgoing++
	connect := d.dialer.Connect
	if connect == nil {
		connect = (&net.Dialer{}).DialContext
	}
	go func() {
		defer cancel()
		conn, err := connect(ctx, d.network, d.target)
		if !l.Do(func() { d.dialed(c, conn, err) }) && conn != nil {
			conn.Close()
		}
	}()
}

func (d *dialing) timeout(limit time.Duration) time.Duration {
	if limit < 0 {
		return 1 << 62
	}
	return limit
}

// dialed goes on when there is a connection, or none.
func (d *dialing) dialed(c *Conn, conn net.Conn, err error) {
	if c.phase.get() != open || !c.loop.dials[c] {
		if conn != nil {
			conn.Close() // closed meanwhile
		}
		return
	}
	var h poll.Handle
	var remote netip.AddrPort
	if err == nil {
		remote = remoteOf(conn)
		if h, err = c.transport().socket(c.loop.poll, conn); err != nil {
			conn.Close()
		}
	}
	if err != nil {
		c.end.finish(c, d.failed(err))
		return
	}
	delete(c.loop.dials, c)
	c.mu.Lock()
	c.handle = h
	c.remote.setLocked(c, remote)
	c.mu.Unlock()
	now := c.loop.present
	c.in.touched, c.since = now, now
	c.state |= armedRead
	c.loop.enter(c)
	if c.service.after.handshake != 0 {
		c.watch(1) // a part of it is over
	}
	if config := d.config(c.service.kind); config != nil {
		beginTLS(c, true, config)
		return
	}
	c.session.begin(c)
}

// config is that of TLS, nil without TLS.
func (d *dialing) config(k kind) *tls.Config {
	config := d.dialer.TLS.Clone() // nil of nil
	switch {
	case config == nil && !d.secure:
		return nil
	case config == nil:
		config = &tls.Config{}
	}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(d.target)
	}
	return configFor(config, k)
}

// opened tells that all handshakes are over: what was sent meanwhile may go.
func (d *dialing) opened(c *Conn) {
	c.mu.Lock()
	c.flags &^= opening
	c.markLocked(0)
	c.mu.Unlock()
	d.since = c.loop.now
}

// redial has the connection made again, if that is wanted, after it has ended.
func (d *dialing) redial(c *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d.dialer.Backoff.First == 0 || d.stopped || c.loop.stopping {
		d.giveUpLocked(c)
		return
	}
	if !d.since.IsZero() && c.loop.now.Sub(d.since) > d.wait {
		d.wait = 0
	}
	d.wait = min(max(2*d.wait, d.dialer.Backoff.First), d.dialer.Backoff.Most)
	d.since = time.Time{}
	d.resetLocked(c)
	d.await(c, d.wait/2+rand.N(d.wait/2+1))
}

// await has the next attempt begin after a time.
func (d *dialing) await(c *Conn, t time.Duration) {
	c.loop.dials[c] = true
	d.again = c.loop.After(t, func() { d.attempt(c) })
}

// abandon ends a connection that is not there.
func (d *dialing) abandon(c *Conn) {
	if d.again == nil {
		d.cancel()
		c.end.finish(c, nil)
		return
	}
	d.again.Stop() // OnClose has been called
	delete(c.loop.dials, c)
	c.mu.Lock()
	c.phase.set(closed)
	c.out.dropLocked(c)
	d.giveUpLocked(c)
	x := c.extra
	c.mu.Unlock()
	if x != nil {
		x.stopTimers()
	}
	c.end.cancelContext(c)
}

// giveUpLocked forgets what was kept for a next attempt: there will be none.
func (d *dialing) giveUpLocked(c *Conn) {
	if d.kept != nil {
		d.kept.Release()
		d.kept = nil
	}
}
