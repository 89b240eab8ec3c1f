package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Loopback reports whether an address, host:port, can be reached from this machine only.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	return err == nil && isLoopbackHost(host)
}

func isLoopbackHost(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}

const longestDrain = time.Hour

// relations are what is wrong with settings beside others.
func (c *Config) relations() (p problems) {
	c.certificate(&p)
	c.checkPorts(&p)
	c.credentials(&p)
	c.backends(&p)
	c.twins(&p)
	c.processes(&p)
	c.redis(&p)
	c.publications(&p)
	c.history(&p)
	c.hooks(&p)
	c.apps(&p)
	if c.Drain > longestDrain {
		p.addf("drain", "%v is longer than anybody waits for a server to stop: want at most %v", c.Drain, longestDrain)
	}
	return p
}

// publications wants each to fit what may wait for a page, which would be cut by it.
func (c *Config) publications(p *problems) {
	most := sizeText(int64(c.Limits.Pending))
	const wanted = "%v: a page is cut when more than limits.pending, %v, waits for it: want at most that"
	if c.Limits.Publish > c.Limits.Pending {
		p.addf("limits.publish", wanted, sizeText(int64(c.Limits.Publish)), most)
	}
	for name, n := range c.Namespaces {
		if n.MaxMessage > c.Limits.Pending {
			p.addf(join("namespaces", name)+".max_message", wanted, sizeText(int64(n.MaxMessage)), most)
		}
	}
}

func (c *Config) certificate(p *problems) {
	pair := "tls.cert"
	if c.TLS.Cert == "" {
		pair = "tls.key"
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		p.addf(pair, "tls.cert and tls.key belong together: give both")
	}
	if len(c.TLS.Auto) > 0 && c.TLS.Cert+c.TLS.Key != "" {
		p.addf("tls.auto", "certificates come from tls.cert and tls.key, or from tls.auto: want one of them")
	}
	if len(c.TLS.Auto) > 0 && c.TLS.Cache == "" {
		p.addf("tls.cache",
			"is empty: tls.auto would ask for new certificates at each start, and be refused soon: want a folder")
	}
}

// credentials wants pages to prove who they are, unless dev says that they need not. Those of the Pusher protocol show
// the key of an app; where there is nothing else, no others get in.
func (c *Config) credentials(p *problems) {
	switch {
	case c.Dev || c.Token.HasKey() || c.AsksWho() || len(c.Pusher.Apps) > 0 || checkAddress(c.Listen) != nil:
	case Loopback(c.Listen):
		p.addf("dev",
			"is false, and no token key is there: no page could say who it is: set token.secrets, secret_files, "+
				"public_keys or jwks, have a hook decide connect, or leave dev out")
	default:
		p.add("listen",
			fmt.Errorf("%s: %w: set token.secrets, secret_files, public_keys or jwks, have a hook decide connect, "+
				"listen on a loopback address, such as 127.0.0.1:1234, or say --dev if that is what you want",
				c.Listen, ErrExposed))
	}
}

// backends wants a key where others than those of this machine come in. Those of an app sign their requests: where
// there is an app and no key, the HTTP API has no others.
func (c *Config) backends(p *problems) {
	isOpen := func(addr string) bool { return checkAddress(addr) == nil && !Loopback(addr) }
	admin := slices.ContainsFunc(c.API.Keys, func(k Key) bool { return slices.Contains(k.Scopes, "admin") })
	const remedy = "set api.keys, or listen on a loopback address"
	for _, d := range []struct {
		key, addr string
		signs     bool
	}{{"text.listen", c.Text.Listen, false}, {"api.listen", c.API.Listen, len(c.Pusher.Apps) > 0}} {
		if isOpen(d.addr) && len(c.API.Keys) == 0 && !d.signs {
			p.add(d.key, fmt.Errorf("%s: %w: %s", d.addr, ErrKeyless, remedy))
		}
	}
	if isOpen(c.Admin.Listen) && !admin && c.Admin.Password+c.Admin.Readonly == "" {
		p.add("admin.listen",
			fmt.Errorf("%s: %w: give one of api.keys the scope admin, set admin.password, or listen on a loopback "+
				"address", c.Admin.Listen, ErrKeyless))
	}
	if c.Admin.Password != "" && c.Admin.Password == c.Admin.Readonly {
		p.addf("admin.readonly", "is that of admin.password: want one of its own")
	}
	if c.Text.Auth && c.Text.Listen != "" && len(c.API.Keys) == 0 {
		p.addf("text.auth", "is true, and there is no key that could be said: set api.keys")
	}
}

// twins wants each key to be told from the others.
func (c *Config) twins(p *problems) {
	names, secrets := map[string]int{}, map[string]int{}
	for i, k := range c.API.Keys {
		if first, taken := names[k.Name]; taken && k.Name != "" {
			p.addf(element("api.keys", i)+".name", "%s is that of %s", quote(k.Name), element("api.keys", first))
		} else {
			names[k.Name] = i
		}
		if first, taken := secrets[k.Key]; taken && k.Key != "" {
			p.addf(element("api.keys", i)+".key", "is that of %s: want one of its own", element("api.keys", first))
		} else {
			secrets[k.Key] = i
		}
	}
}
