package lineman

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/lineman-go/lineman/internal/exchange"
	"github.com/lineman-go/lineman/internal/poll"
	"github.com/lineman-go/lineman/internal/proxyheader"
	"github.com/lineman-go/lineman/internal/table"
	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/frame"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/text"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// service is a Worker as a loop runs it.
type service struct {
	// Immutable.
	loop      *Loop
	worker    *Worker
	name      string
	address   address
	protocol  protocol.Protocol // nil for raw bytes
	kind      kind
	packet    bool      // its socket is one of datagrams
	direct    bool      // Send may encode without a guard: see sendGuardedLocked
	transport transport // of connections without TLS
	request   callback  // what takes a request
	limits    Limits    // with defaults
	after     ticks
	secured   *tls.Config // nil without TLS
	proxies   proxyheader.Trusted
	log       *slog.Logger

	// Owned by the loop.
	listener   *Listener
	handler    *exchange.Server         // nil until a request needs it
	conns      table.Table[poll.Handle] // the first count of them
	count      int
	handshakes []*httpSession // free
	slots      handshakeSlots

	replicas  *replicas    // on the loops of the process; nil if there is one. Immutable.
	load      atomic.Int32 // its connections, and those that are on their way to it
	accepting atomic.Bool  // its listener is open and not paused
}

// kind is how a protocol is run.
type kind uint8

const (
	speaksBytes     kind = iota // no protocol
	speaksMessages              // a codec of two methods
	speaksHTTP                  // requests and answers
	speaksWebSocket             // HTTP until the handshake
)

// tick is the resolution of limits.
const tick = 100 * time.Millisecond

// ticks are limits of time in ticks; 0 means none.
type ticks struct {
	handshake, message, answer, keepAlive, idle, close, ping, pong uint32
}

func newService(l *Loop, w *Worker) (*service, error) {
	a, err := parseAddress(w.Addr)
	if err != nil {
		return nil, err
	}
	s := &service{
		loop: l, worker: w, name: w.name(), address: a,
		transport: &stream{}, protocol: a.protocol, packet: a.network == "udp", limits: w.Limits.withDefaults(),
		log: l.log, request: requestOf(w),
	}
	if s.packet {
		s.transport = &workerUDP{}
	}
	if w.Protocol != nil {
		s.protocol = w.Protocol
	}
	if w.Logger != nil {
		s.log = w.Logger
	}
	s.log = s.log.With("worker", s.name)
	s.slots.most, s.direct = s.limits.Handshakes, !s.packet && isOurs(s.protocol)
	if s.proxies, err = parseProxies(w); err == nil {
		err = s.check()
	}
	if err != nil {
		return nil, fmt.Errorf("lineman: worker %q: %w", s.name, err)
	}
	s.after = ticks{
		handshake: toTicks(s.limits.Handshake), message: toTicks(s.limits.Message), answer: toTicks(s.limits.Answer),
		keepAlive: toTicks(s.limits.KeepAlive), idle: toTicks(s.limits.Idle), close: toTicks(s.limits.Close),
	}
	switch p := s.protocol.(type) {
	case nil:
		s.kind = speaksBytes
	case *http1.Protocol:
		s.kind = speaksHTTP
	case *websocket.Protocol:
		s.kind = speaksWebSocket
		s.after.ping, s.after.pong = toTicks(p.PingInterval), toTicks(cmp.Or(p.PongTimeout, 10*time.Second))
	default:
		s.kind = speaksMessages
	}
	switch {
	case w.Handler != nil && s.kind != speaksHTTP:
		return nil, fmt.Errorf("lineman: worker %q: Handler is for http, not %q", s.name, w.Addr)
	case w.Handler != nil && w.OnHead != nil:
		return nil, fmt.Errorf("lineman: worker %q: OnHead is for OnRequest and OnMessage: "+
			"a Handler has the head before the body by itself", s.name)
	case w.Handler != nil && (w.OnRequest != nil || w.OnMessage != nil):
		return nil, fmt.Errorf("lineman: worker %q: set Handler, or OnRequest, or OnMessage: "+
			"a request goes to one of them", s.name)
	}
	if s.packet && s.kind > speaksMessages {
		return nil, fmt.Errorf("lineman: worker %q: %s needs a stream, not datagrams", s.name, s.protocol.Name())
	}
	if w.TLS != nil {
		s.secured = configFor(w.TLS, s.kind)
	}
	return s, nil
}

// isOurs reports whether the codecs of a protocol are of this module.
func isOurs(p protocol.Protocol) bool {
	switch p.(type) {
	case nil, *http1.Protocol, *websocket.Protocol, text.Protocol, frame.Protocol:
		return true
	}
	return false
}

// serviceOf finds or makes what the loop knows of w.
func (l *Loop) serviceOf(w *Worker) (*service, error) {
	if s := l.known(w); s != nil {
		return s, nil
	}
	s, err := newService(l, w)
	if err != nil {
		return nil, err
	}
	for _, other := range l.services {
		if other.name == s.name {
			return nil, fmt.Errorf("lineman: two workers are called %q: give one another Name", s.name)
		}
	}
	l.services = append(l.services, s)
	l.group.join(s)
	return s, nil
}

func (l *Loop) known(w *Worker) *service {
	for _, s := range l.services {
		if s.worker == w {
			return s
		}
	}
	return nil
}

// toTicks rounds up; a limit that is not above zero is none.
func toTicks(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	return uint32(min((d-1)/tick+1, 1<<30))
}

func (s *service) check() error {
	w := s.worker
	switch {
	case s.name == "":
		return fmt.Errorf("has neither Name nor Addr: give it one")
	case w.Count < 0:
		return fmt.Errorf("Count is %d: want 0 or more", w.Count)
	case w.Loops < 0:
		return fmt.Errorf("Loops is %d: want 0 or more", w.Loops)
	case w.Loops > 1 && w.PerLoop == nil:
		return fmt.Errorf("Loops is %d, and they would share the variables of its callbacks: "+
			"set the callbacks in PerLoop", w.Loops)
	case w.PerLoop != nil && w.hasCallbacks():
		return fmt.Errorf("has callbacks beside PerLoop, which loops would share: set them in PerLoop")
	case w.Loops > 1 && s.packet:
		return fmt.Errorf("Loops is %d: datagrams are for one loop; Count makes processes", w.Loops)
	case w.Limits.MaxMessage < 0 || w.Limits.MaxPending < 0 || w.Limits.Handshakes < 0:
		return fmt.Errorf("a size in Limits, or Handshakes, is negative: want 0 for the default, or more")
	case (w.Mode != 0 || w.Owner != "") && s.address.network != "unix":
		return fmt.Errorf("Mode and Owner are for a unix address, not %q", w.Addr)
	case w.TLS != nil && s.packet:
		return fmt.Errorf("TLS is for streams, not %q", w.Addr)
	case w.TLS != nil && len(w.TLS.Certificates) == 0 && w.TLS.GetCertificate == nil && w.TLS.GetConfigForClient == nil:
		return fmt.Errorf("TLS has no certificate: set Certificates, or GetCertificate to Certificate(files)")
	case (w.Save == nil) != (w.Restore == nil):
		return fmt.Errorf("has one of Save and Restore: set both, or neither")
	case w.SaveState != nil && w.SaveParts != nil:
		return fmt.Errorf("has both SaveState and SaveParts: set one of them")
	case (w.SaveState == nil && w.SaveParts == nil) != (w.RestoreState == nil):
		return fmt.Errorf("has one of SaveState (or SaveParts) and RestoreState: set both, or neither")
	case w.Save != nil && s.packet:
		return fmt.Errorf("Save and Restore are for streams, not %q", w.Addr)
	case w.ReusePort && s.address.network == "unix":
		return fmt.Errorf("ReusePort is for tcp and udp, not %q", w.Addr)
	}
	return nil
}

// newSession makes what a fresh connection speaks: a WebSocket begins with HTTP.
func (s *service) newSession() session {
	switch s.kind {
	case speaksBytes:
		return raw{}
	case speaksHTTP, speaksWebSocket:
		if s.worker.Handler == nil {
			return newHTTPSession(s)
		}
		return &handlerSession{split: s.protocol.(*http1.Protocol).NewSplitter(), service: s}
	}
	most := s.limits.MaxMessage
	return &framing{codec: s.protocol.NewCodec(most), max: min(most, math.MaxInt-slack) + slack}
}

func (s *service) adopt(c *Conn) {
	s.conns.Cover(s.count)
	*s.conns.At(s.count), c.slot = c.handle, int32(s.count)
	s.count++
	s.load.Add(1)
}

// bound tells the system how long the peer of a connection may leave unacknowledged what is sent from now on.
func (s *service) bound(c *Conn, before time.Duration) {
	if now := max(s.limits.Unacknowledged, 0); now != max(before, 0) && c.handle != absent && !s.packet {
		c.loop.poll.UserTimeout(c.handle, now)
	}
}

func (s *service) drop(c *Conn) {
	s.count--
	last := *s.conns.At(s.count)
	*s.conns.At(int(c.slot)) = last
	(*s.loop.conns.At(int(last))).slot = c.slot
	s.load.Add(-1)
}
