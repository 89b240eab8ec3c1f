package lineman

import (
	"bytes"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/lineman-go/lineman/internal/proxyheader"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// expectsHeader reports whether a connection from this peer begins with a PROXY header.
func (s *service) expectsHeader(peer netip.AddrPort) bool {
	return s.worker.ProxyProtocol && s.proxies.Has(peer.Addr())
}

// readHeader takes the PROXY header that comes before everything else, TLS too.
func (r *reader) readHeader(c *Conn, data []byte) {
	if r.rest == nil {
		r.rest = c.loop.newInput()
	}
	r.rest.bytes = append(r.rest.bytes, data...)
	n, from, err := proxyheader.Parse(r.rest.bytes)
	if err != nil {
		c.service.log.Warn("lineman: PROXY header", "peer", c.remote.addr(c), "error", err)
		c.end.finish(c, &ProtocolError{Protocol: "proxy", Err: err})
		return
	}
	if n == 0 {
		return
	}
	rest := append([]byte(nil), r.rest.bytes[n:]...)
	c.loop.freeInput(c)
	if !from.Local {
		c.mu.Lock()
		c.remote.setLocked(c, from.Source)
		c.mu.Unlock()
	}
	c.start()
	if len(rest) > 0 && c.phase.get() != closed {
		c.transport().take(c, rest)
	}
}

// speaksFor reports whether the peer of c is a proxy that is trusted.
func (s *service) speaksFor(c *Conn) bool {
	return len(s.proxies) > 0 && s.proxies.Has(c.remote.addr(c).Addr())
}

// noteClient keeps who a request comes from, if a proxy that is trusted says so. On the loop.
func (h *httpSession) noteClient(c *Conn, r *http1.Request) {
	s := c.service
	if !s.speaksFor(c) {
		return
	}
	var client netip.Addr
	if r.Value("X-Forwarded-For", 0) != nil {
		client = s.proxies.Client(c.remote.addr(c).Addr(), func(i int) []byte { return r.Value("X-Forwarded-For", i) })
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.extra != nil || client.IsValid() {
		c.extrasLocked().client = client
	}
}

// secured is a request of a client that speaks TLS.
type secured struct{ *http1.Request }

func (secured) Secure() bool { return true }

// handshakeOf is a request as the protocol sees it. The client may speak TLS with us, or, as a proxy that is trusted
// says, with that.
func handshakeOf(c *Conn, r *http1.Request) websocket.Request {
	if isSecure(c) || c.service.speaksFor(c) && forwardsTLS(r) {
		return secured{r}
	}
	return r
}

// forwardsTLS reports whether X-Forwarded-Proto says https, or wss as some proxies do.
func forwardsTLS(r *http1.Request) bool {
	for list := range r.Values("X-Forwarded-Proto") {
		for item := range bytes.SplitSeq(list, []byte(",")) {
			switch strings.ToLower(string(bytes.TrimSpace(item))) {
			case "https", "wss":
				return true
			}
		}
	}
	return false
}

// noteClient is that for a handler.
func (s *service) noteClient(c *Conn, r *http.Request) {
	if !s.speaksFor(c) {
		return
	}
	fields := r.Header["X-Forwarded-For"]
	if len(fields) == 0 {
		return
	}
	client := s.proxies.Client(c.remote.addr(c).Addr(), func(i int) []byte {
		if i == len(fields) {
			return nil
		}
		return append([]byte{}, fields[i]...)
	})
	if client.IsValid() {
		r.RemoteAddr = netip.AddrPortFrom(client, 0).String()
	}
}

// parseProxies reads the addresses of the proxies of a worker.
func parseProxies(w *Worker) (proxyheader.Trusted, error) {
	trusted, err := proxyheader.ParseTrusted(w.Proxies)
	if err != nil {
		return nil, fmt.Errorf("Proxies: %w", err)
	}
	if w.ProxyProtocol && len(trusted) == 0 {
		return nil, fmt.Errorf("ProxyProtocol needs Proxies: whose header is to be believed")
	}
	return trusted, nil
}
