package lineman

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/lineman-go/lineman/internal/grace"
	"github.com/lineman-go/lineman/internal/handover"
	"github.com/lineman-go/lineman/internal/poll"
)

// A connection under TLS cannot leave the process that has its keys. So the predecessor goes on as a relay: its
// successor gets an end of a pair of sockets in place of the connection, and a record like others.
//
//	            predecessor                          successor
//	client ════ outer ──▶ Pipe ──▶ inner ════ pair ════ the connection: id, session, value, limits
//	       TLS        ◀──      ◀──            plain
//
// The ends of streams pass one by one. An end of the pair that closes whole, before the stream towards it was ended, is
// a connection that broke, or was aborted. A further handover passes the successor's end on as it is, so that there is
// never more than one relay.

// relayed is a connection whose TLS is in another process, or the inner one of a relay. Guarded by the connection's
// lock.
type relayed struct {
	state *tls.ConnectionState // nil for the inner one
	local net.Addr             // this side's
	by    int                  // pid of the process that relays it; 0: it is not known
	ended bool                 // the stream towards the other end was ended
}

// handshakeRecord is what Conn.TLS tells, in a record.
type handshakeRecord struct {
	Version    uint16     `json:"version"`
	Suite      uint16     `json:"suite"`
	Resumed    bool       `json:"resumed,omitempty"`
	ALPN       string     `json:"alpn,omitempty"`
	ServerName string     `json:"server_name,omitempty"`
	Peer       [][]byte   `json:"peer,omitempty"`   // certificates
	Chains     [][][]byte `json:"chains,omitempty"` // likewise, of those that were verified
	Relay      int        `json:"relay,omitempty"`  // pid of the process that has the keys
}

func raws(certificates []*x509.Certificate) (raw [][]byte) {
	for _, c := range certificates {
		raw = append(raw, c.Raw)
	}
	return raw
}

func parseAll(raw [][]byte) (certificates []*x509.Certificate, err error) {
	for _, b := range raw {
		c, err := x509.ParseCertificate(b)
		if err != nil {
			return nil, err
		}
		certificates = append(certificates, c)
	}
	return certificates, nil
}

// recordTLSLocked tells in r what a successor cannot see of a connection under TLS. An error is why it stays.
func recordTLSLocked(c *Conn, r *handover.Record) error {
	var state *tls.ConnectionState
	var local net.Addr
	var by int
	s := c.link.tls()
	switch {
	case s != nil && (c.state&ended != 0 || s.notified || s.wire.over()):
		return staysClosing
	case s != nil:
		own := s.conn.ConnectionState()
		state, local, by = &own, c.loop.poll.LocalAddr(c.handle), os.Getpid()
	case c.extra != nil && c.extra.relayed != nil:
		state, local, by = c.extra.relayed.state, c.extra.relayed.local, c.extra.relayed.by
	default:
		return nil
	}
	h := handshakeRecord{
		Version: state.Version, Suite: state.CipherSuite, Resumed: state.DidResume,
		ALPN: state.NegotiatedProtocol, ServerName: state.ServerName, Peer: raws(state.PeerCertificates), Relay: by,
	}
	for _, chain := range state.VerifiedChains {
		h.Chains = append(h.Chains, raws(chain))
	}
	r.TLS, _ = json.Marshal(h) // numbers, texts and bytes have no error
	if local != nil {
		r.Local = local.Network() + " " + local.String()
	}
	return nil
}

// restoreTLS has a connection know what its record tells of its TLS. It goes without the lock, as restoreSession does.
func restoreTLS(c *Conn, r *handover.Record) error {
	if len(r.TLS) == 0 {
		return nil
	}
	var h handshakeRecord
	err := json.Unmarshal(r.TLS, &h)
	state := &tls.ConnectionState{
		Version: h.Version, CipherSuite: h.Suite, DidResume: h.Resumed, HandshakeComplete: true,
		NegotiatedProtocol: h.ALPN, ServerName: h.ServerName,
	}
	if err == nil {
		state.PeerCertificates, err = parseAll(h.Peer)
	}
	for i := 0; err == nil && i < len(h.Chains); i++ {
		var chain []*x509.Certificate
		chain, err = parseAll(h.Chains[i])
		state.VerifiedChains = append(state.VerifiedChains, chain)
	}
	if err != nil {
		return fmt.Errorf("lineman: what a record tells of TLS: %w", err)
	}
	c.extrasLocked().relayed = &relayed{state: state, local: parseLocal(r.Local), by: h.Relay}
	return nil
}

// parseLocal reads the address of a record; nil if it has none.
func parseLocal(text string) net.Addr {
	network, addr, _ := strings.Cut(text, " ")
	if network == "unix" {
		return &net.UnixAddr{Net: network, Name: addr}
	}
	if a, err := net.ResolveTCPAddr("tcp", addr); err == nil && text != "" {
		return a
	}
	return nil
}

// relayedLocked is nil for a connection that needs no other process, and no inner one.
func relayedLocked(c *Conn) *relayed {
	if c.extra == nil {
		return nil
	}
	return c.extra.relayed
}

// relayedTLS is what is known of the TLS of another process; nil without it.
func relayedTLS(c *Conn) *tls.ConnectionState {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := relayedLocked(c); r != nil {
		return r.state
	}
	return nil
}

// isSecure reports whether the peer speaks TLS with this process or with its relay.
func isSecure(c *Conn) bool { return c.link.tls() != nil || relayedTLS(c) != nil }

// closeWrite ends this side's stream.
func closeWrite(c *Conn) error {
	c.mu.Lock()
	if r := relayedLocked(c); r != nil {
		r.ended = true
	}
	c.mu.Unlock()
	return c.loop.poll.CloseWrite(c.handle)
}

// ended handles the end of a stream.
func (r *reader) ended(c *Conn) {
	if isTorn(c) {
		c.end.finish(c, syscall.ECONNRESET)
	} else {
		r.end(c, io.EOF)
	}
}

// isTorn reports whether the end of a stream is that of a relay, or of the connection behind it.
func isTorn(c *Conn) bool {
	c.mu.Lock()
	r := relayedLocked(c)
	torn := r != nil && !r.ended
	c.mu.Unlock()
	return torn && c.loop.poll.HungUp(c.handle)
}

// pair is what a connection under TLS crosses by: the end that stays, and the one that goes, both not watched.
type pair struct{ inner, far poll.Handle }

func (p *pair) close(of poll.Poller) {
	of.Close(p.inner, false)
	of.Close(p.far, false)
}

// relay has the loop go on with a connection under TLS that its successor serves by the other end of a pair. What the
// successor has of it is forgotten here, as that of others that crossed. The loop stands still.
func relay(c *Conn, p *pair) {
	l := c.loop
	if l.relays == nil {
		l.relays = newRelays(l)
	}
	forgetBut(c)
	outer := l.relays.newConn(c, c.handle)
	c.mu.Lock()
	outer.link, outer.remote = &link{secure: c.link.secure}, c.remote
	c.mu.Unlock()
	outer.state = c.state & (armedRead | armedWrite | blocked)
	if c.state&blocked != 0 {
		outer.flags = stalled
	}
	inner := l.relays.newConn(c, p.inner)
	inner.state |= armedRead
	inner.extra = &extra{relayed: &relayed{}}
	l.poll.Close(p.far, false)
	err := Pipe(outer, inner)
	outer.rearm()
	inner.rearm()
	if err != nil {
		l.relays.log.Error("lineman: a connection under TLS that has crossed is lost", "error", err)
		outer.Abort()
	}
}

// relays are the connections that a loop relays.
type relays struct {
	*service
	stay bool // until they end by themselves
}

func newRelays(l *Loop) *relays {
	s, err := newService(l, &Worker{Name: "relay"})
	if err != nil {
		panic(err) // its fields are right
	}
	return &relays{service: s, stay: true}
}

// newConn makes an end of a relay for c. It goes without the lock, as nobody knows it yet.
func (r *relays) newConn(c *Conn, h poll.Handle) *Conn {
	l := r.loop
	end := &Conn{loop: l, id: c.id, handle: h, service: r.service, session: raw{}}
	end.in.touched, end.since = l.present, l.present
	l.enter(end)
	l.live++
	return end
}

// relayEnds is how many ends of relays the loop has.
func (l *Loop) relayEnds() int {
	if l.relays == nil {
		return 0
	}
	return l.relays.count
}

// relaying is how many connections the loop relays. Of one, an end may have gone before the other.
func (l *Loop) relaying() int { return (l.relayEnds() + 1) / 2 }

// isRelay reports whether c is an end of a relay, which the loop has not to end.
func isRelay(c *Conn) bool {
	r := c.loop.relays
	return r != nil && r.stay && c.service == r.service
}

// staying is how many connections the loop has that it has not to end.
func (l *Loop) staying() int {
	if l.relays == nil || !l.relays.stay {
		return 0
	}
	return l.relays.count
}

// outlast ends what a loop that stops has still open, but for its relays.
func (l *Loop) outlast() {
	for c := range l.all() {
		if !isRelay(c) {
			c.end.finish(c, ErrTimeout)
		}
	}
}

// endRelaysIn has the loop end its relays at the end of a time, or not at all if that is negative: until then those who
// serve their other ends may say goodbye.
func (l *Loop) endRelaysIn(d grace.Period) {
	if d >= 0 && l.staying() > 0 {
		l.After(time.Duration(d), l.endRelays)
	}
}

// partRelayed ends the connections that a process relays which has to end: the application has time to do so, and then
// their peers are told goodbye.
func (l *Loop) partRelayed(by int, within grace.Period) {
	relayed := func(visit func(c *Conn)) *walk {
		return &walk{loop: l, visit: func(c *Conn) {
			if c.phase.get() == open && relayOf(c) == by {
				visit(c)
			}
		}}
	}
	longest := time.Duration(0)
	for _, s := range l.services {
		longest = max(longest, s.limits.Drain)
	}
	drained := l.now.Add(within.Drain(longest))
	relayed(func(c *Conn) {
		if f := c.service.worker.OnRelayEnd; f != nil {
			c.guard(inOnRelayEnd, func() { f(c) })
		}
	}).begin()
	goodbyes := relayed(func(c *Conn) { c.end.leave(c, false) })
	l.After(max(drained.Sub(l.now), 0), goodbyes.begin)
}

// relayOf is the pid of the process that relays c; 0 if none is known.
func relayOf(c *Conn) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := relayedLocked(c); r != nil {
		return r.by
	}
	return 0
}

// endRelays has the loop end its relays as it ends others, as there is no more time for them.
func (l *Loop) endRelays() {
	if l.staying() == 0 {
		return
	}
	l.relays.stay = false
	for c := range l.all() {
		if c.service == l.relays.service && c.link.tls() != nil {
			_ = c.Close() // it may be closing
		}
	}
	if l.stopping {
		l.giveUp = later(l.giveUp, l.now.Add(l.relays.limits.Close))
	}
}
