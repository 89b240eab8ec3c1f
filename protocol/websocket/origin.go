package websocket

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// CheckOrigin keeps pages of other sites from using the rights of their visitor's browser (RFC 6455, 10.2), as Check
// does. It is for requests that are no handshakes, but give a page the same. The error is a *HandshakeError.
func (p *Protocol) CheckOrigin(r Request) error {
	value := r.Value("Origin", 0)
	if value == nil {
		return nil // a program: a browser always says its origin
	}
	origin := string(value)
	if several(r, "Origin") {
		return &HandshakeError{403, "more than one Origin"}
	}
	if matchAny(p.Origins, origin) || p.MoreOrigins != nil && matchAny(p.MoreOrigins(r), origin) {
		return nil
	}
	if why := p.foreign(r, origin); why != "" {
		const remedy = "list it in the origins of this port"
		return &HandshakeError{403, fmt.Sprintf("origin %q may not connect%s: %s", origin, why, remedy)}
	}
	return nil
}

// matchAny reports whether an origin is one of those that are listed.
func matchAny(list []string, origin string) bool {
	for _, allowed := range list {
		if allowed == "*" || matchOrigin(allowed, origin) {
			return true
		}
	}
	return false
}

// foreign tells in which way a page is none of the host that it asks for; empty if it is one.
func (p *Protocol) foreign(r Request, origin string) (why string) {
	u, err := url.Parse(origin)
	if err != nil {
		return ", as it is none"
	}
	here := url.URL{Host: string(r.Host())}
	s, known := r.(SecureRequest)
	switch {
	case !sameHost(u.Hostname(), here.Hostname()):
		return ", as it is another host's"
	case u.Scheme != "https" && (u.Scheme != "http" || known && s.Secure()):
		return ", as this port speaks TLS, and who is on the way could have made that page"
	case p.SamePort && portOf(u, u.Scheme) != portOf(&here, u.Scheme):
		return ", as it is another port's"
	}
	return ""
}

// portOf is the port of a URL, or that of a scheme.
func portOf(u *url.URL, scheme string) string {
	if scheme == "https" {
		return cmp.Or(u.Port(), "443")
	}
	return cmp.Or(u.Port(), "80")
}

// matchOrigin compares an origin with a listed one, whose host may begin with "*.", and which may have the port that
// browsers leave out.
func matchOrigin(allowed, origin string) bool {
	allowed, origin = strings.ToLower(allowed), strings.ToLower(origin)
	switch {
	case strings.HasPrefix(allowed, "https://"):
		allowed = strings.TrimSuffix(allowed, ":443")
	case strings.HasPrefix(allowed, "http://"):
		allowed = strings.TrimSuffix(allowed, ":80")
	}
	scheme, host, ok := strings.Cut(allowed, "://*.")
	if !ok {
		return allowed == origin
	}
	gotScheme, gotHost, ok := strings.Cut(origin, "://")
	return ok && gotScheme == scheme && strings.HasSuffix(gotHost, "."+host) && len(gotHost) > len(host)+1
}

func sameHost(a, b string) bool {
	return a != "" && (strings.EqualFold(a, b) || loopback(a) && loopback(b))
}

func loopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
